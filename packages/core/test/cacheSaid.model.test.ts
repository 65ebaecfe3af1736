/**
 * Random histories of a cache whose downstream says what may be kept, against a model that
 * is a map and a few ifs: lifetimes, ages, single-flight, final words, writes, restarts.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cache, Caller, Contract, Downstream, Policy, Transient } from "@failsoft/core"
import { Draw } from "@failsoft/core/testing"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { info } from "./shop.ts"

class Gone extends Schema.TaggedError<Gone>()("Gone", {}) {}

const shape = {
  payload: Schema.Struct({ id: Schema.String }),
  success: Schema.Int,
  transient: Transient.Transient,
  permanent: Gone
}

class Notes extends Downstream.Service<Notes>()(
  "@failsoft/core/test/Notes",
  {
    read: Contract.method({ ...shape, idempotency: "safe", onOutage: "degrade-or-fail", scope: "public" }),
    mine: Contract.method({ ...shape, idempotency: "safe", onOutage: "degrade-or-fail", scope: "principal" }),
    write: Contract.method({ ...shape, idempotency: "keyed", idempotencyKey: ({ id }) => id, onOutage: "fail" })
  },
  info
) {}

type Row = "read" | "mine"
type Does = "answers" | "fails" | "is gone"

interface Own {
  readonly fresh: number
  readonly revalidate: number
  readonly error: number
  readonly negative: number
  readonly obey: boolean
}

type Op =
  | { readonly op: "ask"; readonly row: Row; readonly id: string; readonly demand: Cache.Demand }
  | { readonly op: "together"; readonly row: Row; readonly id: string }
  | { readonly op: "wait"; readonly millis: number }
  | { readonly op: "does"; readonly does: Does }
  | { readonly op: "says"; readonly says: Cache.Said | undefined }
  | { readonly op: "write"; readonly id: string }
  | { readonly op: "restart" }

const ownOf = (of: Draw.Choices): Own => ({
  fresh: of.pick([0, 10, 50]),
  revalidate: of.pick([0, 20, 40]),
  error: of.pick([0, 30, 100]),
  negative: of.pick([0, 25]),
  obey: of.chance(0.85)
})

const saidOf = (of: Draw.Choices): Cache.Said | undefined => {
  if (of.chance(0.15)) return undefined
  const maybe = () => (of.chance(0.6) ? undefined : of.pick([0, 5, 10, 30]))
  return {
    keepFor: of.pick(["anybody", "anybody", "anybody", "anybody", "owner", "nobody"]),
    freshMaxMillis: maybe(),
    staleWhileRevalidateMaxMillis: maybe(),
    staleIfErrorMaxMillis: maybe(),
    ageMillis: of.pick([undefined, undefined, 0, 5, 30])
  }
}

const opOf = (of: Draw.Choices): Op => {
  const id = of.pick(["a", "a", "b"])
  const row = of.pick<Row>(["read", "read", "mine"])
  const kind = of.between(1, 100)
  if (kind <= 50)
    return { op: "ask", row, id, demand: of.pick(["any", "any", "any", "any", "fresh", "live", "cached"]) }
  if (kind <= 58) return { op: "together", row, id }
  if (kind <= 74) return { op: "wait", millis: of.pick([1, 4, 5, 9, 10, 20, 30, 60]) }
  if (kind <= 82) return { op: "does", does: of.pick(["answers", "answers", "fails", "is gone"]) }
  if (kind <= 93) return { op: "says", says: saidOf(of) }
  return kind <= 97 ? { op: "write", id } : { op: "restart" }
}

interface Known {
  readonly kind: "answer" | "gone"
  readonly version: number
  readonly asOf: number
  readonly says: Cache.Said | undefined
}

/** The plain meaning. */
class Model {
  does: Does = "answers"
  says: Cache.Said | undefined = undefined
  asked = 0
  /** How often a limit or a word of the downstream's has made a difference; histories without any show nothing. */
  mattered = 0
  private known = new Map<string, Known>()
  private readonly alone = new Set<string>()
  private readonly own: Own

  constructor(own: Own) {
    this.own = own
  }

  ask(row: Row, id: string, demand: Cache.Demand, now: number): string {
    const key = `${row} ${id}`
    const known = demand === "live" ? undefined : this.known.get(key)
    const use = known === undefined ? "nothing" : this.use(known, now)
    if (known !== undefined && use === "fresh") return told(known, "fresh")
    if (known !== undefined && use === "revalidate" && (demand === "any" || demand === "cached")) {
      if (demand === "any") this.load(row, id, now, now)
      return told(known, "stale")
    }
    if (demand === "cached") return "NOT_CACHED"
    const loaded = this.load(row, id, now, now)
    if (loaded !== undefined) return told(loaded, "fresh")
    return known !== undefined && demand === "any" && use !== "nothing" ? told(known, "stale") : "TRANSIENT_FAILURE"
  }

