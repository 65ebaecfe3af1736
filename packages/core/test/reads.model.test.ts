/**
 * Random histories of sessions over two regions whose memories have different ages: what
 * each is shown, against a model that is two maps and a few ifs, and that the `asOf` of
 * what a session is shown for a key never goes back. Here answers take no time. Whether
 * what is shown goes back, where they do, is `reads.versions.model.test.ts`.
 */
import { assert, describe, it } from "@effect/vitest"
import { ReadMarks } from "@failsoft/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { type Choices, choices } from "./history.ts"
import { cacheOf, lastGood, nothing, regionOf } from "./readsKit.ts"

type Place = "eu" | "us"
type Does = "answers" | "fails" | "is gone"

type Op =
  | {
      readonly op: "ask"
      readonly place: Place
      readonly session: string | undefined
      readonly principal: string
      readonly id: string
    }
  | { readonly op: "wait"; readonly millis: number }
  | { readonly op: "does"; readonly place: Place; readonly does: Does }

const op = (of: Choices): Op => {
  const kind = of.between(1, 100)
  const place = of.pick<Place>(["eu", "us"])
  if (kind <= 55) {
    return {
      op: "ask",
      place,
      session: of.pick<string | undefined>(["s1", "s2", "s2", undefined]),
      principal: of.pick(["alice", "alice", "bob"]),
      id: of.pick(["a", "a", "b"])
    }
  }
  if (kind <= 80) return { op: "wait", millis: of.pick([1, 5, 15, 40]) }
  return { op: "does", place, does: of.pick<Does>(["answers", "fails", "fails", "is gone"]) }
}

/** How long the memory of a region serves: as fresh, and after that where it has no answer. */
const lifetimes = { eu: { fresh: 0, error: 100 }, us: { fresh: 20, error: 150 } } as const

/** Both regions as they should be. */
class Model {
  /** How many answers were passed over; histories without any show nothing. */
  tooOld = 0
  private readonly does = { eu: "answers" as Does, us: "answers" as Does }
  private readonly asked = { eu: 0, us: 0 }
  private readonly kept = new Map<string, { readonly version: number; readonly asOf: number }>()
  private readonly marks = new Map<string, number>()

  turn(place: Place, does: Does): void {
    this.does[place] = does
  }

  ask({ id, place, principal, session }: Extract<Op, { op: "ask" }>, now: number): string {
    const { error, fresh } = lifetimes[place]
    const memory = JSON.stringify([place, principal, id])
    const read = session === undefined ? undefined : JSON.stringify([session, principal, id])
    const mark = read === undefined ? Number.NEGATIVE_INFINITY : (this.marks.get(read) ?? Number.NEGATIVE_INFINITY)
    const shown = (asOf: number) => read !== undefined && this.marks.set(read, Math.max(mark, asOf))
    const known = this.kept.get(memory)
    const young = known !== undefined && known.asOf >= mark ? known : undefined
    const age = known === undefined ? 0 : now - known.asOf
    if (known !== undefined && age < fresh) {
      if (young === undefined) this.tooOld++
      else {
        shown(young.asOf)
        return `fresh v${young.version} @${young.asOf}`
      }
    }
    const version = ++this.asked[place]
    if (this.does[place] !== "fails") {
      shown(now)
      if (this.does[place] === "answers") {
        this.kept.set(memory, { version, asOf: now })
        return `fresh v${version} @${now}`
      }
      // A cache forgets what a final word contradicts; the last good answer stays where it is.
      if (place === "us") this.kept.delete(memory)
      return "gone"
    }
    if (known === undefined || (place === "us" ? age >= fresh + error : age > error)) return "TRANSIENT_FAILURE"
    if (young === undefined) {
      this.tooOld++
      return "TRANSIENT_FAILURE"
    }
    shown(young.asOf)
    return `stale v${young.version} @${young.asOf}`
  }
}

/** A bug: other marks in the place of the right ones. */
type Bug = (marks: ReadMarks.ReadMarks, now: () => number) => ReadMarks.ReadMarks

const right: Bug = (marks) => marks

/** The law: the times that each session was shown for a key, and the first that went back. */
class Law {
  private readonly latest = new Map<string, number>()

  broken(step: Extract<Op, { op: "ask" }>, got: string): string | undefined {
    const asOf = Number(/ @(\d+)$/.exec(got)?.[1])
    if (step.session === undefined || Number.isNaN(asOf)) return undefined
    const key = JSON.stringify([step.session, step.principal, step.id])
    const before = this.latest.get(key) ?? asOf
    this.latest.set(key, Math.max(before, asOf))
    return asOf < before ? `${key} was shown ${asOf} after ${before}` : undefined
  }
}

interface Found {
  readonly law: string | undefined
  readonly model: string | undefined
  readonly tooOld: number
}

