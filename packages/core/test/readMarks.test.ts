/** The bounds of what is remembered of sessions, against a list. */
import { assert, describe, it } from "@effect/vitest"
import { ReadMarks } from "@failsoft/core"
import { mayFollow } from "../src/internal/readMark.ts"
import { choices, search } from "./history.ts"

/** What was read at one moment. */
const at = (asOf: number): ReadMarks.Mark => ({ begunAt: asOf, cameAt: asOf })

interface Raise {
  readonly session: string
  readonly key: string
  readonly asOf: number
}

const sessions = ["s1", "s2", "s3"] as const
const keys = ["a", "b", "c", "d"] as const
const bounds = { sessionsMax: 2, keysMax: 3 }

/** Everything that was shown, the oldest first; who was shown something longest ago has gone. */
const remembered = (past: ReadonlyArray<Raise>, session: string, key: string): number | undefined => {
  let known: ReadonlyArray<{ readonly session: string; readonly marks: ReadonlyArray<Raise> }> = []
  for (const raise of past) {
    const before = known.find((of) => of.session === raise.session)?.marks ?? []
    const asOf = Math.max(raise.asOf, before.find((of) => of.key === raise.key)?.asOf ?? raise.asOf)
    const marks = [...before.filter((of) => of.key !== raise.key), { ...raise, asOf }].slice(-bounds.keysMax)
    known = [...known.filter((of) => of.session !== raise.session), { session: raise.session, marks }].slice(
      -bounds.sessionsMax
    )
  }
  return known.find((of) => of.session === session)?.marks.find((of) => of.key === key)?.asOf
}

type Bug = (marks: ReadMarks.ReadMarks) => ReadMarks.ReadMarks

const right: Bug = (marks) => marks

const differs =
  (bug: Bug, of: ReadMarks.Options = bounds) =>
  (history: ReadonlyArray<Raise>): string | undefined => {
    const marks = bug(ReadMarks.make(of))
    for (const { asOf, key, session } of history) marks.raise(session, key, at(asOf))
    for (const session of sessions) {
      for (const key of keys) {
        const got = marks.of(session, key)?.cameAt
        const expected = remembered(history, session, key)
        if (got !== expected) return `${session} ${key}: ${got}, in the list ${expected}`
      }
    }
    return marks.sessions() > bounds.sessionsMax ? `${marks.sessions()} sessions` : undefined
  }

const firstOf = (bug: Bug, of?: ReadMarks.Options) =>
  search(
    500,
    (choose) =>
      Array.from({ length: choose.between(1, 12) }, () => ({
        session: choose.pick(sessions),
        key: choose.pick(keys),
        asOf: choose.between(1, 9)
      })),
    differs(bug, of)
  )

describe("the marks of sessions", () => {
  it("are those of the list over 500 random histories", () => assert.isUndefined(firstOf(right)))

  const bugs: Readonly<Record<string, Bug>> = {
    "the latest answer is the mark, also where it is older": (marks) => {
      const own = new Map<string, ReadMarks.Mark>()
      return {
        ...marks,
        raise: (session, key, shown) => {
          marks.raise(session, key, shown)
          own.set(`${session} ${key}`, shown)
        },
        of: (session, key) => (marks.of(session, key) === undefined ? undefined : own.get(`${session} ${key}`))
      }
    },
    "who was first goes first, although he was there again": (marks) => {
      const seen = new Set<string>()
      return {
        ...marks,
        raise: (session, key, shown) => {
          if (
            seen.has(`${session} ${key}`) &&
            marks.of(session, key) !== undefined &&
            (marks.of(session, key)?.cameAt ?? 0) >= shown.cameAt
          )
            return
          seen.add(`${session} ${key}`)
          marks.raise(session, key, shown)
        }
      }
    }
  }
  it.each(Object.keys(bugs))("and the planted bug is found: %s", (name) =>
    assert.isDefined(firstOf(bugs[name] ?? right))
  )

  it.each([
    { ...bounds, sessionsMax: 3 },
    { ...bounds, sessionsMax: 1 },
    { ...bounds, keysMax: 4 },
    { ...bounds, keysMax: 2 }
  ])("and bounds that are off by one are found: %o", (of) => assert.isDefined(firstOf(right, of)))

  it("tell how many were forgotten", () => {
    const marks = ReadMarks.make(bounds)
    for (const key of keys) marks.raise("s1", key, at(1))
    assert.strictEqual(marks.forgotten(), 1)
    marks.raise("s2", "a", at(1))
    marks.raise("s3", "a", at(1))
    assert.strictEqual(marks.forgotten(), 4)
    assert.strictEqual(marks.sessions(), 2)
  })

  it("have bounds that are whole numbers", () => {
    for (const keysMax of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(() => ReadMarks.make({ keysMax }), /keysMax is .*; it must be a whole number/)
      assert.throws(() => ReadMarks.carried([], keysMax), /keysMax/)
    }
    assert.throws(() => ReadMarks.make({ sessionsMax: 1_000_001 }), /sessionsMax/)
  })
})

