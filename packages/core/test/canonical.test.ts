import { assert, describe, it } from "vitest"
import { canonical } from "../src/internal/canonical.ts"
import { draw } from "../src/testing/Draw.ts"

/** The plain way: JSON's own writer with a replacer that sorts. */
const plain = (value: unknown): string =>
  JSON.stringify(value, (_key, of: unknown) =>
    typeof of === "object" && of !== null && !Array.isArray(of)
      ? Object.fromEntries(Object.entries(of).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : of
  ) ?? "undefined"

const reversed = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, of]) => [name, reversed(of)])
  )
}

const names = ["a", "b", "key", "", "é", 'q"uote', "__proto__", "length"]
const leaves = [0, -0, 1.5, -7, 1e21, Number.NaN, Infinity, "", "a", 'a"b\n', "\ud800", true, false, null]
/** What JSON has no word for, or words of its own. */
const odd = [undefined, Symbol.iterator, () => 1, new Date(0), { toJSON: () => ({ b: 1, a: 2 }) }]

/** A value of the seed: nested arrays and objects, a third of the leaves odd where wanted. */
const valueOf = (seed: number, withOdd: boolean): unknown => {
  let nth = 0
  const below = (count: number) => Math.floor(draw(seed, nth++, "value") * count)
  const pick = <A>(of: ReadonlyArray<A>) => of[below(of.length)]
  const grown = (depth: number): unknown => {
    const kind = below(depth === 0 ? 3 : 6)
    if (kind === 0 && withOdd) return pick(odd)
    if (kind < 3) return pick(leaves)
    if (kind === 3) return Array.from({ length: below(4) }, () => grown(depth - 1))
    return Object.fromEntries(Array.from({ length: below(5) }, () => [pick(names), grown(depth - 1)]))
  }
  return grown(4)
}

const seeds = Array.from({ length: 3000 }, (_, seed) => seed)

describe("canonical", () => {
  it("is what JSON writes with its keys sorted", () => {
    const texts = new Set<string>()
    for (const seed of seeds) {
      const value = valueOf(seed, true)
      texts.add(canonical(value))
      assert.strictEqual(canonical(value), plain(value), `seed ${seed}`)
    }
    assert.isAbove(texts.size, 1000, "the values differ")
  })

  it("is the same whatever the order of the keys", () => {
    for (const seed of seeds) {
      const value = valueOf(seed, false)
      assert.strictEqual(canonical(reversed(value)), canonical(value), `seed ${seed}`)
    }
  })

  it("tells apart what JSON tells apart", () => {
    const texts = [{ a: "1" }, { a: 1 }, { a: null }, {}, { a: [] }, { a: {} }, { b: 1 }, ["a"], "a", 'a"', null].map(
      canonical
    )
    assert.strictEqual(new Set(texts).size, texts.length)
  })

  it("takes data of the name toJSON for data", () => {
    assert.strictEqual(canonical({ toJSON: 1, a: 2 }), '{"a":2,"toJSON":1}')
  })

  it("refuses what JSON refuses", () => {
    assert.throws(() => canonical({ a: 1n }), /BigInt/)
  })
})