  /** Two callers at once, each load takes so long; nothing was known before. */
  together(row: Row, id: string, now: number, takes: number): ReadonlyArray<string> {
    const key = `${row} ${id}`
    const shown = (loaded: Known | undefined) => (loaded === undefined ? "TRANSIENT_FAILURE" : told(loaded, "fresh"))
    const alone = this.alone.has(key)
    const first = this.load(row, id, now, now + takes)
    if (alone) return [shown(first), shown(this.load(row, id, now, now + takes))]
    if (first === undefined || !this.isForOne(row)) return [shown(first), shown(first)]
    return [shown(first), shown(this.load(row, id, now + takes, now + 2 * takes))]
  }

  write(id: string, now: number): void {
    this.asked++
    if (this.does !== "answers") return
    this.known.delete(`read ${id}`)
    const made = this.made("answer", now)
    if (this.mayKeep("read", made, now)) this.known.set(`read ${id}`, made)
  }

  forget(row: Row, id: string): void {
    this.known.delete(`${row} ${id}`)
  }

  restart(now: number): void {
    this.alone.clear()
    this.known = new Map([...this.known].filter(([, known]) => this.use(known, now) !== "nothing"))
  }

  private load(row: Row, id: string, startedAt: number, endedAt: number): Known | undefined {
    const key = `${row} ${id}`
    this.asked++
    if (this.does === "fails") return undefined
    const made = this.made(this.does === "answers" ? "answer" : "gone", startedAt)
    if (this.isForOne(row)) this.alone.add(key)
    else this.alone.delete(key)
    const before = this.known.get(key)
    if (before !== undefined && before.asOf > made.asOf) return made
    this.known.delete(key)
    const wanted = made.kind === "answer" || this.own.negative > 0
    if (wanted && this.mayKeep(row, made, endedAt)) this.known.set(key, made)
    return made
  }

  private made(kind: Known["kind"], startedAt: number): Known {
    return { kind, version: this.asked, asOf: startedAt - (this.says?.ageMillis ?? 0), says: this.says }
  }

  private isForOne(row: Row): boolean {
    const keepFor = this.says?.keepFor ?? "anybody"
    return this.own.obey && (keepFor === "nobody" || (keepFor === "owner" && row !== "mine"))
  }

  private mayKeep(row: Row, { asOf, says }: Known, now: number): boolean {
    const none = Number.POSITIVE_INFINITY
    const { freshMaxMillis = none, staleIfErrorMaxMillis = none, staleWhileRevalidateMaxMillis = none } = says ?? {}
    const longest = freshMaxMillis + Math.max(staleIfErrorMaxMillis, staleWhileRevalidateMaxMillis)
    const may = !this.own.obey || (!this.isForOne(row) && now - asOf < longest)
    if (!may) this.mattered++
    return may
  }

  private use({ asOf, kind, says }: Known, now: number): "fresh" | "revalidate" | "error" | "nothing" {
    const { error, fresh, negative, obey, revalidate } = this.own
    const least = (own: number, said: number | undefined) => {
      if (!obey || said === undefined || said >= own) return own
      this.mattered++
      return said
    }
    const age = now - asOf
    const until = least(kind === "gone" ? negative : fresh, says?.freshMaxMillis)
    if (age < until) return "fresh"
    if (kind === "gone") return "nothing"
    if (age < until + least(revalidate, says?.staleWhileRevalidateMaxMillis)) return "revalidate"
    return age < until + least(error, says?.staleIfErrorMaxMillis) ? "error" : "nothing"
  }
}

const told = ({ asOf, kind, version }: Known, quality: string) =>
  kind === "gone" ? "gone" : `${quality} v${version} @${asOf}`

const cacheOf = ({ error, fresh, negative, obey, revalidate }: Own) =>
  Cache.make({
    fresh,
    staleWhileRevalidate: revalidate,
    staleIfError: error,
    negative,
    jitter: 0,
    entriesMax: 100,
    durable: true,
    obeyDownstream: obey
  })

/** What the downstream does, which outlives the processes above it. */
interface Control {
  does: Does
  says: Cache.Said | undefined
  asked: number
  takes: number
  /** For whom each answer was. */
  readonly told: Map<number, Cache.Said["keepFor"]>
}

