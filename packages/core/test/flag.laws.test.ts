/** What a split of keys promises, over 10,000 of them; each promise kills a way in which people break it. */
import { Flag } from "@failsoft/core"
import { assert, describe, it } from "vitest"

const count = 10_000
const keys = Array.from({ length: count }, (_, nth) => `customer-${nth}`)
const shares = [0, 0.5, 1, 5, 10, 25, 50, 75, 99, 100]

/** Whether a key is on, with this percentage, of the flag of this name. */
type Split = (name: string, percent: number) => (key: string) => boolean

const real: Split = (name, percent) => {
  const { changed, evaluate } = Flag.percentage(name).make({ percent })
  changed()
  return evaluate
}

type Law<T> = (of: T) => string | undefined

/** A process that starts later, with the same share, sees the same side for each key; asking changes nothing. */
const sticky: Law<Split> = (split) => {
  const [one, other] = [split("ranking", 10), split("ranking", 10)]
  const first = keys.map((key) => one(key))
  const moved = keys.find((key, nth) => one(key) !== first[nth] || other(key) !== first[nth])
  return moved && `${moved} changed its side`
}

/** What a key is today it is for ever: these are as MurmurHash3 of another implementation has them, over UTF-16LE. */
const fixed: Law<Split> = (split) => {
  const on = keys.slice(0, 60).flatMap((key, nth) => (split("ranking", 10)(key) ? [nth] : []))
  return on.join() === "7,11,16,32,39" ? undefined : `at 10 % these were on: ${on.join()}`
}

/** Nobody who was in goes out where the share grows. */
const monotone: Law<Split> = (split) => {
  for (const [nth, less] of shares.slice(0, -1).entries()) {
    const more = shares[nth + 1] ?? 100
    const [before, after] = [split("ranking", less), split("ranking", more)]
    const back = keys.find((key) => before(key) && !after(key))
    if (back !== undefined) return `${back} was on at ${less} % and off at ${more} %`
  }
  return undefined
}

/** Four and a half standard deviations of a binomial: once in 150,000 splits by chance, and computed once. */
const bound = (expected: number) => 4.5 * Math.sqrt(count * expected * (1 - expected))

const off = (seen: number, expected: number): boolean => Math.abs(seen - count * expected) > bound(expected)

/** As many as the share says, for keys that differ in one digit, and for names that differ in one. */
const asManyAsSaid: Law<Split> = (split) => {
  for (const name of ["ranking", "ranking2", "a"]) {
    for (const percent of shares) {
      const seen = keys.filter(split(name, percent)).length
      if (off(seen, percent / 100)) return `${name} at ${percent} %: ${seen} of ${count}`
    }
  }
  return undefined
}

/** Who is early with one flag is not early with the next. */
const independent: Law<Split> = (split) => {
  const [one, other] = [split("ranking", 50), split("checkout", 50)]
  const both = keys.filter((key) => one(key) && other(key)).length
  return off(both, 0.25) ? `${both} of ${count} were on with both` : undefined
}

const laws = { sticky, fixed, monotone, asManyAsSaid, independent }

/** A hash that people really use: the last digits hardly move it. */
const weak = (text: string) => [...text].reduce((sum, of) => (sum * 31 + of.charCodeAt(0)) % 1_000_003, 7) / 1_000_003

let drawn = 1
const random = () => {
  drawn = (drawn * 48_271) % 2_147_483_647
  return drawn / 2_147_483_647
}

