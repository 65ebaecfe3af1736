/**
 * Random histories of a cache in its ring, and a model that is a list and a few ifs;
 * then histories of calls that overlap, and the laws that they keep.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cache } from "@failsoft/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { type Answered, type Gone, ringOf } from "./cacheKit.ts"
import { type Choices, choices } from "./history.ts"

type Ring = Effect.Success<ReturnType<typeof ringOf>>
type Own = Cache.Cache<Answered, { readonly id: string }, Gone>
type Living = Effect.Success<ReturnType<Cache.Instance["serve"]>>

interface Lifetimes {
  readonly fresh: number
  readonly revalidate: number
  readonly error: number
  readonly negative: number
  readonly entriesMax: number
}

type Does = Ring["control"]["does"]

type Op =
  | { readonly op: "ask"; readonly id: string; readonly demand: Cache.Demand }
  | { readonly op: "wait"; readonly millis: number }
  | { readonly op: "does"; readonly does: Does }
  | { readonly op: "mode"; readonly mode: "on" | "dark" | "off" }
  | { readonly op: "invalidate"; readonly id: string }
  | { readonly op: "tag"; readonly id: string }
  | { readonly op: "write"; readonly id: string }
  | { readonly op: "clear" }

const ids = ["a", "b", "c", "d"] as const

const lifetimesOf = (of: Choices): Lifetimes => ({
  fresh: of.pick([0, 10, 50]),
  revalidate: of.pick([0, 20, 40]),
  error: of.pick([0, 30, 100]),
  negative: of.pick([0, 25]),
  entriesMax: of.between(1, 4)
})

const op = (of: Choices): Op => {
  const id = of.pick(ids)
  const kind = of.between(1, 100)
  if (kind <= 60) return { op: "ask", id, demand: of.pick(["any", "any", "any", "any", "fresh", "live"]) }
  if (kind <= 75) return { op: "wait", millis: of.pick([1, 9, 10, 15, 20, 25, 30, 40, 60, 100]) }
  if (kind <= 86) return { op: "does", does: of.pick(["answers", "answers", "fails", "is gone"]) }
  if (kind <= 90) return { op: "invalidate", id }
  if (kind <= 93) return { op: "tag", id }
  if (kind <= 96) return { op: "write", id }
  if (kind <= 99) return { op: "mode", mode: of.pick(["on", "on", "dark", "off"]) }
  return { op: "clear" }
}

const cacheOf = ({ entriesMax, error, fresh, negative, revalidate }: Lifetimes): Own =>
  Cache.make({
    fresh,
    staleWhileRevalidate: revalidate,
    staleIfError: error,
    negative,
    jitter: 0,
    entriesMax,
    tags: ({ id }: { readonly id: string }) => [`id:${id}`]
  })

interface Known {
  readonly id: string
  readonly kind: "answer" | "gone"
  readonly version: number
  readonly asOf: number
}

/** The plain meaning: a list, the longest unused first. */
class Model {
  does: Does = "answers"
  mode: "on" | "dark" | "off" = "on"
  asked = 0
  known: ReadonlyArray<Known> = []
  private readonly of: Lifetimes

  constructor(of: Lifetimes) {
    this.of = of
  }

  forget(id: string): void {
    this.known = this.known.filter((of) => of.id !== id)
  }

  write(id: string, now: number): void {
    this.asked++
    if (this.does !== "answers") return
    this.forget(id)
    if (this.mode !== "off") this.put({ id, kind: "answer", version: this.asked, asOf: now })
  }

  ask(id: string, demand: Cache.Demand, now: number): string {
    const { error, fresh, negative, revalidate } = this.of
    const known = this.known.find((of) => of.id === id)
    if (known !== undefined && this.mode !== "off" && !(this.mode === "on" && demand === "live")) this.touch(known)
    const age = known === undefined ? 0 : now - known.asOf
    if (this.mode === "on" && known !== undefined && demand !== "live") {
      if (age < (known.kind === "gone" ? negative : fresh)) return told(known, "fresh")
      if (demand === "any" && known.kind === "answer" && age < fresh + revalidate) {
        this.load(id, now)
        return told(known, "stale")
      }
    }
    const loaded = this.load(id, now)
    if (loaded !== undefined) return told(loaded, "fresh")
    if (this.mode === "on" && demand === "any" && known?.kind === "answer") {
      if (age < fresh) return told(known, "fresh")
      if (age < fresh + Math.max(error, revalidate)) return told(known, "stale")
    }
    return "TRANSIENT_FAILURE"
  }

