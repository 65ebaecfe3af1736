/** The files that the rules look at, as git knows them. */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** A file with its path from the root. */
export interface File {
  readonly path: string
  readonly text: string
}

const root = fileURLToPath(new URL("../../", import.meta.url))

/** All tracked and new files whose path matches. */
export const files = (pattern: RegExp): ReadonlyArray<File> =>
  execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" })
    .split("\n")
    .filter((path) => pattern.test(path) && existsSync(root + path))
    .map((path) => ({ path, text: readFileSync(root + path, "utf8") }))

/** The code without its comments, so that a rule does not trip over prose; line numbers stay. */
export const codeOf = (text: string): string =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " "))
    .replace(/(^|[^:"'`])\/\/.*$/gm, (_, before: string) => before)

/** Each match as `path:line: sentence`. */
export const findings = (file: File, pattern: RegExp, sentence: (match: string) => string): ReadonlyArray<string> =>
  [...codeOf(file.text).matchAll(pattern)].map((match) => {
    const line = file.text.slice(0, match.index).split("\n").length
    return `${file.path}:${line}: ${sentence(match[0].trim())}`
  })
