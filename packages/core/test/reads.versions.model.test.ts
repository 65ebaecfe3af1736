/**
 * The law of monotonic reads itself, on what is shown: a downstream whose versions go up,
 * read at one moment and answering at another, with retries; two processes with memories
 * of their own; sessions that go between them with what they carry. No session is ever
 * shown a version lower than one that it was shown before, whatever times are stated.
 */
import { assert, describe, it } from "@effect/vitest"
import { Answer, Caller, Fallback, Policy, ReadMarks, Transient } from "@failsoft/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { type Choices, choices } from "./history.ts"
import { cacheOf, lastGood, nothing, Pages } from "./readsKit.ts"

const places = ["one", "two"] as const
type Place = (typeof places)[number]

/** Who asks: by a name that one process remembers, by what he carries, by both, or nobody in particular. */
const sessions = {
  named: { named: true, carries: false, of: ["one"] },
  carrier: { named: false, carries: true, of: places },
  both: { named: true, carries: true, of: places },
  other: { named: true, carries: true, of: places }
} as const satisfies Readonly<
  Record<string, { named: boolean; carries: boolean; of: readonly [Place, ...Array<Place>] }>
>

type Session = keyof typeof sessions

type Op =
  | { readonly op: "ask"; readonly session: Session | undefined; readonly place: Place }
  | { readonly op: "wait"; readonly millis: number }
  | { readonly op: "change" }
  | {
      readonly op: "does"
      readonly place: Place
      readonly up: boolean
      /** How long until it reads, and from then until its answer is there. */
      readonly reads: number
      readonly returns: number
      /** How many attempts of each call fail before one answers. */
      readonly fails: number
    }

const op = (of: Choices): Op => {
  const kind = of.between(1, 100)
  if (kind <= 45) {
    const session = of.pick<Session | undefined>(["named", "carrier", "both", "other", undefined, undefined])
    return { op: "ask", session, place: of.pick(session === undefined ? places : sessions[session].of) }
  }
  if (kind <= 65) return { op: "wait", millis: of.pick([1, 3, 10, 30, 80]) }
  if (kind <= 80) return { op: "change" }
  return {
    op: "does",
    place: of.pick(places),
    up: of.chance(0.65),
    reads: of.pick([0, 2, 10, 40]),
    returns: of.pick([0, 2, 10, 40]),
    fails: of.pick([0, 0, 1, 2])
  }
}

const down = new Transient.Transient({ cause: "connection_refused", applied: "no" })

/** What a process keeps: each kind of memory, and both in one row. */
const memories = {
  "a cache": () => ({ cache: cacheOf({ fresh: 60, revalidate: 60, error: 500 }), fallback: nothing }),
  "the last good answer": (bug: Bug) => ({ fallback: bug.lastGood() }),
  both: (bug: Bug) => ({ cache: cacheOf({ fresh: 20, error: 200 }), fallback: bug.lastGood() })
}
type Memory = keyof typeof memories

interface Bug {
  /** Made for each process: one value is one memory. */
  readonly lastGood: () => Fallback.Fallback<number, unknown, "partial" | "keeps">
  readonly marks: (marks: ReadMarks.ReadMarks) => ReadMarks.ReadMarks
  readonly carried: (marks: ReadMarks.CarriedMarks) => ReadMarks.CarriedMarks
}

const right: Bug = { lastGood: () => lastGood(500), marks: (marks) => marks, carried: (marks) => marks }

interface Process {
  readonly ask: (
    session: Session | undefined,
    carried: ReadMarks.CarriedMarks | undefined
  ) => Effect.Effect<{ readonly version: number; readonly quality: string } | undefined>
  readonly does: { up: boolean; reads: number; returns: number; fails: number }
  attempts: number
}