  private load(id: string, asOf: number): Known | undefined {
    this.asked++
    if (this.does === "fails") return undefined
    const kind = this.does === "answers" ? "answer" : "gone"
    const made = { id, kind, version: this.asked, asOf } as const
    if (this.mode !== "off") {
      this.forget(id)
      if (kind === "answer" || this.of.negative > 0) this.put(made)
    }
    return made
  }

  private put(known: Known): void {
    this.known = [...this.known.filter(({ id }) => id !== known.id), known].slice(-this.of.entriesMax)
  }

  private touch(known: Known): void {
    this.known = [...this.known.filter((of) => of !== known), known]
  }
}

const told = ({ asOf, kind, version }: Known, quality: string) =>
  kind === "gone" ? "gone" : `${quality} v${version} @${asOf}`

/** A bug: another living cache in the place of the right one. */
type Bug = (cache: Own) => Own

const right: Bug = (cache) => cache

/** What differs from the model first, in so many histories. */
const firstOf = (bug: Bug, histories: number) =>
  Effect.gen(function* () {
    for (let seed = 1; seed <= histories; seed++) {
      const of = choices(seed)
      const lifetimes = lifetimesOf(of)
      const ops = Array.from({ length: 40 }, () => op(of))
      const found = yield* Effect.scoped(differs(bug, lifetimes, ops))
      if (found !== undefined) return `seed ${seed}, ${JSON.stringify(lifetimes)}:\n${found}`
    }
    return undefined
  })

const differs = Effect.fnUntraced(function* (bug: Bug, lifetimes: Lifetimes, ops: ReadonlyArray<Op>) {
  const ring = yield* ringOf(bug(cacheOf(lifetimes)))
  const { control, read, things, turn } = ring
  const model = new Model(lifetimes)
  const start = yield* Clock.currentTimeMillis
  const past: Array<string> = []
  // Each load has a version of its own: how often was asked.
  control.numbered = true
  for (const step of ops) {
    past.push(JSON.stringify(step))
    const now = yield* Clock.currentTimeMillis
    switch (step.op) {
      case "ask": {
        const got = yield* Effect.provideService(read(step.id), Cache.Demand, step.demand)
        yield* settled
        const expected = model.ask(step.id, step.demand, now)
        if (got !== expected || control.asked !== model.asked) {
          return `${past.join("\n")}\n${got} after ${control.asked} loads at ${now - start}, in the model ${expected} after ${model.asked}`
        }
        break
      }
      case "wait":
        yield* TestClock.adjust(step.millis)
        break
      case "does":
        control.does = step.does
        model.does = step.does
        break
      case "mode":
        yield* turn("mode", step.mode)
        model.mode = step.mode
        break
      case "invalidate":
        yield* Cache.invalidate(things, "read", { id: step.id })
        model.forget(step.id)
        break
      case "tag":
        yield* Cache.invalidateTags(things, [`id:${step.id}`])
        // Only answers are about something.
        if (model.known.some(({ id, kind }) => id === step.id && kind === "answer")) model.forget(step.id)
        break
      case "write":
        yield* Effect.exit(things.write({ id: step.id }))
        model.write(step.id, now)
        break
      case "clear":
        yield* Cache.clear(things)
        model.known = []
        break
    }
  }
  return undefined
})

/** What runs beside the calls has run. */
const settled = Effect.forEach(Array.from({ length: 5 }), () => Effect.yieldNow, { discard: true })

/** Another thing than what lives: some of its methods, or other values than it was given. */
const living =
  (plant: (living: Living, instance: Cache.Instance) => void): Bug =>
  (cache) => ({
    ...cache,
    part: {
      ...cache.part,
      build: Effect.map(cache.part.build, (instance) => ({
        ...instance,
        serve: (row) => Effect.tap(instance.serve(row), (of) => Effect.sync(() => plant(of, instance)))
      }))
    }
  })

