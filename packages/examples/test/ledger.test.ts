import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Schema from "effect/Schema"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Ledger from "../src/downstreams/ledger.ts"

const Line = Schema.Struct({ key: Schema.String, amount: Schema.Int })
let folder = ""
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "failsoft-ledger-"))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const file = () => join(folder, "charges.jsonl")
const open = () => Ledger.open(Line, folder, "charges")
const first = { key: "käse", amount: 1 }
const second = { key: "b", amount: 2 }

describe("a ledger", () => {
  it("holds after a restart what it took before", () => {
    const before = open()
    before.append(first)
    before.append(second)
    assert.deepEqual(open().lines, [first, second])
  })

  it("drops a line that a crash cut off, at any byte, and goes on behind the last whole one", () => {
    open().append(first)
    const whole = readFileSync(file())
    const cut = Buffer.from(JSON.stringify(second))
    for (let bytes = 1; bytes <= cut.length; bytes++) {
      writeFileSync(file(), Buffer.concat([whole, cut.subarray(0, bytes)]))
      const again = open()
      assert.deepEqual(again.lines, [first], `cut after ${bytes} bytes`)
      again.append(second)
      assert.deepEqual(open().lines, [first, second])
    }
  })

  it("names the line that is damaged, instead of losing or inventing money", () => {
    open().append(first)
    for (const damaged of ["{", '{"key":"c","amount":"much"}']) {
      writeFileSync(file(), `${JSON.stringify(first)}\n`)
      appendFileSync(file(), `${damaged}\n`)
      assert.throws(open, `line 2 of ${file()} is damaged: mend it, or remove the file`)
    }
  })

  it("keeps nothing of a line that could not be written", () => {
    const ledger = open()
    ledger.append(first)
    rmSync(folder, { recursive: true })
    assert.throws(() => ledger.append(second), "ENOENT")
    assert.deepEqual(ledger.lines, [first])
  })

  it("lives in memory without a folder", () => {
    const ledger = Ledger.open(Line, undefined, "charges")
    ledger.append(first)
    assert.deepEqual(ledger.lines, [first])
  })
})