const planted: Readonly<Record<keyof typeof laws, Readonly<Record<string, Split>>>> = {
  sticky: {
    "a draw for each request": (_, percent) => () => random() < percent / 100,
    "a seed for each process": (name, percent) => {
      const of = real(`${name}-${random()}`, percent)
      return (key) => of(key)
    }
  },
  fixed: {
    "another hash": (name, percent) => (key) => real(name, percent)(`${key} `)
  },
  monotone: {
    "the share is part of the seed": (name, percent) => real(`${name} ${percent}`, percent),
    "the share counts from the other end above half": (name, percent) => {
      const inverse = real(name, 100 - percent)
      return percent > 50 ? (key) => !inverse(key) : real(name, percent)
    },
    "a block in the place of a sum": (name, percent) => (key) =>
      Math.floor(weak(name + key) * 1000) % Math.max(1, Math.round(100 / percent)) === 0
  },
  asManyAsSaid: {
    "one bucket too many of a hundred": (name, percent) => (key) => real(name, Math.min(100, percent + 1))(key),
    "whole percents only": (name, percent) => real(name, Math.floor(percent)),
    "a weak hash": (name, percent) => (key) => weak(name + key) < percent / 100
  },
  independent: {
    "the name is not in the seed": (_, percent) => real("one for all", percent)
  }
}

describe("the laws of a share", () => {
  for (const [name, law] of Object.entries(laws)) {
    it(`${name}: it holds`, () => {
      assert.isUndefined(law(real))
    })
  }
  for (const [name, law] of Object.entries(laws)) {
    for (const [bug, split] of Object.entries(planted[name as keyof typeof laws])) {
      it(`${name}: it finds ${bug}`, () => {
        assert.isString(law(split))
      })
    }
  }
})

type Weights = Readonly<Record<"a" | "b" | "c", number>>

/** Which variant a key has, with these weights. */
type Choice = (weights: Weights) => (key: string) => string

const chosen: Choice = (weights) => {
  const { changed, evaluate } = Flag.variant("checkout", { weights }).make(weights)
  changed()
  return evaluate
}

/** As many as the weights say. */
const byWeight: Law<Choice> = (choice) => {
  const weights = { a: 60, b: 30, c: 10 }
  const of = keys.map(choice(weights))
  for (const [variant, weight] of Object.entries(weights)) {
    const seen = of.filter((one) => one === variant).length
    if (off(seen, weight / 100)) return `${variant}: ${seen} of ${count}`
  }
  return undefined
}

/** Where one weight grows, keys come to it and move nowhere else. */
const onlyToTheGrown: Law<Choice> = (choice) => {
  for (const [from, to, grown] of [
    [{ a: 60, b: 30, c: 10 }, { a: 60, b: 50, c: 10 }, "b"],
    [{ a: 100, b: 0, c: 0 }, { a: 100, b: 1, c: 0 }, "b"],
    [{ a: 60, b: 30, c: 10 }, { a: 60, b: 30, c: 40 }, "c"],
    [{ a: 10, b: 30, c: 10 }, { a: 40, b: 30, c: 10 }, "a"]
  ] as const) {
    const [before, after] = [choice(from), choice(to)]
    const moved = keys.filter((key) => before(key) !== after(key))
    if (moved.length === 0) return `${grown} has grown and nobody came`
    const wrong = moved.find((key) => after(key) !== grown)
    if (wrong !== undefined) return `${wrong} moved from ${before(wrong)} to ${after(wrong)} as ${grown} grew`
  }
  return undefined
}

describe("the laws of variants", () => {
  it("by weight, and only to the one that has grown", () => {
    assert.isUndefined(byWeight(chosen))
    assert.isUndefined(onlyToTheGrown(chosen))
  })

  it("they find what people write", () => {
    // One interval after another: where one in the middle grows, the next is pushed on.
    const intervals: Choice = (weights) => (key) => {
      const { a, b, c } = weights
      const at = ((weak(key) * 7919) % 1) * (a + b + c)
      return at < a ? "a" : at < a + b ? "b" : "c"
    }
    assert.include(String(onlyToTheGrown(intervals)), "moved from")
    // Each variant draws by itself and the largest product wins: not in proportion to the weights.
    const products: Choice = (weights) => (key) =>
      Object.entries(weights)
        .map(([of, weight]) => ({ of, score: weight * weak(key + of) }))
        .reduce((a, b) => (b.score > a.score ? b : a)).of
    assert.isString(byWeight(products))
  })
})