const more = (knob: string, by: number) =>
  living((_, instance) => instance.assign({ [knob]: Math.max(0, Number(instance.values[knob]) + by) }))

type AnyMethod = (...args: ReadonlyArray<unknown>) => unknown

/** A method of a living cache as it is. */
const methodOf = (living: Living, name: string): AnyMethod => {
  const before: unknown = Reflect.get(living, name)
  if (typeof before !== "function") throw new Error(`there is no ${name}`)
  return (...args) => Reflect.apply(before, living, args)
}

/** The method of that name does something else. */
const instead = (name: string, of: (before: AnyMethod) => AnyMethod) =>
  living((living) => {
    Reflect.set(living, name, of(methodOf(living, name)))
  })

describe("the cache against its model", () => {
  it.effect(
    "agrees over 300 random histories",
    () => Effect.map(firstOf(right, 300), (found) => assert.isUndefined(found)),
    60_000
  )

  const bugs: Readonly<Record<string, Bug>> = {
    "fresh for a little too long": more("freshMillis", 1),
    "fresh for a little too short": more("freshMillis", -1),
    "stale on errors for a little too long": more("staleIfErrorMillis", 1),
    "given for too long while it is refreshed": more("staleWhileRevalidateMillis", 5),
    "a final word is kept for too long": more("negativeMillis", 30),
    "one entry too many": more("entriesMax", 1),
    "a failing refresh destroys the entry": living((living) => {
      const before = methodOf(living, "arrived")
      const forget = methodOf(living, "forget")
      Reflect.set(living, "arrived", (ask: unknown, key: unknown, loaded: unknown, ...rest: ReadonlyArray<unknown>) =>
        Reflect.get(Object(loaded), "kind") === "failed" ? forget(key) : before(ask, key, loaded, ...rest)
      )
    }),
    "an invalidated key stays": instead("invalidate", () => () => undefined),
    "an invalidated tag stays": instead("invalidateTags", () => () => undefined),
    "clear clears nothing": instead("invalidateAll", () => () => undefined),
    "a write is not written through": instead("update", () => () => undefined),
    "a final word leaves the answer that it contradicts": instead("forget", () => () => undefined),
    "the dark answers": living((living, instance) => {
      Reflect.set(
        living,
        "values",
        Object.create(instance.values, {
          mode: { get: () => (instance.values["mode"] === "dark" ? "on" : instance.values["mode"]) }
        })
      )
    }),
    "a caller's demand is not heard": instead("ask", (before) => (ask) => before({ ...Object(ask), demand: "any" })),
    "nothing is the longest unused": living((living) => {
      const entries: unknown = Reflect.get(living, "entries")
      Reflect.set(Object(entries), "use", (key: string) =>
        Reflect.apply(Reflect.get(Object(entries), "get"), entries, [key])
      )
    })
  }
  it.effect.each(Object.keys(bugs))(
    "and the planted bug is found: %s",
    (name) => Effect.map(firstOf(bugs[name] ?? right, 300), (found) => assert.isDefined(found)),
    60_000
  )
})

type Step =
  | { readonly step: "read" | "read and leave" | "write" | "invalidate" | "tag" | "clear"; readonly id: string }
  | { readonly step: "wait"; readonly millis: number }

const step = (of: Choices, quiet: boolean): Step => {
  const id = of.pick(["a", "b"])
  const kind = of.between(1, 100)
  if (kind <= 45) return { step: "read", id }
  if (kind <= 55) return { step: "read and leave", id }
  if (kind <= 80 || quiet) return { step: "wait", millis: of.pick([1, 3, 5, 10]) }
  return { step: of.pick(["write", "write", "invalidate", "tag", "clear"]), id }
}

/** Calls that overlap, and what is broken of the laws first. */
const broken = (bug: Bug, histories: number) =>
  Effect.gen(function* () {
    for (let seed = 1; seed <= histories; seed++) {
      const of = choices(seed)
      const quiet = of.chance(0.3)
      const steps = Array.from({ length: 30 }, () => step(of, quiet))
      const found = yield* Effect.scoped(overlapping(bug, steps, quiet))
      if (found !== undefined) return `seed ${seed}: ${found}\n${steps.map((of) => JSON.stringify(of)).join("\n")}`
    }
    return undefined
  })