const run = Effect.fnUntraced(function* (bug: Bug, ops: ReadonlyArray<Op>) {
  const clock = yield* Clock.Clock
  const now = () => clock.currentTimeMillisUnsafe()
  const marks = bug(ReadMarks.make(), now)
  const places = {
    eu: yield* regionOf({ fallback: lastGood(lifetimes.eu.error) }, marks),
    us: yield* regionOf({ cache: cacheOf(lifetimes.us), fallback: nothing }, marks)
  }
  const model = new Model()
  const law = new Law()
  const found = { law: undefined as string | undefined, model: undefined as string | undefined }
  for (const [nth, step] of ops.entries()) {
    switch (step.op) {
      case "ask": {
        const { principal, session } = step
        const got = yield* places[step.place].ask({ principal, ...(session === undefined ? {} : { session }) }, step.id)
        const expected = model.ask(step, now())
        const past = () =>
          ops
            .slice(0, nth + 1)
            .map((of) => JSON.stringify(of))
            .join("\n")
        const broken = law.broken(step, got)
        if (broken !== undefined) found.law ??= `${past()}\n${broken}`
        if (got !== expected) found.model ??= `${past()}\n${got}, in the model ${expected}`
        break
      }
      case "wait":
        yield* TestClock.adjust(step.millis)
        break
      case "does":
        places[step.place].region.does = step.does
        model.turn(step.place, step.does)
        break
    }
  }
  return { ...found, tooOld: model.tooOld }
})

/** The first differences in so many histories, and how often something was too old in all of them. */
const firstOf = (bug: Bug, histories: number): Effect.Effect<Found> =>
  Effect.gen(function* () {
    let law: string | undefined
    let model: string | undefined
    let tooOld = 0
    for (let seed = 1; seed <= histories; seed++) {
      const of = choices(seed)
      const found = yield* Effect.scoped(
        run(
          bug,
          Array.from({ length: 60 }, () => op(of))
        )
      ).pipe(Effect.orDie)
      law ??= found.law && `seed ${seed}:\n${found.law}`
      model ??= found.model && `seed ${seed}:\n${found.model}`
      tooOld += found.tooOld
    }
    return { law, model, tooOld }
  })

/** The same marks under other names, or with other times. */
const renamed = (name: (session: string, key: string) => readonly [session: string, key: string]): Bug => {
  return (marks) => ({
    ...marks,
    of: (session, key) => marks.of(...name(session, key)),
    raise: (session, key, shown) => marks.raise(...name(session, key), shown)
  })
}

describe("what sessions are shown, against a model", () => {
  it.effect(
    "agrees over 300 random histories, and no session is ever shown anything older than before",
    () =>
      Effect.map(firstOf(right, 300), ({ law, model, tooOld }) => {
        assert.isUndefined(law)
        assert.isUndefined(model)
        assert.isAbove(tooOld, 100)
      }),
    60_000
  )

  const breaksLaw: Readonly<Record<string, Bug>> = {
    "there is no mark": (marks) => ({ ...marks, of: () => undefined }),
    "a stale answer raises nothing": (marks, now) => ({
      ...marks,
      raise: (session, key, shown) => shown.cameAt === now() && marks.raise(session, key, shown)
    }),
    "only a stale answer raises it": (marks, now) => ({
      ...marks,
      raise: (session, key, shown) => shown.cameAt < now() && marks.raise(session, key, shown)
    }),
    "something a little older passes": (marks) => ({
      ...marks,
      of: (session, key) => {
        const mark = marks.of(session, key)
        return mark === undefined ? undefined : { ...mark, cameAt: mark.cameAt - 5 }
      }
    })
  }
  it.effect.each(Object.keys(breaksLaw))(
    "the planted bug breaks the law: %s",
    (name) => Effect.map(firstOf(breaksLaw[name] ?? right, 100), ({ law }) => assert.isDefined(law)),
    60_000
  )

  const tooStrict: Readonly<Record<string, Bug>> = {
    "principals share a mark": renamed((session, key) => [session, key.replace(/\[.*?\]/, "")]),
    "keys share a mark": renamed((session) => [session, ""]),
    "sessions share a mark": renamed((_, key) => ["", key]),
    "the same answer is refused the second time": (marks) => ({
      ...marks,
      of: (session, key) => {
        const mark = marks.of(session, key)
        return mark === undefined ? undefined : { ...mark, cameAt: mark.cameAt + 1 }
      }
    })
  }
  it.effect.each(Object.keys(tooStrict))(
    "the planted bug refuses what may be shown: %s",
    (name) =>
      Effect.map(firstOf(tooStrict[name] ?? right, 100), ({ law, model }) => {
        assert.isUndefined(law)
        assert.isDefined(model)
      }),
    60_000
  )
})
