/** fastify 5 as its documentation starts it, without a logger. */
import fastify from "fastify"
import { hello, type Start } from "../settings.ts"

export const edge: Start = async () => {
  const app = fastify({ logger: false })
  app.get("/hello", async () => hello)
  await app.listen({ port: 0, host: "127.0.0.1" })
  const address = app.server.address()
  return { port: typeof address === "object" && address !== null ? address.port : 0, degraded: () => 0 }
}