const processOf = Effect.fnUntraced(function* (world: { version: number }, memory: Memory, bug: Bug) {
  const does = { up: true, reads: 0, returns: 0, fails: 0 }
  const failed = new Map<string, number>()
  const own: Process = {
    does,
    attempts: 0,
    ask: (session, carried) => {
      const id = "a"
      return pages.show({ id }).pipe(
        Caller.as({ principal: "alice", ...(session !== undefined && sessions[session].named ? { session } : {}) }),
        Effect.provideService(ReadMarks.Carried, carried && bug.carried(carried)),
        Effect.match({
          onSuccess: ({ quality, value }) => ({ version: value, quality }),
          onFailure: () => undefined
        })
      )
    }
  }
  const show = ({ id }: { readonly id: string }) =>
    Effect.suspend(() => {
      own.attempts++
      const { fails, reads, returns, up } = does
      const before = failed.get(id) ?? 0
      if (!up) return Effect.delay(Effect.fail(down), reads)
      failed.set(id, before < fails ? before + 1 : 0)
      if (before < fails) return Effect.delay(Effect.fail(down), reads)
      const read = Effect.sync(() => world.version)
      return Effect.flatMap(reads > 0 ? Effect.delay(read, reads) : read, (version) =>
        returns > 0 ? Effect.delay(Effect.succeed(version), returns) : Effect.succeed(version)
      )
    })
  const ring = Pages.layer({
    show: {
      policy: Policy.stack(
        Policy.deadline("1 second"),
        Policy.retry({ times: 2, base: 5, delayMax: 10, backoff: "exponential" })
      ),
      ...memories[memory](bug)
    }
  })
  const pages = Context.get(
    yield* Layer.build(
      ring.pipe(
        Layer.provide(Pages.transport({ show })),
        Layer.provide(Layer.succeed(ReadMarks.ReadMarks, bug.marks(ReadMarks.make())))
      )
    ),
    Pages
  )
  return own
})

/** What came of some histories: the first answer that went back, and how many were shown from a memory to a session. */
interface Told {
  readonly wentBack: string | undefined
  readonly remembered: number
}

const run = Effect.fnUntraced(function* (memory: Memory, bug: Bug, ops: ReadonlyArray<Op>) {
  const world = { version: 1 }
  const processes = { one: yield* processOf(world, memory, bug), two: yield* processOf(world, memory, bug) }
  const carried = new Map<Session, ReturnType<ReadMarks.CarriedMarks["entries"]>>()
  const latest = new Map<Session, number>()
  const asking = new Set<Session>()
  const told = { wentBack: undefined as string | undefined, remembered: 0 }
  const past: Array<string> = []
  const asked: Array<Fiber.Fiber<void>> = []
  const ask = (session: Session | undefined, place: Place) =>
    Effect.gen(function* () {
      const marks =
        session !== undefined && sessions[session].carries
          ? ReadMarks.carried(carried.get(session) ?? [], 32)
          : undefined
      const process = processes[place]
      const { attempts } = process
      const got = yield* process.ask(session, marks)
      if (session === undefined) return
      asking.delete(session)
      if (marks !== undefined) carried.set(session, marks.entries())
      if (got === undefined) return
      if (got.quality === "stale" || process.attempts === attempts) told.remembered++
      const before = latest.get(session) ?? 0
      past.push(`${session} was shown v${got.version} ${got.quality} by ${place}`)
      if (got.version < before) told.wentBack ??= `${past.join("\n")}\nafter v${before}`
      latest.set(session, Math.max(before, got.version))
    })
  for (const step of ops) {
    switch (step.op) {
      case "ask": {
        const { place, session } = step
        // The calls of one session do not overlap.
        if (session !== undefined && asking.has(session)) break
        if (session !== undefined) asking.add(session)
        past.push(`${session ?? "somebody"} asks ${place}`)
        asked.push(yield* Effect.forkChild(ask(session, place), { startImmediately: true }))
        break
      }
      case "wait":
        yield* TestClock.adjust(step.millis)
        break
      case "change":
        world.version++
        break
      case "does": {
        const { fails, place, reads, returns, up } = step
        Object.assign(processes[place].does, { fails, reads, returns, up })
        break
      }
    }
    if (step.op !== "ask") past.push(JSON.stringify(step))
    // No two steps in one millisecond: within one nobody knows what comes first.
    yield* TestClock.adjust(1)
  }
  yield* TestClock.adjust("5 seconds")
  // One that died would have nothing to say.
  yield* Fiber.joinAll(asked)
  return told
})

