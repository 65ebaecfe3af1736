import { assert, describe, it } from "@effect/vitest"
import { Quantiles, relativeError } from "../src/internal/quantiles.ts"
import { exponential, logNormal, randomFrom } from "./queueing.ts"

const shares = [0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1]

const distributions: Readonly<Record<string, (random: () => number) => number>> = {
  constant: () => 37,
  uniform: (random) => 1 + 999 * random(),
  exponential: (random) => 1 + exponential(random, 50),
  "heavy-tailed": (random) => 0.5 + logNormal(random, 30, 1.5),
  "of two kinds": (random) => (random() < 0.9 ? 5 + random() : 900 + 100 * random()),
  "whole milliseconds": (random) => 1 + Math.floor(exponential(random, 4))
}

/** The same rank as the sketch's, of the numbers themselves. */
const exact = (values: ReadonlyArray<number>, share: number) =>
  values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))] ?? Number.NaN

describe("quantiles", () => {
  it.each(Object.keys(distributions))("are within 2 %% of the exact ones: %s", (name) => {
    const draw = distributions[name] ?? (() => Number.NaN)
    for (let seed = 1; seed <= 10; seed++) {
      const random = randomFrom(seed)
      const values = Array.from({ length: 1 + Math.floor(random() * 3000) }, () => draw(random))
      const sketch = new Quantiles(() => 60_000)
      for (const value of values) sketch.record(0, value)
      for (const share of shares) {
        const found = sketch.quantile(0, share) ?? Number.NaN
        const truth = exact(values, share)
        assert.isAtMost(Math.abs(found - truth) / truth, relativeError + 1e-9, `seed ${seed}, ${share} of ${truth}`)
      }
      assert.strictEqual(sketch.count(0), values.length)
    }
  })

  it("never fall as the share grows", () => {
    const random = randomFrom(7)
    const sketch = new Quantiles(() => 60_000)
    for (let i = 0; i < 500; i++) sketch.record(0, logNormal(random, 20, 2))
    const found = Array.from({ length: 101 }, (_, nth) => sketch.quantile(0, nth / 100) ?? Number.NaN)
    for (const [nth, value] of found.entries()) assert.isAtLeast(value, found[nth - 1] ?? 0)
  })

  it("take what is too short for 0 and what is too long for an hour, and nothing else", () => {
    const sketch = new Quantiles(() => 60_000)
    assert.isUndefined(sketch.quantile(0, 0.5))
    for (const odd of [0, -5, Number.NaN, 0.4]) {
      sketch.record(0, odd)
      assert.strictEqual(sketch.quantile(0, 1), 0)
    }
    sketch.record(0, Number.POSITIVE_INFINITY)
    assert.approximately(sketch.quantile(0, 1) ?? 0, 3_600_000, 3_600_000 * relativeError)
  })

  it("remember half of the window at least, and nothing for longer than it", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = randomFrom(seed)
      const windowMillis = 1000
      const sketch = new Quantiles(() => windowMillis)
      const written: Array<number> = []
      for (let now = 0; now < 10_000; now += Math.floor(random() * 300)) {
        sketch.record(now, 10)
        written.push(now)
        const count = sketch.count(now)
        assert.isAtLeast(count, written.filter((at) => now - at < windowMillis / 2).length, `seed ${seed} at ${now}`)
        assert.isAtMost(count, written.filter((at) => now - at < windowMillis).length, `seed ${seed} at ${now}`)
      }
      assert.strictEqual(sketch.count(12_000), 0)
    }
  })

  it("go on when the clock is set back", () => {
    const sketch = new Quantiles(() => 1000)
    sketch.record(10_000, 5)
    sketch.record(100, 5)
    assert.strictEqual(sketch.count(100), 2)
    assert.strictEqual(sketch.count(1100), 0)
  })
})
