import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, it } from "vitest"

const root = fileURLToPath(new URL("../../", import.meta.url))

it("a floating effect fails the check", async () => {
  const run = promisify(execFile)(
    `${root}node_modules/.bin/effect-tsgo`,
    ["diagnostics", "--project", `${root}test/tidy/fixtures/tsconfig.json`, "--format", "text"],
    { cwd: root, env: { ...process.env, PATH: `${root}node_modules/.bin:${process.env["PATH"]}` } }
  )
  const failure = await run.then(
    () => undefined,
    (error: { readonly stdout: string }) => error
  )
  assert.match(String(failure?.stdout), /floating\.ts\(5,3\): error effect\(floatingEffect\)/)
})
