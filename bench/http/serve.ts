/** One server, or the downstream, in a process of its own. It tells its port, and counts when it is asked. */
import { listen } from "./downstream.ts"
import { servers } from "./servers/index.ts"

const [name = "", downstream = ""] = process.argv.slice(2)

process.on("disconnect", () => process.exit(0))
if (name === "downstream") {
  const { url } = await listen()
  process.send?.({ url })
} else {
  const start = servers[name]
  if (start === undefined) throw new Error(`there is no server '${name}'`)
  const { degraded, port } = await start(downstream)
  process.on("message", () => process.send?.({ degraded: degraded() }))
  process.send?.({ url: `http://127.0.0.1:${port}` })
}
