import { assert, describe, it } from "@effect/vitest"
import type { Downstream } from "@failsoft/core"
import { Degraded, Health, IdempotencyKey, Problem } from "@failsoft/http"
import { quoted } from "../src/internal/structuredField.ts"

describe("an idempotency key", () => {
  it("is a quoted string, or a bare one", () => {
    assert.strictEqual(IdempotencyKey.parse('"8e03-978e"'), "8e03-978e")
    assert.strictEqual(IdempotencyKey.parse('"a \\"b\\" \\\\"'), 'a "b" \\')
    assert.strictEqual(IdempotencyKey.parse("bare"), "bare")
  })

  it("is refused with what was expected", () => {
    for (const header of [undefined, "", '""', '"', '"a', 'a"b', `"${"x".repeat(256)}"`]) {
      assert.instanceOf(IdempotencyKey.parse(header), Problem.Problem, String(header))
    }
  })
})

describe("a key on the wire", () => {
  it("is never the same for two different keys", () => {
    const keys = ["Bestellung-ä", "Bestellung-ö", "Bestellung-%00e4", "Bestellung-?", "\ud800", "\ud801", "😀"]
    const sent = keys.map(quoted)
    assert.strictEqual(new Set(sent).size, keys.length)
    for (const header of sent) assert.match(header, /^"[\x20-\x7e]*"$/)
    assert.strictEqual(quoted("8e03-978e"), '"8e03-978e"')
  })
})

describe("a degradation", () => {
  it("names a downstream once, with its worst answer", () => {
    const facts = Degraded.fromJournal([
      { downstream: "a", method: "x", quality: "stale", reason: "TIMEOUT", ageMillis: 1 },
      { downstream: "a", method: "y", quality: "omitted", reason: "CIRCUIT_OPEN" },
      { downstream: "a", method: "z", quality: "stale", reason: "TIMEOUT", ageMillis: 5000 }
    ])
    assert.deepEqual(facts, [{ downstream: "a", quality: "omitted", reason: "circuit-open" }])
  })

  it("keeps the form of a structured field, whatever a downstream is called", () => {
    const header = Degraded.header([{ downstream: "9 lives, ü", quality: "stale", reason: "a;b", age: 0 }])
    assert.strictEqual(header, "x9-lives---;quality=stale;age=0;reason=a-b")
  })
})

const described = (criticality: "essential" | "optional", lastBadAt?: number): Downstream.Description => ({
  name: criticality,
  info: { criticality, owner: "o", slo: { objective: 0.9, window: "1 day" }, budget: "1 second", docs: "d" },
  methods: [
    {
      name: "get",
      idempotency: "safe",
      onOutage: "fail",
      policies: [],
      worstLatencyMillis: 1000,
      worstLoad: 1,
      worstExtraPerSecond: 0,
      warnings: [],
      nestedRetries: 0,
      fallback: [],
      observed: { lastGoodAt: 10, ...(lastBadAt === undefined ? {} : { lastBadAt, lastReason: "TIMEOUT" }) }
    }
  ]
})

describe("a health document", () => {
  it("passes, warns for an optional downstream and fails for an essential one", () => {
    const status = (...checks: ReadonlyArray<Health.Check>) => Health.document("s", checks, 100).status
    assert.strictEqual(status({ description: described("essential") }), "pass")
    assert.strictEqual(
      status({ description: described("optional", 20) }, { description: described("essential") }),
      "warn"
    )
    assert.strictEqual(
      status({ description: described("optional", 20) }, { description: described("essential", 20) }),
      "fail"
    )
    assert.strictEqual(status({ description: described("essential", 20), impact: "warn" }), "warn")
  })

  it("says what fails, since when, and which endpoints it touches", () => {
    const { checks } = Health.document(
      "s",
      [{ description: described("optional", 20), affectedEndpoints: ["GET /x"] }],
      100
    )
    assert.deepEqual(checks["optional:availability"], [
      {
        componentType: "component",
        status: "warn",
        observedValue: "failing",
        time: "1970-01-01T00:00:00.020Z",
        output: "get: TIMEOUT",
        affectedEndpoints: ["GET /x"]
      }
    ])
  })
})