/** A process: a ring over the downstream and the store. */
const ringOf = Effect.fnUntraced(function* (own: Own, control: Control, store: KeyValueStore.KeyValueStore) {
  const call = () =>
    Effect.suspend((): Effect.Effect<number, Transient.Transient | Gone> => {
      const version = ++control.asked
      const ends: Effect.Effect<number, Transient.Transient | Gone> =
        control.does === "answers"
          ? Effect.succeed(version)
          : control.does === "is gone"
            ? Effect.fail(new Gone())
            : Effect.fail(new Transient.Transient({ cause: "connection_refused", applied: "no" }))
      if (control.says !== undefined) control.told.set(version, control.says.keepFor)
      const said = control.says === undefined ? Effect.void : Cache.tell(control.says)
      return Effect.andThen(said, control.takes > 0 ? Effect.delay(ends, control.takes) : ends)
    })
  const policy = Policy.deadline("1 second")
  const cache = cacheOf(own)
  const ring = Notes.layer({
    read: { policy, cache },
    mine: { policy, cache },
    write: {
      policy,
      writes: ({ id }: { readonly id: string }, answer: number) => [{ update: "read", payload: { id }, answer }]
    }
  })
  const notes = Context.get(
    yield* Layer.build(
      ring.pipe(
        Layer.provide(Notes.transport({ read: call, mine: call, write: call })),
        Layer.provide(Layer.succeed(Cache.Store, store))
      )
    ),
    Notes
  )
  const ask = (row: Row, id: string, demand: Cache.Demand) =>
    notes[row]({ id }).pipe(
      Effect.match({
        onSuccess: ({ asOf, quality, value }) => `${quality} v${value} @${asOf}`,
        onFailure: (error) => (error._tag === "Gone" ? "gone" : error.reason)
      }),
      Caller.as({ principal: "alice" }),
      Effect.provideService(Cache.Demand, demand)
    )
  return { ask, notes }
})

/** What runs beside the calls has run. */
const settled = Effect.forEach(Array.from({ length: 5 }), () => Effect.yieldNow, { discard: true })

const takes = 3

/** Where a history differs from the model, and how often what the downstream said has mattered. */
const history = Effect.fnUntraced(function* (own: Own, ops: ReadonlyArray<Op>) {
  const store = Context.get(yield* Layer.build(KeyValueStore.layerMemory), KeyValueStore.KeyValueStore)
  const control: Control = { does: "answers", says: undefined, asked: 0, takes: 0, told: new Map() }
  const model = new Model(own)
  let left = ops
  while (left.length > 0) {
    const end = left.findIndex(({ op }) => op === "restart")
    const now = end < 0 ? left : left.slice(0, end)
    left = end < 0 ? [] : left.slice(end + 1)
    const found = yield* Effect.scoped(
      Effect.flatMap(ringOf(own, control, store), (ring) => life(ring, model, control, now))
    )
    if (found !== undefined) return { found, mattered: model.mattered }
    model.restart(yield* Clock.currentTimeMillis)
  }
  return { found: undefined, mattered: model.mattered }
})

const life = Effect.fnUntraced(function* (
  { ask, notes }: Effect.Success<ReturnType<typeof ringOf>>,
  model: Model,
  control: Control,
  ops: ReadonlyArray<Op>
) {
  const past: Array<string> = []
  const differ = (got: unknown, expected: unknown) =>
    JSON.stringify(got) === JSON.stringify(expected) && control.asked === model.asked
      ? undefined
      : `${past.join("\n")}\n${JSON.stringify(got)} after ${control.asked} loads, in the model ${JSON.stringify(expected)} after ${model.asked}`
  for (const step of ops) {
    const now = yield* Clock.currentTimeMillis
    past.push(`${now} ${JSON.stringify(step)}`)
    let found: string | undefined
    switch (step.op) {
      case "ask": {
        const got = yield* ask(step.row, step.id, step.demand)
        yield* settled
        found = differ(got, model.ask(step.row, step.id, step.demand, now))
        break
      }
      case "together": {
        yield* Cache.invalidate(notes, step.row, { id: step.id }).pipe(Caller.as({ principal: "alice" }))
        model.forget(step.row, step.id)
        control.takes = takes
        const fibers = [1, 2].map(() => ask(step.row, step.id, "any"))
        const both = yield* Effect.forkChild(Effect.all(fibers, { concurrency: 2 }))
        yield* settled
        yield* TestClock.adjust(takes)
        yield* settled
        yield* TestClock.adjust(takes)
        found = differ(yield* Fiber.join(both), model.together(step.row, step.id, now, takes))
        control.takes = 0
        break
      }
      case "wait":
        yield* TestClock.adjust(step.millis)
        break
      case "does":
        control.does = model.does = step.does
        break
      case "says":
        control.says = model.says = step.says
        break
      case "write":
        yield* Effect.exit(notes.write({ id: step.id }))
        model.write(step.id, now)
        break
    }
    if (found !== undefined) return found
  }
  return undefined
})

