/**
 * Lives through a plan of faults: which of them meets a call now, and what it does.
 *
 * **Details**
 *
 * The simulator, {@link Fault.layer} and servers that misbehave on purpose ask the same
 * player, so that one plan means the same in all of them. Draws have a key: the seed,
 * the place of the fault in the plan, the request, and how many calls of that request
 * came before. The faults are asked in the order of the plan: delays add up, and the
 * first that does more decides.
 *
 * A target `catalog` also means its regions `catalog.eu` and `catalog.us`.
 *
 * **Gotchas**
 *
 * What counts is counted by the player: `first`, and how many calls are in progress.
 * Two players of one plan, in two processes, each count their own.
 *
 * **Example** (the third charge goes through)
 *
 * ```ts
 * import { Player } from "@failsoft/core/testing"
 *
 * const player = Player.make(
 *   { faults: [{ kind: "down", target: "payments", from: 0, until: 1000, first: 2 }] },
 *   { seed: 1, elapsedMillis: () => 500 }
 * )
 * for (let request = 0; request < 3; request++) {
 *   console.log(player.enter("payments", "charge", request).decision._tag)
 *   player.leave("payments")
 * }
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { draw } from "./Draw.ts"
import type { Plan, PlannedFault } from "./Fault.ts"
import { type Decision, decide, warmShare } from "./internal/decide.ts"
import { takes } from "./internal/pace.ts"

/**
 * What a call meets.
 *
 * @category models
 * @since 0.1.0
 */
export interface Met {
  readonly decision: Decision
  /** Its answer, or what is done to it, comes so much later. */
  readonly delayMillis: number
  /** The kinds of the faults that had a part in it. */
  readonly kinds: ReadonlyArray<PlannedFault["kind"]>
  /** When the fault that decided ends, in milliseconds since the start. */
  readonly until: number
  /** When its work is slow: it may begin, or go on, long after the call has come. */
  readonly slow: ReadonlyArray<Slowness>
}

/**
 * Work goes `factor` times as slowly, from a moment until another, in milliseconds since
 * the start.
 *
 * @category models
 * @since 0.1.0
 */
export interface Slowness {
  readonly factor: number
  readonly from: number
  readonly until: number
}

/**
 * A plan that is being lived through. Downstreams are named as in targets; a request is
 * a whole number, -1 where nobody knows for whom a call is made.
 *
 * @category models
 * @since 0.1.0
 */
export interface Player {
  /** Milliseconds since the plan began. */
  readonly elapsedMillis: () => number
  /** Whether some fault is for this method, at any time: if not, nothing needs to be asked. */
  readonly concerns: (downstream: string, method: string) => boolean
  /** A call that a fault is for comes: what it meets. It counts as in progress until it {@link Player.leave}s. */
  readonly enter: (downstream: string, method: string, request: number) => Met
  /**
   * The downstream has so many workers: from now on less capacity refuses none of its calls,
   * but takes workers away. What is returned says how many are there, at least one.
   */
  readonly employ: (downstream: string, count: number) => () => number
  /** A call of the downstream is over. */
  readonly leave: (downstream: string) => void
  /** Whether whoever connects to this downstream now is refused, whatever is asked. */
  readonly isDown: (downstream: string) => boolean
  /** When {@link Player.isDown} may change next, in milliseconds since the start; nothing after the last time. */
  readonly changesAt: (downstream: string) => number | undefined
}

/** A fault, the targets it is for, and the calls that it has met. */
interface Active {
  readonly fault: PlannedFault
  readonly nth: number
  readonly targets: ReadonlyArray<string>
  met: number
}

/**
 * What a call meets that no fault is for.
 *
 * @category constants
 * @since 0.1.0
 */
export const well: Met = { decision: { _tag: "Serve", delayMillis: 0 }, delayMillis: 0, kinds: [], until: 0, slow: [] }

/** So many requests are remembered: a server that runs for days has more, and the first are long over. */
const requestsMax = 100_000

/** The names by which targets mean a downstream: its own, and that of which it is a region. */
const namesOf = (downstream: string): ReadonlyArray<string> => {
  const dot = downstream.indexOf(".")
  return dot > 0 ? [downstream, downstream.slice(0, dot)] : [downstream]
}

/** Whether a fault is for the workers of a downstream, and not for some of its calls. */
const takesWorkers = ({ fault, targets }: Active, names: ReadonlyArray<string>): boolean =>
  (fault.kind === "capacity" || fault.kind === "coldStart") &&
  fault.first === undefined &&
  targets.some((of) => names.includes(of))

/** How many of all workers a fault leaves; while it fades they come back one by one. */
const workersUnder = (fault: PlannedFault, count: number, now: number): number => {
  const { from, recoverMillis = 0, until } = fault
  if (now < from || now >= until + recoverMillis) return count
  const least =
    fault.kind === "capacity"
      ? Math.min(count, fault.concurrent)
      : fault.kind === "coldStart"
        ? Math.round(count * warmShare(Math.min(now, until) - from, fault.millis))
        : count
  const fading = now < until ? 0 : (now - until) / recoverMillis
  return Math.floor(least + (count - least) * fading)
}

