/** A real restart: one process fills the durable level and is killed, another one answers in an outage. */
import { execFile } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, describe, it } from "vitest"

const folder = mkdtempSync(join(tmpdir(), "failsoft-cache-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const program = fileURLToPath(new URL("./cacheProcess.ts", import.meta.url))

/** Runs the process to its end: how it ended, and what it printed. */
const run = (does: string) =>
  new Promise<{ readonly signal: string | undefined; readonly lines: ReadonlyArray<string> }>((resolve) => {
    execFile(process.execPath, ["--conditions=@failsoft/source", program, folder, does], (error, stdout) =>
      resolve({ signal: error?.signal ?? undefined, lines: stdout.split("\n").filter((line) => line !== "") })
    )
  })

describe("a durable cache over files", () => {
  it("answers after a kill, in the middle of an outage; a torn file costs its own answer only", async () => {
    const filled = await run("fill")
    assert.strictEqual(filled.signal, "SIGKILL")
    assert.strictEqual(filled.lines[0], "fresh Thing sku-0/€ ")
    assert.lengthOf(readdirSync(folder), 10)

    const after = await run("outage")
    assert.isUndefined(after.signal)
    assert.deepEqual(
      after.lines,
      filled.lines.map((line) => line.replace("fresh", "stale"))
    )

    const torn = readdirSync(folder)[3] ?? ""
    writeFileSync(join(folder, torn), readFileSync(join(folder, torn), "utf8").slice(0, 30))
    const last = await run("outage")
    assert.lengthOf(
      last.lines.filter((line) => line.startsWith("stale Thing")),
      9
    )
    assert.include(last.lines, "TRANSIENT_FAILURE")
    assert.lengthOf(readdirSync(folder), 9)
  }, 60_000)
})