describe("a cache whose downstream says what may be kept", () => {
  it.effect(
    "agrees with its model over 400 random histories",
    () =>
      Effect.gen(function* () {
        let mattered = 0
        for (let seed = 1; seed <= 400; seed++) {
          const of = Draw.choices(seed)
          const own = ownOf(of)
          const ops = Array.from({ length: 60 }, () => opOf(of))
          const ended = yield* Effect.scoped(history(own, ops))
          assert.isUndefined(ended.found, `seed ${seed}, ${JSON.stringify(own)}`)
          mattered += ended.mattered
        }
        assert.isAbove(mattered, 2000)
      }),
    60_000
  )
})

type Step =
  | { readonly step: "read" | "read and leave"; readonly row: Row; readonly millis: number }
  | { readonly step: "wait"; readonly millis: number }
  | { readonly step: "says"; readonly says: Cache.Said | undefined }

const stepOf = (of: Draw.Choices): Step => {
  const kind = of.between(1, 100)
  const millis = of.pick([1, 2, 5, 9])
  if (kind <= 60) return { step: kind <= 45 ? "read" : "read and leave", row: of.pick<Row>(["read", "mine"]), millis }
  return kind <= 85 ? { step: "wait", millis } : { step: "says", says: saidOf(of) }
}

/** Calls that overlap, and what is broken of the laws first; how many waited for an answer that was for another. */
const overlapping = Effect.fnUntraced(function* (own: Own, steps: ReadonlyArray<Step>) {
  const store = Context.get(yield* Layer.build(KeyValueStore.layerMemory), KeyValueStore.KeyValueStore)
  const control: Control = { does: "answers", says: undefined, asked: 0, takes: 7, told: new Map() }
  const { ask, notes } = yield* ringOf(own, control, store)
  const calls: Array<{ readonly row: Row; readonly fiber: Fiber.Fiber<string> }> = []
  for (const of of steps) {
    if (of.step === "wait") yield* TestClock.adjust(of.millis)
    else if (of.step === "says") control.says = of.says
    else {
      const fiber = yield* Effect.forkChild(ask(of.row, "a", "any"))
      yield* settled
      if (of.step === "read") calls.push({ row: of.row, fiber })
      else {
        yield* TestClock.adjust(of.millis)
        yield* Fiber.interrupt(fiber)
      }
    }
  }
  yield* TestClock.adjust("2 seconds")
  const given = new Map<number, number>()
  for (const { fiber, row } of calls) {
    const exit = fiber.pollUnsafe()
    if (exit?._tag !== "Success") return { found: "a call never ended, or was ended by another's leaving", given }
    const version = Number(/ v(\d+) /.exec(exit.value)?.[1])
    const keepFor = control.told.get(version) ?? "anybody"
    if (!own.obey || keepFor === "anybody" || (keepFor === "owner" && row === "mine")) continue
    const times = (given.get(version) ?? 0) + 1
    given.set(version, times)
    if (times > 1) return { found: `v${version} was for ${keepFor} and was given ${times} times`, given }
  }
  const cache = Downstream.describe(notes)?.methods.find(({ name }) => name === "read")?.cache
  return { found: cache?.state["loading"] === 0 ? undefined : "a load is left when all is over", given }
})

describe("calls that overlap", () => {
  it.effect(
    "never share what is for one of them: 300 random histories",
    () =>
      Effect.gen(function* () {
        let forOne = 0
        for (let seed = 1; seed <= 300; seed++) {
          const of = Draw.choices(seed)
          const own = { ...ownOf(of), fresh: 3, revalidate: of.pick([0, 5]) }
          const steps = Array.from({ length: 40 }, () => stepOf(of))
          const { found, given } = yield* Effect.scoped(overlapping(own, steps))
          assert.isUndefined(found, `seed ${seed}:\n${steps.map((step) => JSON.stringify(step)).join("\n")}`)
          forOne += given.size
        }
        assert.isAbove(forOne, 400)
      }),
    60_000
  )
})
