import { execFileSync } from "node:child_process"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import * as Host from "../Host.ts"

/** Cases of one campaign; more are a folder that nobody tidies. */
const casesMax = 1000

const slug = (name: string) => name.replace(/[^\w-]+/g, "-")

const reading = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

const shown = (path: string) => relative(process.cwd(), path)

/** The command that runs this test again, as far as it can be known. */
const command = (): string => {
  const [, script = ""] = process.argv
  return process.env["VITEST"] === undefined ? `node ${shown(script)}` : "npx vitest run"
}

const commit = (folder: string): string | undefined =>
  reading(() =>
    execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"]
    }).trim()
  )

/**
 * Keeps cases in `__sim__/<name>` under a folder, which is mostly
 * `import.meta.dirname` of the test. Commit them: they run first from then on.
 *
 * @category hosts
 * @since 0.1.0
 */
export const host = (folder: string): Host.Host => {
  const folderOf = (name: string) => join(folder, "__sim__", slug(name))
  return {
    ...Host.none,
    progress: (line) => {
      // On a terminal each line takes the place of the one before; elsewhere only the end is told.
      if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`)
    },
    cases: (name) => {
      const of = folderOf(name)
      const files = reading(() => readdirSync(of)) ?? []
      return files
        .filter((file) => file.endsWith(".json"))
        .sort()
        .slice(0, casesMax)
        .map((file) => ({ file: shown(join(of, file)), text: readFileSync(join(of, file), "utf8") }))
    },
    read: (file) => reading(() => readFileSync(file, "utf8")),
    keep: (name, file, text) => {
      const of = folderOf(name)
      mkdirSync(of, { recursive: true })
      writeFileSync(join(of, file), text)
      return shown(join(of, file))
    },
    facts: () => {
      const of = commit(folder)
      return { Node: process.version, ...(of === undefined ? {} : { commit: of }) }
    },
    command: command()
  }
}
