/** The downstream: Node's own server with a constant answer. */
import { createServer, type Server } from "node:http"
import { stock } from "./settings.ts"

const body = JSON.stringify(stock)

/** Listens on a free port. */
export const listen = (): Promise<{ readonly server: Server; readonly url: string }> =>
  new Promise((resolve) => {
    const server = createServer((_, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
      response.end(body)
    })
    // Its sockets stay open between two samples.
    server.keepAliveTimeout = 60_000
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resolve({ server, url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}` })
    })
  })
