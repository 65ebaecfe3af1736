// Runs a script of this repository under Node 24, after setting up what it needs.
// Plain JavaScript for whatever Node the newcomer has (18 or later): it makes
// `npm start` and `npm test` each sufficient on a fresh clone.
import { spawn, spawnSync } from "node:child_process"
import { constants } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { setUp } from "./setup.mjs"

const root = dirname(dirname(fileURLToPath(import.meta.url)))

const fail = (sentence) => {
  console.error(sentence)
  process.exit(1)
}

const major = (version) => Number(/^v?(\d+)\./.exec(version)?.[1] ?? 0)

/** The Node that runs the sources: the one of the npm package, else our own where it is new enough. */
const findNode = () => {
  const packaged = join(root, "node_modules", ".bin", process.platform === "win32" ? "node.cmd" : "node")
  const asked = spawnSync(packaged, ["--version"], { encoding: "utf8" })
  if (asked.status === 0 && major(asked.stdout) >= 24) return packaged
  if (major(process.version) >= 24) return process.execPath
  return fail(
    `Failsoft needs Node.js 24, which the npm package 'node' could not bring to this machine (${process.platform} ${process.arch}); install Node.js 24 from https://nodejs.org and run the command again.`
  )
}

if (major(process.version) < 18) {
  fail(
    `Failsoft needs Node.js 20 or later to start, but this is ${process.version}; install it from https://nodejs.org.`
  )
}

const [script, ...args] = process.argv.slice(2)
await setUp(root).catch((error) => fail(error.message))

const child = spawn(findNode(), ["--conditions=@failsoft/source", join(root, script), ...args], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, FAILSOFT_ROOT: root }
})
// The child decides how to end (it may drain), so a signal is only passed on. A
// terminal sends Ctrl-C to the whole group itself.
process.on("SIGTERM", () => child.kill("SIGTERM"))
process.on("SIGINT", () => {
  if (!process.stdin.isTTY) child.kill("SIGINT")
})
// npm's own shell ends at a signal and passes nothing on; an orphan stops as if it had been told.
if (process.env.npm_lifecycle_event) {
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    child.kill("SIGTERM")
  }, 200)
  watch.unref()
}
child.on("error", (error) => fail(`Failsoft could not start Node.js: ${error.message}`))
child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 1)))
