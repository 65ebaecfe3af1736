/** A drill from its first request to its verdict. */
import { Draw, Fault as Kit } from "@failsoft/core/testing"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Fault } from "../faults/Fault.ts"
import * as plans from "./plans.ts"
import { brokenPromise, gradeOf, orderIdOf, type Response, reasonOf, type Seen } from "./seen.ts"
import type { Shop } from "./shop.ts"
import * as table from "./table.ts"
import { NoTarget } from "./target.ts"
import { type Finding, judge } from "./verdict.ts"

/** How a drill is run; times in milliseconds. */
export interface Options {
  readonly plan: Kit.Plan
  /** Requests per second, and how many of them come at once every two seconds. */
  readonly perSecond: number
  readonly seed: number
  /** The drill ends then at the latest. */
  readonly mostMillis: number
  /** It ends by itself where so large a share failed for so many seconds. */
  readonly abortShare: number
  readonly abortSeconds: number
  readonly recoveryMillis: number
  readonly print: (line: string) => void
}

/** How a drill has ended. */
export interface Outcome {
  readonly ended: "ran to its end" | "stopped by its abort condition"
  readonly seen: ReadonlyArray<Seen>
  readonly findings: ReadonlyArray<Finding>
}

/** The deadline of a request, and what the way there and back may add on a busy machine. */
const answerMillis = 2000 + 500
/** After its last fault and the recovery it looks on for so long. */
const lookMillis = 5000
const burstEvery = 2000
const burst = 5
const warmMillis = 2000

const decodeFault = Schema.decodeUnknownEffect(Fault)

/** Runs it. Whatever happens, the faults are taken away again. */
export const run = (shop: Shop, options: Options) =>
  Effect.gen(function* () {
    const active = yield* shop.faults
    if (active.length > 0) {
      return yield* new NoTarget({
        message: `There are faults already, of ${active.join(", ")}: end them before a drill.`
      })
    }
    const { plan, print } = options
    const targets = [...new Set(plans.steps(plan).map(({ target }) => target))]
    yield* Effect.addFinalizer(() =>
      Effect.forEach(targets, (target) => Effect.ignore(shop.clearFault(target)), { discard: true })
    )
    print(`warming up for ${warmMillis / 1000} s`)
    yield* traffic(shop, options, warmMillis, () => {})
    print(table.head)
    const seen: Array<Seen> = []
    const length = Math.min(options.mostMillis, plans.endOf(plan) + options.recoveryMillis + lookMillis)
    const startedAt = yield* Clock.currentTimeMillis
    const faults = yield* Effect.forkScoped(steer(shop, plan))
    const ended = yield* Effect.raceFirst(
      Effect.as(
        traffic(shop, options, length, (one) => void seen.push(one)),
        "ran to its end" as const
      ),
      Effect.as(watch(seen, options, startedAt), "stopped by its abort condition" as const)
    )
    yield* Effect.sync(() => faults.interruptUnsafe())
    yield* Effect.forEach(targets, (target) => shop.clearFault(target), { discard: true })
    const charges = yield* shop.charges
    const promises = { faultsEndAt: plans.endOf(plan), recoveryMillis: options.recoveryMillis }
    const outcome: Outcome = { ended, seen, findings: judge(seen, charges, promises) }
    return outcome
  }).pipe(Effect.scoped)

/** Begins and ends each fault at its time. */
const steer = (shop: Shop, plan: Kit.Plan) =>
  Effect.gen(function* () {
    let now = 0
    for (const { at, fault, target } of plans.steps(plan)) {
      yield* Effect.sleep(at - now)
      now = at
      if (fault === undefined) yield* shop.clearFault(target)
      else yield* Effect.flatMap(decodeFault(fault), (of) => shop.setFault(target, of))
    }
  })

/** Prints each second once its answers are in, and ends where too many of them failed for too long. */
const watch = (seen: ReadonlyArray<Seen>, options: Options, startedAt: number) =>
  Effect.gen(function* () {
    let bad = 0
    for (let nth = 0; bad < options.abortSeconds; nth++) {
      const now = yield* Clock.currentTimeMillis
      yield* Effect.sleep(Math.max(0, startedAt + (nth + 1) * 1000 + answerMillis - now))
      const due = seen.filter(({ at }) => at >= nth * 1000 && at < (nth + 1) * 1000)
      options.print(table.line(nth, due, during(options.plan, nth * 1000)))
      const failed = due.filter(({ grade }) => grade === "failed").length
      bad = due.length > 0 && failed / due.length >= options.abortShare ? bad + 1 : 0
    }
    options.print(`stopped: for ${bad} s in a row at least ${options.abortShare * 100} % of the requests failed`)
  })

/** The faults at a time, as `hang catalog.eu`. */
const during = (plan: Kit.Plan, at: number): ReadonlyArray<string> =>
  plan.faults
    .filter(({ from, until }) => from <= at && at < until)
    .map(({ kind, target }) => `${kind} ${typeof target === "string" ? target : target.join("+")}`)

/** Open-loop traffic: each request leaves when it is due, whatever became of those before. */
const traffic = (shop: Shop, options: Options, forMillis: number, tell: (seen: Seen) => void) =>
  Effect.gen(function* () {
    const of = Draw.choices(options.seed)
    const startedAt = yield* Clock.currentTimeMillis
    const gap = 1000 / options.perSecond
    const dues: Array<number> = []
    for (let at = 0; at < forMillis; at += gap) dues.push(at)
    for (let at = burstEvery; at < forMillis; at += burstEvery) for (let nth = 0; nth < burst; nth++) dues.push(at)
    dues.sort((a, b) => a - b)
    yield* Effect.scoped(
      Effect.gen(function* () {
        const fibers = []
        for (const [nth, at] of dues.entries()) {
          const now = yield* Clock.currentTimeMillis
          if (startedAt + at > now) yield* Effect.sleep(startedAt + at - now)
          const sku = `sku-${of.between(1, 50)}`
          const orders = of.chance(0.2)
          const key = `drill-${startedAt}-${options.seed}-${nth}`
          const asked = orders ? shop.order(key, sku) : shop.page(sku)
          fibers.push(yield* Effect.forkScoped(observed(asked, orders ? "order" : "page", startedAt, at, tell)))
        }
        // Those that are still on their way.
        yield* Effect.sleep(answerMillis)
      })
    )
  })

const observed = (
  asked: Effect.Effect<Response, NoTarget>,
  endpoint: Seen["endpoint"],
  startedAt: number,
  at: number,
  tell: (seen: Seen) => void
) =>
  Effect.matchEffect(asked, {
    onSuccess: (response) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const millis = now - startedAt - at
        const broken = brokenPromise(response, millis, answerMillis)
        tell({
          at,
          endpoint,
          grade: gradeOf(response),
          status: response.status,
          millis,
          broken,
          reason: reasonOf(response),
          orderId: orderIdOf(response)
        })
      }),
    onFailure: ({ message }) =>
      Effect.map(Clock.currentTimeMillis, (now) =>
        tell({
          at,
          endpoint,
          grade: "failed",
          status: 0,
          millis: now - startedAt - at,
          broken: message,
          reason: undefined,
          orderId: undefined
        })
      )
  })