class Playing implements Player {
  readonly elapsedMillis: () => number
  private readonly active: ReadonlyArray<Active>
  private readonly seed: number
  private readonly inFlight = new Map<string, number>()
  private readonly employing = new Set<string>()
  /** The faults that may meet a method at some time, by its name. */
  private readonly byMethod = new Map<string, ReadonlyArray<Active>>()
  /** How many calls each request has made to each method, so that draws have a key. */
  private readonly asked = new Map<string, number>()

  constructor(plan: Plan, seed: number, elapsedMillis: () => number) {
    this.seed = seed
    this.elapsedMillis = elapsedMillis
    this.active = plan.faults.map((fault, nth) => ({
      fault,
      nth,
      targets: typeof fault.target === "string" ? [fault.target] : fault.target,
      met: 0
    }))
  }

  concerns(downstream: string, method: string): boolean {
    return this.of(downstream, method).length > 0
  }

  enter(downstream: string, method: string, request: number): Met {
    const running = (this.inFlight.get(downstream) ?? 0) + 1
    this.inFlight.set(downstream, running)
    const faults = this.of(downstream, method)
    return faults.length === 0 ? well : this.meet(faults, `${downstream}/${method}`, request, running)
  }

  leave(downstream: string): void {
    this.inFlight.set(downstream, (this.inFlight.get(downstream) ?? 1) - 1)
  }

  employ(downstream: string, count: number): () => number {
    const names = namesOf(downstream)
    const taking = this.active.filter((of) => takesWorkers(of, names)).map(({ fault }) => fault)
    this.employing.add(downstream)
    // Which faults are for its calls is found again, without these.
    this.byMethod.clear()
    return () => {
      const now = this.elapsedMillis()
      return Math.max(1, Math.min(count, ...taking.map((fault) => workersUnder(fault, count, now))))
    }
  }

  isDown(downstream: string): boolean {
    const now = this.elapsedMillis()
    const names = namesOf(downstream)
    // What stands before it in the plan decides first, and wants to see the call.
    const first = this.deciding(downstream).find(
      ({ fault, targets }) =>
        fault.kind !== "slow" &&
        now >= fault.from &&
        now < fault.until + (fault.recoverMillis ?? 0) &&
        targets.some((of) => names.some((name) => of === name || of.startsWith(`${name}/`)))
    )
    return (
      first?.fault.kind === "down" &&
      first.fault.first === undefined &&
      now < first.fault.until &&
      first.targets.some((of) => names.includes(of))
    )
  }

  changesAt(downstream: string): number | undefined {
    const now = this.elapsedMillis()
    const names = namesOf(downstream)
    const next = Math.min(
      ...this.active
        .filter(({ targets }) => targets.some((of) => names.some((name) => of === name || of.startsWith(`${name}/`))))
        .flatMap(({ fault: { from, until, recoverMillis = 0 } }) => [from, until, until + recoverMillis])
        .filter((at) => at > now)
    )
    return next === Infinity ? undefined : next
  }

  private of(downstream: string, method: string): ReadonlyArray<Active> {
    const name = `${downstream}/${method}`
    const known = this.byMethod.get(name)
    if (known !== undefined) return known
    const names = namesOf(downstream)
    const faults = this.deciding(downstream).filter(({ targets }) =>
      targets.some((of) => names.some((name) => of === name || of === `${name}/${method}`))
    )
    this.byMethod.set(name, faults)
    return faults
  }

  /** The faults, without those that take its workers away. */
  private deciding(downstream: string): ReadonlyArray<Active> {
    const names = namesOf(downstream)
    return this.employing.has(downstream) ? this.active.filter((of) => !takesWorkers(of, names)) : this.active
  }

  private nth(request: number, name: string): number {
    const key = `${request} ${name}`
    const nth = this.asked.get(key) ?? 0
    this.asked.set(key, nth + 1)
    if (this.asked.size > requestsMax) {
      const [oldest] = this.asked.keys()
      if (oldest !== undefined) this.asked.delete(oldest)
    }
    return nth
  }

