/** One run: the composition with its fakes, the plan, the traffic, in virtual time. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { namesOf } from "../../Composition.ts"
import type * as Contract from "../../Contract.ts"
import { forkBeside } from "../../internal/fork.ts"
import { Witness } from "../../internal/witness.ts"
import * as Journal from "../../Journal.ts"
import type { Facts } from "../../Policy.ts"
import * as Settings from "../../Settings.ts"
import * as Signal from "../../Signal.ts"
import { type Choices, choices, draw } from "../Draw.ts"
import type { Fake, Regions } from "../Fake.ts"
import type { Plan } from "../Fault.ts"
import * as Player from "../Player.ts"
import * as Pump from "../Pump.ts"
import type * as Trace from "../Trace.ts"
import type { Traffic } from "../Traffic.ts"
import { type Arrival, disturbed } from "./arrivals.ts"
import { CurrentRequest, Interpreter, wordsOf } from "./interpreter.ts"
import { Recorder } from "./recorder.ts"

/** What is simulated; the requirements fit, as the types of `Simulation` demand. */
export interface Setup {
  readonly layer: Layer.Layer<never, unknown, never>
  readonly fakes: ReadonlyArray<Fake<unknown>>
  readonly traffic: ReadonlyArray<Traffic<never>>
  readonly deadlineMillis: number
  readonly traps: "throw" | "virtual" | "off"
  /** Whether errors that requests meet have a stack. */
  readonly stacks: boolean
}

/** One case. `salt` makes other interleavings of the same draws. */
export interface Case {
  readonly seed: number
  readonly salt: number
  readonly preemption: number
  readonly plan: Plan
  readonly arrivals: ReadonlyArray<Arrival>
}

const anyTransient = { cause: "connection_terminated", applied: "unknown" } as const

/** After the last request this long, so that background work comes to its end. */
const settleMillis = 10_000

/** Runs a case. */
export const run = (setup: Setup, of: Case): Trace.Trace => {
  const pump = Pump.make({
    seed: Math.floor(draw(of.seed, of.salt, "pump") * 0x1_0000_0000),
    preemption: of.preemption,
    traps: setup.traps,
    ownerOf: (fiber) => fiber.getRef(CurrentRequest)
  })
  const recorder = new Recorder(pump.elapsedMillis)
  const world = new World(setup, of, pump, recorder)
  const { stackTraceLimit } = Error
  const ended = (() => {
    try {
      return pump.run(Effect.scoped(world.story))
    } finally {
      Error.stackTraceLimit = stackTraceLimit
    }
  })()
  const failure =
    ended._tag === "Ended" && Exit.isFailure(ended.exit) ? firstLine(Cause.pretty(ended.exit.cause)) : undefined
  return {
    seed: of.seed,
    plan: of.plan,
    requests: recorder.requests,
    attempts: recorder.attempts,
    signals: recorder.signals,
    reads: recorder.reads,
    policies: world.policies,
    methods: world.methods,
    faultsEndAt: Player.endOf(of.plan),
    endedAt: pump.elapsedMillis(),
    left: world.left,
    deadlockAt: ended._tag === "Deadlock" ? ended.atMillis : undefined,
    uncontrolled: pump.trapped().map(({ name, site }) => `${name} at ${site}`),
    failure: failure ?? world.deaf()
  }
}

const firstLine = (text: string) => text.split("\n", 3).join(" ").slice(0, 1000)

/** A source of randomness for each request, so that one request less does not move the others. */
const randomOf = (seed: number, request: number): typeof Random.Random.Service => {
  let source: Choices | undefined
  // Most requests never ask.
  const next = () => {
    source ??= choices(Math.floor(draw(seed, request, "random") * 0x1_0000_0000))
    return source.next()
  }
  return { nextDoubleUnsafe: next, nextIntUnsafe: () => Math.floor((next() * 2 - 1) * Number.MAX_SAFE_INTEGER) }
}

class World {
  policies: ReadonlyArray<Trace.LivePolicy> = []
  methods: ReadonlyArray<Trace.Method> = []
  left: Trace.Left = { fibers: 0, timers: 0 }
  private readonly setup: Setup
  private readonly of: Case
  private readonly pump: Pump.Pump
  private readonly recorder: Recorder
  /** That of the downstreams' workers. */
  private readonly employed = Scope.makeUnsafe()
  private readonly running = new Map<Trace.Request, Fiber.Fiber<unknown, unknown>>()

  constructor(setup: Setup, of: Case, pump: Pump.Pump, recorder: Recorder) {
    this.setup = setup
    this.of = of
    this.pump = pump
    this.recorder = recorder
  }