const firstOf = (memory: Memory, bug: Bug, histories: number): Effect.Effect<Told> =>
  Effect.gen(function* () {
    let wentBack: string | undefined
    let remembered = 0
    for (let seed = 1; seed <= histories; seed++) {
      const of = choices(seed)
      const ops = Array.from({ length: 80 }, () => op(of))
      const told = yield* Effect.scoped(run(memory, bug, ops)).pipe(Effect.orDie)
      wentBack ??= told.wentBack && `seed ${seed}:\n${told.wentBack}`
      remembered += told.remembered
    }
    return { wentBack, remembered }
  })

/** What is raised, or asked for, is another than it should be. */
const raising = (shownAs: (shown: ReadMarks.Mark) => ReadMarks.Mark | undefined): Pick<Bug, "marks" | "carried"> => ({
  marks: (marks) => ({
    ...marks,
    raise: (session, key, shown) => {
      const as = shownAs(shown)
      if (as !== undefined) marks.raise(session, key, as)
    }
  }),
  carried: (marks) => ({
    of: (key) => marks.of(key),
    entries: () => marks.entries(),
    raise: (key, shown) => {
      const as = shownAs(shown)
      if (as !== undefined) marks.raise(key, as)
    }
  })
})

/** A last good answer that keeps whatever came last, as of when it came. */
const byArrival = () =>
  Fallback.fromInstance<number, unknown, "partial" | "keeps">({
    kind: "arrived",
    quality: "stale",
    marks: ["partial", "keeps"],
    make: () =>
      Effect.sync(() => {
        const kept = new Map<string, { readonly value: number; readonly asOf: number }>()
        return {
          observe: (request, value) => {
            kept.set(request.key() ?? "", { value: Number(value), asOf: request.now })
          },
          answer: (request, { reason }) =>
            Effect.sync(() =>
              Option.map(Option.fromUndefinedOr(kept.get(request.key() ?? "")), ({ asOf, value }) =>
                Answer.degraded(value, { quality: "stale", asOf, reason })
              )
            )
        }
      })
  })

describe("what sessions are shown of a downstream that changes, by two processes", () => {
  const least: Readonly<Record<Memory, number>> = { "a cache": 3000, "the last good answer": 500, both: 1500 }

  it.effect.each(Object.keys(memories) as ReadonlyArray<Memory>)(
    "never goes back over 200 random histories, and what is remembered is shown where it may be: %s",
    (memory) =>
      Effect.map(firstOf(memory, right, 200), ({ remembered, wentBack }) => {
        assert.isUndefined(wentBack)
        assert.isAtLeast(remembered, least[memory])
      }),
    60_000
  )

  const bugs: Readonly<Record<string, readonly [memory: Memory, bug: Bug]>> = {
    "there are no marks": ["a cache", { ...right, ...raising(() => undefined) }],
    "the last good answer is what came last, as of its arrival": [
      "the last good answer",
      { ...right, lastGood: byArrival }
    ],
    "what was shown counts from the beginning of its call (cache)": [
      "a cache",
      { ...right, ...raising(({ begunAt, cameAt }) => ({ begunAt, cameAt: begunAt ?? cameAt })) }
    ],
    "what was shown counts from the beginning of its call (last good)": [
      "the last good answer",
      { ...right, ...raising(({ begunAt, cameAt }) => ({ begunAt, cameAt: begunAt ?? cameAt })) }
    ],
    "what was shown is not carried on": ["both", { ...right, carried: raising(() => undefined).carried }]
  }
  it.effect.each(Object.keys(bugs))(
    "and goes back by the planted bug: %s",
    (name) => {
      const [memory, bug] = bugs[name] ?? ["both", right]
      return Effect.map(firstOf(memory, bug, 100), ({ wentBack }) => assert.isDefined(wentBack))
    },
    60_000
  )
})