  private meet(faults: ReadonlyArray<Active>, name: string, request: number, inFlight: number): Met {
    const now = this.elapsedMillis()
    const nth = this.nth(request, name)
    let delayMillis = 0
    const kinds: Array<PlannedFault["kind"]> = []
    const slow: Array<Slowness> = []
    for (const active of faults) {
      const { fault } = active
      // A slowness that is to come may find the work in the queue, or half done.
      if (fault.kind === "slow" && now < fault.from && fault.first === undefined) slow.push(fault)
      if (now < fault.from || now >= fault.until + (fault.recoverMillis ?? 0)) continue
      if (fault.first !== undefined && active.met >= fault.first) continue
      // A fault that fades meets fewer and fewer.
      const fading = (now - fault.until) / (fault.recoverMillis ?? 1)
      if (now >= fault.until && draw(this.seed, active.nth, request, nth, "fade") < fading) continue
      active.met++
      if (fault.kind === "slow") {
        kinds.push(fault.kind)
        slow.push({ ...fault, until: now < fault.until ? fault.until : fault.until + (fault.recoverMillis ?? 0) })
        continue
      }
      const decision = decide(fault, {
        elapsedMillis: now - fault.from,
        inFlight,
        // Targets of one fault share their luck: they fail together.
        draw: draw(this.seed, active.nth, request, nth, fault.kind)
      })
      if (decision._tag === "Serve") {
        if (decision.delayMillis > 0) kinds.push(fault.kind)
        delayMillis += decision.delayMillis
        continue
      }
      kinds.push(fault.kind)
      return { decision, delayMillis, kinds, until: fault.until, slow }
    }
    return kinds.length === 0 && slow.length === 0 ? well : { ...well, delayMillis, kinds, slow }
  }
}

/**
 * A player of a plan whose time is told by `elapsedMillis`, in milliseconds since the
 * plan began.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (plan: Plan, options: { readonly seed: number; readonly elapsedMillis: () => number }): Player =>
  new Playing(plan, options.seed, options.elapsedMillis)

/**
 * A player of a plan that begins now, on the clock of the fiber that makes it; or that
 * began at `startedAt`, in milliseconds since 1970, as somebody says who has told the
 * same to other processes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const start = (
  plan: Plan,
  options: { readonly seed?: number; readonly startedAt?: number } = {}
): Effect.Effect<Player> =>
  Effect.clockWith((clock) =>
    Effect.sync(() => {
      const { seed = 1, startedAt } = options
      const begun = clock.monotonicTimeNanosUnsafe()
      const elapsedMillis =
        startedAt === undefined
          ? () => Number(clock.monotonicTimeNanosUnsafe() - begun) / 1e6
          : () => clock.currentTimeMillisUnsafe() - startedAt
      return make(plan, { seed, elapsedMillis })
    })
  )

/**
 * How long a call's work takes that begins `at` so many milliseconds after the start of
 * the plan, and would take `millis`: what a slowness has left undone goes on at its usual
 * pace.
 *
 * @category accessors
 * @since 0.1.0
 */
export const workMillis = ({ slow }: Met, millis: number, at: number): number => takes(millis, at, slow)

/**
 * The work of a call, as slow as the plan makes it at each moment from when it begins: its
 * end comes later.
 *
 * @category accessors
 * @since 0.1.0
 */
export const slowed = <A, E>(work: Effect.Effect<A, E>, met: Met, elapsedMillis: () => number): Effect.Effect<A, E> =>
  met.slow.length === 0
    ? work
    : Effect.suspend(() => {
        const from = elapsedMillis()
        return Effect.flatMap(Effect.exit(work), (exit) => {
          const millis = elapsedMillis() - from
          return Effect.delay(exit, workMillis(met, millis, from) - millis)
        })
      })

/**
 * The targets of a plan that are not among the downstreams and their methods, in the
 * order of the plan. A downstream that is known by its regions is known.
 *
 * @category accessors
 * @since 0.1.0
 */
export const unknownTargets = (
  { faults }: Plan,
  known: Readonly<Record<string, ReadonlyArray<string>>>
): ReadonlyArray<string> => {
  const names = new Set(
    Object.entries(known).flatMap(([downstream, methods]) =>
      namesOf(downstream).flatMap((name) => [name, ...methods.map((method) => `${name}/${method}`)])
    )
  )
  return [...new Set(faults.flatMap(({ target }) => target))].filter((target) => !names.has(target))
}

/**
 * The moment at which nothing of a plan is left, in milliseconds since its start; fading
 * and disturbances are part of it.
 *
 * @category accessors
 * @since 0.1.0
 */
export const endOf = ({ faults, disturbances = [] }: Plan): number =>
  Math.max(
    0,
    ...faults.map(({ until, recoverMillis = 0 }) => until + recoverMillis),
    ...disturbances.map((of) => (of.kind === "abort" ? of.until : of.from))
  )

/**
 * Whether the caller of a request goes away after a time, as the plan's disturbances
 * say: milliseconds after it has come, or nothing.
 *
 * @category accessors
 * @since 0.1.0
 */
export const leavesAfter = (
  { disturbances = [] }: Plan,
  seed: number,
  of: { readonly id: number; readonly at: number }
): number | undefined =>
  disturbances
    .flatMap((one) => (one.kind === "abort" ? [one] : []))
    .find(({ from, until, percent }) => from <= of.at && of.at < until && draw(seed, of.id, "abort") * 100 < percent)
    ?.afterMillis