  readonly story = Effect.gen({ self: this }, function* () {
    const services = yield* this.build()
    this.methods = this.setup.fakes.flatMap(({ contract }) => methodsOf(contract, this.recorder.rows))
    // What the layer does for itself from time to time (a table that is loaded again) has begun: it is not left over.
    yield* Effect.sleep(0)
    const before = { fibers: this.pump.fibers(), timers: this.pump.timers() }
    yield* this.jumps()
    // The stacks of expected failures are a tenth of a run's time, and a trace has none of them.
    if (!this.setup.stacks) Error.stackTraceLimit = 0
    // The context as it is here has the clock, the scheduler and the counts of this run.
    const context = Context.merge(yield* Effect.context<never>(), services)
    yield* Effect.provideService(this.drive(context), Scheduler.PreventSchedulerYield, true)
    yield* Effect.sleep(this.setup.deadlineMillis + 1000)
    // Who hangs hangs because nothing bounds it: it stays unfinished in the trace.
    for (const [request, fiber] of this.running) {
      this.running.delete(request)
      yield* Fiber.interrupt(fiber)
    }
    yield* Effect.sleep(settleMillis)
    // What a downstream has still to do is nothing that the composition has left.
    yield* Scope.close(this.employed, Exit.void)
    this.left = { fibers: this.pump.fibers() - before.fibers, timers: this.pump.timers() - before.timers }
    this.policies = this.recorder.rows.flatMap(livePolicies)
  })

  /** Where the composition has a bus of its own, nothing of it was heard. */
  deaf(): string | undefined {
    const { attempts, signals } = this.recorder
    return attempts.length > 0 && !signals.some(({ signal }) => signal._tag === "CallEnded") && this.finished()
      ? "no signal was heard: leave Signal.layer out of the layer, since the simulator provides the bus"
      : undefined
  }

  private finished(): boolean {
    return this.recorder.requests.some(({ endedAt }) => endedAt !== undefined)
  }

  private build() {
    return Effect.gen({ self: this }, function* () {
      const bus = yield* Signal.make
      yield* bus.subscribe((signal) => this.recorder.signal(signal))
      const settings = yield* Settings.make
      const registry: Settings.SettingsRegistry = {
        ...settings,
        register: (rows) => {
          this.recorder.rows.push(...rows)
          return settings.register(rows)
        }
      }
      const interpreter = new Interpreter(
        Player.make(this.of.plan, { seed: this.of.seed, elapsedMillis: this.pump.elapsedMillis })
      )
      let below: Context.Context<never> = Context.empty().pipe(
        Context.add(Signal.Bus, bus),
        Context.add(Settings.Registry, registry),
        Context.add(Logger.CurrentLoggers, new Set()),
        Context.add(Random.Random, randomOf(this.of.seed, -1))
      )
      for (const fake of this.setup.fakes) {
        const calls =
          fake.regions === undefined
            ? yield* this.transport(fake, interpreter)
            : yield* this.joined(fake, fake.regions, interpreter, below)
        below = Context.add(below, fake.transport, calls)
      }
      const services = yield* Effect.provideContext(Layer.build(this.setup.layer), below)
      return Context.merge(below, services)
    })
  }

  /** One transport of those of all regions, as the service makes it. */
  private joined(
    fake: Fake<unknown>,
    { join, names }: Regions,
    interpreter: Interpreter,
    below: Context.Context<never>
  ) {
    return Effect.gen({ self: this }, function* () {
      const regions: Record<string, Layer.Layer<never>> = {}
      for (const name of names) {
        const calls = yield* this.transport(fake, interpreter, name)
        regions[name] = Layer.succeedContext(
          Context.add(Context.empty(), fake.transport, calls) as Context.Context<never>
        )
      }
      const services = yield* Effect.provideContext(Layer.build(join(regions)), below)
      return Context.getUnsafe(services, fake.transport)
    })
  }

  private transport(fake: Fake<unknown>, interpreter: Interpreter, region?: string) {
    const place = region === undefined ? fake.contract.name : `${fake.contract.name}.${region}`
    return Effect.gen({ self: this }, function* () {
      const { serve } = yield* fake.start(this.seedOf(region))
      const workers = fake.workers && (yield* Scope.provide(interpreter.workers(place, fake.workers), this.employed))
      const calls: Record<string, (payload: unknown) => Effect.Effect<unknown, unknown>> = {}
      for (const [name, method] of Object.entries(fake.contract.methods)) {
        const words = wordsOf(`${place}/${name}`, method, fake.transient)
        if (method.transient !== Schema.Never && !Schema.is(method.transient)(words.transient(anyTransient))) {
          throw new Error(
            `${fake.contract.name}/${name} has a transient error of its own: say how it is made with the option transient of Fake.make`
          )
        }
        const asked = {
          row: `${fake.contract.name}/${name}`,
          region,
          regionRow: region === undefined ? undefined : `${place}/${name}`
        }
        calls[name] = (payload) =>
          this.recorder.attempt(fake.contract, asked, name, payload, (request, onMet, onApplied) => {
            const served = () =>
              Effect.suspend(() =>
                Effect.onExit(serve(name, payload), (exit) => Effect.sync(() => Exit.isSuccess(exit) && onApplied()))
              )
            return interpreter.call(place, name, request, words, served, onMet, workers)
          })
      }
      return calls
    })
  }

