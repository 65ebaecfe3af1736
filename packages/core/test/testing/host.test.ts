import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Case, Simulation, Traffic } from "@failsoft/core/testing"
import { host } from "@failsoft/core/testing/node"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { afterAll, assert, describe, it } from "vitest"
import { shop } from "./shop.ts"

const folder = mkdtempSync(join(tmpdir(), "failsoft-sim-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let broken = true
const options = {
  ...shop,
  host: host(folder),
  traffic: [Traffic.make("page", ({ nth }) => (broken && nth === 3 ? Effect.die("boom") : Effect.void))],
  runs: 1,
  matrix: false
}

const told = () => {
  try {
    return `fine after ${Simulation.test(options).runs} runs`
  } catch (error) {
    return error instanceof Simulation.PromiseBroken ? error.message : String(error)
  }
}

describe("a campaign with a folder", () => {
  const cases = join(folder, "__sim__", "shop")

  it("keeps what it found, with a page and a line that replays it", () => {
    const story = told()
    assert.include(story, "no request ends with a defect")
    const files = readdirSync(cases)
    assert.lengthOf(files, 2)
    const [json = "", html = ""] = files.toSorted((a, b) => b.localeCompare(a)).map((file) => join(cases, file))
    assert.include(story, `SIM_REPLAY=`)
    const record = Schema.decodeUnknownSync(Schema.fromJsonString(Case.Case))(readFileSync(json, "utf8"))
    assert.deepEqual(
      record.requests.map(({ id }) => id),
      [3]
    )
    const page = readFileSync(html, "utf8")
    assert.include(page, "boom")
    assert.notMatch(page, /(src|href)=/, "it needs no other file")
  })

  it("runs it first the next time", () => {
    assert.include(told(), "the case that was kept still breaks it")
  })

  it("goes on once it is mended, and says that its trace has changed", () => {
    broken = false
    const outcome = Simulation.test(options)
    assert.isAbove(outcome.runs, 1)
    assert.lengthOf(outcome.notes, 1)
    assert.include(outcome.notes[0], "the trace has changed")
  })

  it("says which file is no case", () => {
    writeFileSync(join(cases, "a.json"), "{}")
    assert.include(Simulation.test(options).notes.join(), "a.json is not a case")
  })
})