describe("the marks that came with a request", () => {
  it("are bounded, and what was shown longest ago goes first", () => {
    const marks = ReadMarks.carried([], 2)
    marks.raise("a", at(1))
    marks.raise("b", at(2))
    marks.raise("a", at(3))
    marks.raise("c", at(4))
    assert.deepStrictEqual([marks.of("a"), marks.of("b"), marks.of("c")], [at(3), undefined, at(4)])
    const again = ReadMarks.carried(marks.entries(), 2)
    assert.deepStrictEqual([again.of("a"), again.of("b"), again.of("c")], [at(3), undefined, at(4)])
  })

  it("name ten thousand keys apart", () => {
    const choose = choices(1)
    const marks = ReadMarks.carried([], 10_000)
    for (let nth = 0; nth < 10_000; nth++)
      marks.raise(`catalog/show {"sku":"sku-${nth}-${choose.between(0, 9)}"}`, at(nth))
    assert.lengthOf(marks.entries(), 10_000)
  })
})

describe("what may be shown after a mark", () => {
  interface Read {
    readonly begunAt: number
    readonly cameAt: number
  }

  const read = (begunAt: number, took: number): Read => ({ begunAt, cameAt: begunAt + took })
  const same = (a: Read, b: Read) => a.begunAt === b.begunAt && a.cameAt === b.cameAt
  const markOf = (shown: ReadonlyArray<Read>) => {
    const marks = ReadMarks.carried([], 1)
    for (const one of shown) marks.raise("key", one)
    return marks.of("key")
  }

  it("was for certain not read before anything that was shown, in whatever order, over 5000 random histories", () => {
    const choose = choices(1)
    let again = 0
    for (let nth = 0; nth < 5000; nth++) {
      const some = () => read(choose.between(0, 9), choose.between(0, 3))
      const shown = Array.from({ length: choose.between(1, 4) }, some)
      const next = choose.chance(0.5) ? choose.pick([some(), ...shown]) : some()
      if (!mayFollow(markOf(shown), next.begunAt, next.cameAt)) continue
      const unsure = shown.find((one) => !same(one, next) && next.begunAt < one.cameAt)
      assert.isUndefined(unsure, `${JSON.stringify(next)} after ${JSON.stringify(shown)}`)
      if (shown.some((one) => same(one, next) && next.begunAt < one.cameAt)) again++
    }
    assert.isAbove(again, 300)
  })

  it("is the last answer again, and what began since it came, where no calls overlapped", () => {
    const choose = choices(2)
    for (let nth = 0; nth < 1000; nth++) {
      const shown: Array<Read> = []
      for (let at = 0; shown.length < 4; at += 1) {
        const one = read(at + choose.between(0, 3), choose.between(0, 3))
        shown.push(one)
        at = one.cameAt
        const mark = markOf(shown)
        assert.isTrue(mayFollow(mark, one.begunAt, one.cameAt))
        assert.isTrue(mayFollow(mark, one.cameAt, undefined))
        assert.isFalse(mayFollow(mark, one.cameAt - 1, undefined))
        assert.isFalse(mayFollow(mark, one.begunAt - 1, one.cameAt))
      }
    }
  })
})
