/** A drill from its first request to its verdict. */
import { Draw, type Fault, Player } from "@failsoft/core/testing/faults"
import { FaultServer } from "@failsoft/http/testing"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { brokenPromise, gradeOf, orderIdOf, type Response, reasonOf, type Seen } from "./seen.ts"
import type { Shop } from "./shop.ts"
import * as table from "./table.ts"
import { NoTarget } from "./target.ts"
import { type Finding, judge, lookedAt } from "./verdict.ts"

/** How a drill is run; times in milliseconds. */
export interface Options {
  readonly plan: Fault.Plan
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
/** Then each request has an answer, or is known to have none. */
const settledMillis = answerMillis + 250
/** After its last fault and the recovery it looks on for so long. */
const lookMillis = 5000
const burstEvery = 2000
const burst = 5
const warmMillis = 2000

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
    yield* Effect.addFinalizer(() => Effect.ignore(shop.clearPlan))
    print(`warming up for ${warmMillis / 1000} s`)
    yield* traffic(shop, { ...options, plan: { faults: [] } }, warmMillis, () => {})
    print(table.head)
    const seen: Array<Seen> = []
    const faultsEndAt = Player.endOf(plan)
    const length = Math.min(options.mostMillis, faultsEndAt + options.recoveryMillis + lookMillis)
    yield* shop.setPlan(plan, options.seed)
    const startedAt = yield* Clock.currentTimeMillis
    const circuits = yield* sampled(shop, startedAt)
    const ended = yield* Effect.raceFirst(
      Effect.as(
        traffic(shop, options, length, (one) => void seen.push(one)),
        "ran to its end" as const
      ),
      Effect.as(watch(seen, circuits, options, startedAt), "stopped by its abort condition" as const)
    )
    yield* shop.clearPlan
    const charges = yield* shop.charges
    const promises = { faultsEndAt, recoveryMillis: options.recoveryMillis }
    const findings = [lookedAt(plan, length, promises), ...judge(seen, charges, promises)]
    const outcome: Outcome = { ended, seen, findings }
    return outcome
  }).pipe(Effect.scoped)

/** The circuits that are not closed, by the second at whose end they were looked at. */
const sampled = (shop: Shop, startedAt: number) =>
  Effect.gen(function* () {
    const circuits = new Map<number, ReadonlyArray<string>>()
    const look = Effect.gen(function* () {
      for (let nth = 0; ; nth++) {
        const now = yield* Clock.currentTimeMillis
        yield* Effect.sleep(Math.max(0, startedAt + (nth + 1) * 1000 - now))
        // Whoever cannot be asked is missing from one line, and no reason to end a drill.
        circuits.set(nth, yield* Effect.orElseSucceed(shop.circuits, () => []))
      }
    })
    yield* Effect.forkScoped(look)
    return circuits
  })

/** Prints each second once its answers are in, and ends where too many of them failed for too long. */
const watch = (
  seen: ReadonlyArray<Seen>,
  circuits: ReadonlyMap<number, ReadonlyArray<string>>,
  options: Options,
  startedAt: number
) =>
  Effect.gen(function* () {
    let bad = 0
    for (let nth = 0; bad < options.abortSeconds; nth++) {
      const now = yield* Clock.currentTimeMillis
      yield* Effect.sleep(Math.max(0, startedAt + (nth + 1) * 1000 + settledMillis - now))
      const due = seen.filter(({ at }) => at >= nth * 1000 && at < (nth + 1) * 1000)
      options.print(table.line(nth, due, during(options.plan, nth * 1000), circuits.get(nth) ?? []))
      const failed = due.filter(({ grade }) => grade === "failed").length
      const waited = due.filter(({ grade }) => grade !== "gone").length
      bad = waited > 0 && failed / waited >= options.abortShare ? bad + 1 : 0
    }
    options.print(`stopped: for ${bad} s in a row at least ${options.abortShare * 100} % of the requests failed`)
  })

/** The faults at a time, as `hang catalog.eu`. */
const during = ({ disturbances = [], faults }: Fault.Plan, at: number): ReadonlyArray<string> => [
  ...faults
    .filter(({ from, recoverMillis = 0, until }) => from <= at && at < until + recoverMillis)
    .map(
      ({ first, kind, target, until }) =>
        `${at < until ? "" : "fading "}${kind} ${typeof target === "string" ? target : target.join("+")}${first === undefined ? "" : ` (first ${first})`}`
    ),
  ...disturbances.flatMap((of) =>
    of.kind === "abort" && of.from <= at && at < of.until ? [`abort ${of.percent} %`] : []
  )
]

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
        for (const [nth, at] of dues.entries()) {
          const now = yield* Clock.currentTimeMillis
          if (startedAt + at > now) yield* Effect.sleep(startedAt + at - now)
          const sku = `sku-${of.between(1, 50)}`
          const orders = of.chance(0.2)
          const key = `drill-${startedAt}-${options.seed}-${nth}`
          // By its number the far end draws what the simulator draws for this request.
          const trace = FaultServer.traceparent(nth, startedAt)
          const asked = orders ? shop.order(trace, key, sku) : shop.page(trace, sku)
          const leavesAfter = Player.leavesAfter(options.plan, options.seed, { id: nth, at })
          const endpoint = orders ? "order" : "page"
          yield* Effect.forkScoped(
            leavesAfter === undefined
              ? observed(asked, endpoint, startedAt, at, tell)
              : Effect.raceFirst(
                  observed(asked, endpoint, startedAt, at, tell),
                  Effect.andThen(Effect.sleep(leavesAfter), gone(endpoint, at, leavesAfter, tell))
                )
          )
        }
        // Those that are still on their way.
        yield* Effect.sleep(settledMillis)
      })
    )
  })

/** A caller who did not wait. */
const gone = (endpoint: Seen["endpoint"], at: number, millis: number, tell: (seen: Seen) => void) =>
  Effect.sync(() =>
    tell({
      at,
      endpoint,
      grade: "gone",
      status: 0,
      millis,
      broken: undefined,
      reason: undefined,
      orderId: undefined
    })
  )

/** What becomes of a request; one that is not answered in time has failed, whoever still waits for it. */
const observed = (
  asked: Effect.Effect<Response, NoTarget>,
  endpoint: Seen["endpoint"],
  startedAt: number,
  at: number,
  tell: (seen: Seen) => void
) =>
  Effect.matchEffect(inTime(asked, startedAt + at), {
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

const inTime = (asked: Effect.Effect<Response, NoTarget>, dueAt: number) =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.timeoutOrElse(asked, {
      duration: Math.max(0, dueAt + answerMillis - now),
      orElse: () => Effect.fail(new NoTarget({ message: `no answer within ${answerMillis} ms` }))
    })
  )
