/** The ```ts fences of the pages and of the module headers, as files that can be compiled and run. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { files } from "../tidy/files.ts"

/** Where the snippets are written; git ignores it. */
export const folder = fileURLToPath(new URL("./generated/", import.meta.url))

/** One snippet: the file it was written to, where it stands, and whether it is run as well. */
export interface Snippet {
  readonly file: string
  readonly from: string
  readonly runs: boolean
}

const fences = (text: string) =>
  [...text.matchAll(/^```ts( no-run)?\n([\s\S]*?)^```$/gm)].map((match) => ({
    runs: match[1] === undefined,
    code: match[2] ?? "",
    line: text.slice(0, match.index).split("\n").length
  }))

/** A module header without the comment's stars. */
const header = (text: string) => (/^\/\*\*\n([\s\S]*?)\*\//.exec(text)?.[1] ?? "").replace(/^ \* ?/gm, "")

/** Writes all snippets, each a module of its own. */
export const write = (): ReadonlyArray<Snippet> => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    `${folder}tsconfig.json`,
    JSON.stringify({
      extends: "../../../tsconfig.json",
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ["./"],
      exclude: []
    })
  )
  const pages = files(/^(README\.md|docs\/.*\.md)$/).map(({ path, text }) => ({ path, text }))
  const headers = files(/^packages\/(core|http)\/src\/(testing\/)?[A-Z]\w*\.ts$/).map(({ path, text }) => ({
    path,
    text: header(text)
  }))
  return [...pages, ...headers].flatMap(({ path, text }) =>
    fences(text).map(({ code, runs, line }, nth) => {
      const file = `${path.replace(/[^\w]+/g, "-")}-${nth}.ts`
      writeFileSync(folder + file, `${code}\nexport {}\n`)
      return { file, from: `${path}:${line}`, runs }
    })
  )
}
