// Runs the tools of node_modules for the other scripts.
import { spawn } from "node:child_process"
import { join } from "node:path"

const root = process.env.FAILSOFT_ROOT ?? process.cwd()

/** Runs a tool's JavaScript entry or binary; resolves to its exit code and what it printed. */
export const tool = (name, args, { quiet = false, env = {} } = {}) =>
  new Promise((resolve) => {
    const child = spawn(join(root, "node_modules", ".bin", name), args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      // The tools must run under this Node, not under the one that npm found first.
      env: { ...process.env, PATH: `${join(root, "node_modules", ".bin")}:${process.env.PATH}`, ...env }
    })
    let output = ""
    const keep = (to) => (chunk) => {
      output += chunk
      if (!quiet) to.write(chunk)
    }
    child.stdout.on("data", keep(process.stdout))
    child.stderr.on("data", keep(process.stderr))
    child.on("error", (error) => resolve({ code: 1, output: `${name}: ${error.message}` }))
    child.on("exit", (code) => resolve({ code: code ?? 1, output }))
  })
