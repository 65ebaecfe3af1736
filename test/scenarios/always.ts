/** What holds for every response, whatever is broken. */
import { assert } from "vitest"
import type { Seen } from "./storefront.ts"

/** The request's deadline of 2 s, plus what the storefront may take to say so. */
const answerMillis = 2000 + 100
/** What a loaded test machine adds on the way there and back. */
const clientMillis = 400

const parseDegradation = (header: string) =>
  header.split(", ").map((member) => {
    const [downstream, ...parameters] = member.split(";")
    const entry: Record<string, unknown> = { downstream }
    for (const parameter of parameters) {
      const [name = "", value = ""] = parameter.split("=")
      entry[name] = name === "age" ? Number(value) : value
    }
    return entry
  })

/** Checks the "always" list on one response of a storefront of which one second takes `times` seconds. */
export const checkAlways = (seen: Seen, times = 1): void => {
  const story = `${seen.status} ${JSON.stringify(seen.body)}`
  assert.isBelow(seen.millis, answerMillis * times + clientMillis, `too late: ${story}`)

  const header = seen.headers.get("degradation")
  const meta = seen.body["meta"]
  const whole = seen.status >= 200 && seen.status < 300 && ("product" in seen.body || "total" in seen.body)
  assert.isFalse(whole && meta === undefined, `a page or an order without meta: ${story}`)
  if ("product" in seen.body) {
    const named = header === null ? [] : parseDegradation(header).map(({ downstream }) => downstream)
    assert.strictEqual(seen.body["availability"] === "unknown", named.includes("inventory"), story)
    assert.isNotEmpty(seen.body["recommendations"], story)
  }
  if (meta !== undefined) {
    assert.deepEqual(
      { degraded: header === null ? [] : parseDegradation(header) },
      meta,
      "the Degradation header and meta.degraded state the same facts"
    )
  }
  if (seen.status >= 400 && !String(seen.headers.get("content-type")).startsWith("application/health+json")) {
    assert.strictEqual(seen.headers.get("content-type"), "application/problem+json", story)
    assert.isBoolean(seen.body["retryable"], story)
    assert.match(String(seen.body["reason"]), /^[A-Z][A-Z_]+$/, story)
  }
  if (seen.status === 503 || seen.status === 202) {
    assert.match(String(seen.headers.get("retry-after")), /^\d+$/, `Retry-After on ${story}`)
  }
  for (const entry of header === null ? [] : parseDegradation(header)) {
    // Nothing that a test has seen fresh can be older than the test itself.
    if (entry["quality"] === "stale") assert.isAtMost(Number(entry["age"]), performance.now() / 1000 + 1, story)
  }
}
