import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "vitest"
import { folder, write } from "./snippets.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))
const run = promisify(execFile)
const snippets = write()

const output = (command: string, args: ReadonlyArray<string>) =>
  run(command, [...args], { cwd: root }).then(
    ({ stdout }) => ({ ok: true, text: stdout }),
    (error: { readonly stdout: string; readonly stderr: string }) => ({ ok: false, text: error.stdout + error.stderr })
  )

describe("the snippets of the pages and module headers", () => {
  it("there are some", () => {
    assert.isAbove(snippets.length, 20)
  })

  it("compile", async () => {
    const { ok, text } = await output(`${root}node_modules/.bin/tsc`, ["-p", folder])
    assert.isTrue(ok, `${text}\n${snippets.map(({ file, from }) => `${file} is ${from}`).join("\n")}`)
  })

  it("run", async () => {
    const run = fileURLToPath(new URL("./run.ts", import.meta.url))
    const { ok, text } = await output(process.execPath, [
      "--conditions=@failsoft/source",
      run,
      ...snippets.filter(({ runs }) => runs).map(({ file }) => folder + file)
    ])
    assert.isTrue(ok, text)
  })
})