  /** Regions answer at times of their own. */
  private seedOf(region: string | undefined): number {
    const { seed } = this.of
    return region === undefined ? seed : Math.floor(draw(seed, "region", region) * 0x1_0000_0000)
  }

  private jumps() {
    const jumps = (this.of.plan.disturbances ?? []).flatMap((of) => (of.kind === "clockJump" ? [of] : []))
    return Effect.forEach(
      jumps,
      ({ from, byMillis }) =>
        Effect.forkDetach(
          Effect.delay(
            Effect.sync(() => this.pump.jumpClock(byMillis)),
            from
          )
        ),
      { discard: true }
    )
  }

  private drive(services: Context.Context<never>) {
    const { plan, arrivals, seed } = this.of
    return Effect.gen({ self: this }, function* () {
      for (const arrival of disturbed(arrivals, plan, seed)) {
        const wait = arrival.at - this.pump.elapsedMillis()
        if (wait > 0) yield* Effect.sleep(wait)
        yield* this.begin(arrival, services)
      }
    })
  }

  private begin(arrival: Arrival, services: Context.Context<never>) {
    const { seed } = this.of
    const traffic = this.setup.traffic[arrival.of]
    if (traffic === undefined) return Effect.void
    return Effect.map(Journal.make, (journal) => {
      const request = this.recorder.begun(arrival, traffic)
      const context = services.pipe(
        Context.add(Journal.Journal, journal),
        Context.add(CurrentRequest, arrival.id),
        Context.add(Witness, (reading) => this.recorder.read(arrival.id, reading)),
        Context.add(Random.Random, randomOf(seed, arrival.id))
      )
      const asked = Effect.suspend(() =>
        traffic.request({ nth: arrival.id, draw: (purpose) => draw(seed, arrival.id, purpose) })
      )
      // It begins in a context of its own, by which its yields are drawn, and with the others of its moment.
      const fiber = forkBeside(context, Effect.andThen(Effect.yieldNow, asked))
      this.running.set(request, fiber)
      fiber.addObserver((exit) => {
        if (this.running.delete(request)) this.recorder.ended(request, exit, journal, traffic)
      })
      const { abortAfter } = arrival
      if (abortAfter !== undefined) forkBeside(context, goesAway(fiber, abortAfter))
    })
  }
}

/** A caller who goes away after a time, or between any two steps of the call. */
const goesAway = (fiber: Fiber.Fiber<unknown, unknown>, after: number) =>
  Effect.gen(function* () {
    yield* Effect.yieldNow
    for (let left = -after; left > 0; left--) yield* Effect.yieldNow
    if (after > 0) yield* Effect.sleep(after)
    yield* Fiber.interrupt(fiber)
  })

const methodsOf = (
  contract: Contract.Contract,
  rows: ReadonlyArray<Settings.RegisteredRow>
): ReadonlyArray<Trace.Method> =>
  Object.entries(contract.methods).map(([method, { idempotency, onOutage }]) => {
    const built = rows.find(({ row }) => row.downstream === contract.name && row.method === method)
    const cache = built?.cache?.instance.values
    const ages = (built?.fallback?.steps ?? []).flatMap(({ instance: { values } }) =>
      typeof values["maxAgeMillis"] === "number" ? [values["maxAgeMillis"]] : []
    )
    if (cache !== undefined) ages.push(staleMillisOf(cache))
    return {
      downstream: contract.name,
      method,
      idempotency,
      onOutage,
      staleMaxMillis: ages.length > 0 ? Math.max(...ages) : undefined,
      ...(cache === undefined
        ? {}
        : { freshMaxMillis: Math.max(Number(cache["freshMillis"]), Number(cache["negativeMillis"])) })
    }
  })

/** How old an answer of a cache may get, by its lifetimes. */
const staleMillisOf = (cache: Facts): number =>
  Number(cache["freshMillis"]) +
  Math.max(Number(cache["staleWhileRevalidateMillis"]), Number(cache["staleIfErrorMillis"]))

/** The cache of a row stands outside of its policies. */
const liveCache = ({ row, cache }: Settings.RegisteredRow): ReadonlyArray<Trace.LivePolicy> =>
  cache === undefined
    ? []
    : [
        {
          downstream: row.downstream,
          method: row.method,
          kind: cache.part.kind,
          name: "cache",
          place: -1,
          knobs: { ...cache.instance.values },
          state: cache.instance.state()
        }
      ]

const livePolicies = (registered: Settings.RegisteredRow): ReadonlyArray<Trace.LivePolicy> => {
  const { row, parts } = registered
  const names = namesOf(parts.map(({ part }) => part))
  const policies = parts.map(({ part, instance }, place) => ({
    downstream: row.downstream,
    method: row.method,
    kind: part.kind,
    name: names[place] ?? part.name,
    place,
    knobs: { ...instance.values },
    state: instance.state()
  }))
  return [...liveCache(registered), ...policies]
}
