/**
 * `npm run test:pack`: packs the packages, installs the tarballs into an empty
 * project, type-checks a small service there and runs it from `dist`.
 */
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))
const bin = join(root, "node_modules", ".bin")
const expected = "fresh 3, substituted 0, 0"

const run = (cwd: string, command: string, args: ReadonlyArray<string>): string =>
  execFileSync(command, [...args], {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, PATH: `${bin}:${process.env["PATH"]}`, NODE_OPTIONS: "" }
  })

const project = mkdtempSync(join(tmpdir(), "failsoft-pack-"))
try {
  run(root, join(bin, "tsc"), ["-b", "tsconfig.build.json"])
  const tarballs = ["core", "http"].map((name) => {
    const printed = run(join(root, "packages", name), "npm", [
      "pack",
      "--json",
      "--loglevel=error",
      "--pack-destination",
      project
    ])
    const packed: unknown = JSON.parse(printed)
    const [entry] = Array.isArray(packed) ? packed : Object.values(Object(packed))
    return join(project, String(entry.filename))
  })
  console.log(`packed ${tarballs.length} packages`)

  const consumer = join(project, "consumer")
  mkdirSync(consumer)
  cpSync(join(root, "test", "pack", "consumer"), consumer, { recursive: true })
  writeFileSync(join(consumer, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }))
  run(consumer, "npm", [
    "install",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
    ...tarballs,
    "effect@4.1.0",
    "@effect/platform-node@4.1.0",
    "@types/node@24.10.1"
  ])
  console.log("installed into an empty project")
  run(consumer, join(bin, "tsc"), ["-p", "tsconfig.json"])
  console.log("type-checks")
  const said = run(consumer, join(bin, "node"), ["service.ts"]).trim()
  if (said !== expected) throw new Error(`the service said '${said}', not '${expected}'`)
  console.log(`runs: ${said}`)
} finally {
  rmSync(project, { recursive: true, force: true })
}