const overlapping = Effect.fnUntraced(function* (bug: Bug, steps: ReadonlyArray<Step>, quiet: boolean) {
  const cache = cacheOf({ fresh: 8, revalidate: 8, error: 100, negative: 0, entriesMax: 10 })
  const { control, read, state, things } = yield* ringOf(bug(cache))
  control.numbered = true
  control.takes = 7
  // The least version that a call which begins now may get.
  const floor = new Map([
    ["a", 0],
    ["b", 0]
  ])
  const calls: Array<{ readonly least: number; readonly fiber: Fiber.Fiber<string> }> = []
  const raise = (id: string, version: number) => floor.set(id, Math.max(version, floor.get(id) ?? 0))
  for (const of of steps) {
    switch (of.step) {
      case "read":
        calls.push({ least: floor.get(of.id) ?? 0, fiber: yield* Effect.forkChild(read(of.id)) })
        yield* settled
        break
      case "read and leave": {
        const leaving = yield* Effect.forkChild(read(of.id))
        yield* TestClock.adjust(2)
        yield* Fiber.interrupt(leaving)
        break
      }
      case "wait":
        yield* TestClock.adjust(of.millis)
        break
      case "write": {
        const writing = yield* Effect.forkChild(things.write({ id: of.id }))
        yield* TestClock.adjust(7)
        raise(of.id, (yield* Fiber.join(writing)).version)
        break
      }
      case "invalidate":
        yield* Cache.invalidate(things, "read", { id: of.id })
        raise(of.id, control.asked + 1)
        break
      case "tag":
        yield* Cache.invalidateTags(things, [`id:${of.id}`])
        raise(of.id, control.asked + 1)
        break
      case "clear":
        yield* Cache.clear(things)
        raise("a", control.asked + 1)
        raise("b", control.asked + 1)
        break
    }
  }
  yield* TestClock.adjust("2 seconds")
  for (const { fiber, least } of calls) {
    const exit = fiber.pollUnsafe()
    if (exit?._tag !== "Success")
      return `a call ${exit === undefined ? "never ended" : "was ended by another's leaving"}`
    const version = Number(/ v(\d+) /.exec(exit.value)?.[1])
    if (!(version >= least)) return `a call got ${exit.value}, and what was valid began with v${least}`
  }
  if (quiet && control.atOnce > 1) return `${control.atOnce} loads of one key at once`
  return state()["loading"] === 0 ? undefined : "a load is left when all is over"
})

describe("calls that overlap", () => {
  it.effect(
    "share loads, and never get what was invalid before they began: 300 random histories",
    () => Effect.map(broken(right, 300), (found) => assert.isUndefined(found)),
    60_000
  )

  const bugs: Readonly<Record<string, Bug>> = {
    "what is on its way is kept though it is invalid": living((living) => {
      Reflect.set(living, "tickets", {
        add: () => {},
        delete: () => {},
        [Symbol.iterator]: () => [][Symbol.iterator]()
      })
    }),
    "a load that is invalid is joined": living((living) => {
      const flights = Object(Reflect.get(living, "flights"))
      const remove = flights.delete.bind(flights)
      Reflect.set(flights, "clear", () => {})
      const before = methodOf(living, "invalidateKey")
      Reflect.set(living, "invalidateKey", (key: unknown) => {
        Reflect.set(flights, "delete", () => false)
        before(key)
        Reflect.set(flights, "delete", remove)
      })
    }),
    "callers of one key load each for himself": living((living) => {
      Reflect.set(Object(Reflect.get(living, "flights")), "get", () => undefined)
    }),
    "the first who leaves takes the load with him": instead("leave", (before) => (flight) => {
      Reflect.set(Object(flight), "waiters", 1)
      before(flight)
    })
  }
  it.effect.each(Object.keys(bugs))(
    "and the planted bug is found: %s",
    (name) => Effect.map(broken(bugs[name] ?? right, 300), (found) => assert.isDefined(found)),
    60_000
  )
})
