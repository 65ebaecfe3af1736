// Installs the packages of the lockfile once; a second call finds the stamp and
// returns at once.
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const waitMillis = 300

const sleep = (millis) => new Promise((resolve) => setTimeout(resolve, millis))

/** Brings node_modules in line with the lockfile. */
export const setUp = async (root) => {
  const wanted = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex")
  const stamp = join(root, "node_modules", ".failsoft-setup")
  const ready = () => existsSync(stamp) && readFileSync(stamp, "utf8") === wanted
  if (ready()) return
  // A second command that starts meanwhile waits, rather than installing into the same folder.
  const lock = join(root, ".setup-lock")
  await take(lock)
  try {
    if (ready()) return
    console.log("Setting up (npm install), once: about half a minute…")
    await install(root)
    writeFileSync(stamp, wanted)
  } finally {
    rmSync(lock, { recursive: true, force: true })
  }
}

const take = async (lock) => {
  for (let waited = 0; ; waited++) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" })
      return
    } catch (error) {
      if (error.code !== "EEXIST") {
        throw new Error(
          `Failsoft cannot write to its own folder (${error.code}); clone it to a place where you may write.`
        )
      }
      if (!isHeld(lock)) {
        // Whoever set up was interrupted; what it left is taken over.
        rmSync(lock, { recursive: true, force: true })
        continue
      }
      if (waited === 0) console.log("Another command is setting up; waiting for it…")
      await sleep(waitMillis)
    }
  }
}

/** Whether the process that wrote the lock still lives. */
const isHeld = (lock) => {
  try {
    const text = readFileSync(lock, "utf8")
    // It was made a moment ago and its owner has not written yet.
    if (text === "" && Date.now() - statSync(lock).mtimeMs < 2000) return true
    const pid = Number(text)
    if (!(pid > 0)) return false
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === "EPERM"
  }
}

const install = (root) =>
  new Promise((resolve, reject) => {
    const npm = process.env.npm_execpath
    // Not `npm ci`: it refuses a lockfile that lacks the optional packages of another
    // platform, and a registry mirror may not offer all platforms. `--no-save` keeps
    // to the lockfile and leaves it as it is.
    const flags = ["install", "--no-save", "--loglevel=error", "--no-audit", "--no-fund"]
    // Called through npm, the same npm is used again; else the one on the path.
    const child = npm
      ? spawn(process.execPath, [npm, ...flags], { cwd: root, stdio: ["ignore", "pipe", "pipe"] })
      : spawn("npm", flags, { cwd: root, stdio: ["ignore", "pipe", "pipe"], shell: process.platform === "win32" })
    let output = ""
    const keep = (chunk) => {
      output = (output + chunk).slice(-4000)
    }
    child.stdout.on("data", keep)
    child.stderr.on("data", keep)
    child.on("error", () => reject(new Error("Failsoft needs npm to install its packages; install Node.js with npm.")))
    child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${output}\n${advice(output)}`))))
  })

const advice = (output) => {
  if (/ENOSPC/.test(output)) return "The disk is full: free about 500 MB and run the command again."
  if (/ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET/.test(output)) {
    return "The npm registry could not be reached: check the network (or `npm config get registry`) and run the command again."
  }
  return "The packages could not be installed (npm install failed, see above); mend that and run the command again."
}
