/**
 * What happened in a run: requests, attempts at the downstreams, signals, the state
 * at the end. Checks read it, reports show it.
 *
 * **Details**
 *
 * Times are milliseconds since the start of the run. `request` is the number of a
 * request of the traffic, -1 for work that belongs to none. `nth` orders everything
 * that was written down, also within one moment.
 *
 * **Gotchas**
 *
 * An attempt is seen from outside of the faults: `outcome` is what the ring got, and
 * `applied` whether the downstream really did it.
 *
 * **Example** (a check of one's own)
 *
 * ```ts
 * import type { Trace } from "@failsoft/core/testing"
 *
 * const neverTwice = (trace: Trace.Trace): string | undefined => {
 *   const charges = trace.attempts.filter(({ method, applied }) => method === "charge" && applied)
 *   return charges.length > trace.requests.length ? `${charges.length} charges` : undefined
 * }
 * void neverTwice
 * ```
 *
 * @since 0.1.0
 */
import type { Quality } from "../Answer.ts"
import type { Entry } from "../Journal.ts"
import type { Facts } from "../Policy.ts"
import type { Signal } from "../Signal.ts"
import { draw } from "./Draw.ts"
import type { Plan, PlannedFault } from "./Fault.ts"

/**
 * How a request ended: `permanent` is a word that its contract declares,
 * `unfinished` that it had not ended when the run was over.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome = "answered" | "permanent" | "unavailable" | "died" | "aborted" | "unfinished"

/**
 * One request of the traffic.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  readonly id: number
  readonly nth: number
  readonly name: string
  readonly at: number
  endedAt: number | undefined
  /** The place of its end among everything that was written down. */
  endedNth: number | undefined
  outcome: Outcome
  quality: Quality
  /** The error's word, or the defect. */
  detail: string
  /** What degraded it. */
  degraded: ReadonlyArray<Entry>
}

/**
 * One attempt at a downstream.
 *
 * @category models
 * @since 0.1.0
 */
export interface Attempt {
  readonly nth: number
  readonly request: number
  readonly downstream: string
  readonly method: string
  readonly at: number
  endedAt: number | undefined
  /** The place of its end among everything that was written down. */
  endedNth: number | undefined
  /** 0 for the first of its call, as the retry says. */
  readonly attempt: number
  /** The payload: attempts of one call have the same object. */
  readonly payload: unknown
  readonly idempotencyKey: string | undefined
  /** Whose call it is (`CallKey`), for policies that keep a state per key. */
  readonly key: string
  /** The kinds of the faults that it met. */
  faults: ReadonlyArray<PlannedFault["kind"]>
  outcome: "running" | "answered" | "permanent" | "transient" | "violation" | "refused" | "interrupted" | "died"
  applied: boolean
  /** Whether its error says that nothing can have been applied. */
  certainlyNot: boolean
  /** The circuit of its stack as it was sent, its own where each key has one; nothing without a breaker. */
  readonly circuit: string | undefined
  /** Where it was sent, of a downstream with several regions. */
  readonly region?: AskedRegion | undefined
}

/**
 * The region that an attempt was sent to. A look is beside the call, only to know how
 * the region does: its answer serves nobody.
 *
 * @category models
 * @since 0.1.0
 */
export interface AskedRegion {
  readonly name: string
  /** The region's own circuit as it was sent; nothing without a breaker. */
  readonly circuit: string | undefined
  readonly look: boolean
}

/**
 * A signal, and the request in whose fiber it was told.
 *
 * @category models
 * @since 0.1.0
 */
export interface Told {
  readonly nth: number
  readonly at: number
  readonly request: number
  readonly signal: Signal
}

/**
 * One call of a method with monotonic reads for a session that has a name, and as of when
 * what it was shown was true.
 *
 * @category models
 * @since 0.1.0
 */
export interface Read {
  readonly nth: number
  readonly request: number
  readonly downstream: string
  readonly method: string
  readonly session: string
  /** What was asked for: of which method, whose, and with which payload. */
  readonly key: string
  readonly at: number
  endedAt: number | undefined
  /** The place of its end among everything that was written down. */
  endedNth: number | undefined
  /** Milliseconds since the start of the run; nothing where no answer was shown, or one that does not say. */
  asOf: number | undefined
  /** Whether a cache below its downstream said how old it was, which is in whole seconds. */
  aged?: boolean
}

/**
 * One policy of one row, as it is when the run is over.
 *
 * @category models
 * @since 0.1.0
 */
export interface LivePolicy {
  readonly downstream: string
  readonly method: string
  readonly kind: string
  readonly name: string
  /** Its place in the stack, outermost 0. */
  readonly place: number
  readonly knobs: Facts
  readonly state: Facts
}

/**
 * What a row of a contract promises.
 *
 * @category models
 * @since 0.1.0
 */
export interface Method {
  readonly downstream: string
  readonly method: string
  readonly idempotency: "safe" | "keyed" | "unsafe"
  readonly onOutage: "fail" | "degrade" | "degrade-or-fail"
  /** How old a stale answer may be; nothing where the fallback does not say, or the client is hidden. */
  readonly staleMaxMillis: number | undefined
  /** How old an answer of its cache may be and count as fresh; nothing without a cache. */
  readonly freshMaxMillis?: number | undefined
}

/**
 * What was left when all was over.
 *
 * @category models
 * @since 0.1.0
 */
export interface Left {
  readonly fibers: number
  readonly timers: number
}

/**
 * A run.
 *
 * @category models
 * @since 0.1.0
 */
export interface Trace {
  readonly seed: number
  readonly plan: Plan
  readonly requests: ReadonlyArray<Request>
  readonly attempts: ReadonlyArray<Attempt>
  readonly signals: ReadonlyArray<Told>
  readonly reads: ReadonlyArray<Read>
  readonly policies: ReadonlyArray<LivePolicy>
  readonly methods: ReadonlyArray<Method>
  /** When the last fault was over, with its fading. */
  readonly faultsEndAt: number
  readonly endedAt: number
  readonly left: Left
  /** Nothing was ready and nobody slept, at this time. */
  readonly deadlockAt: number | undefined
  /** Time and chance that the simulator does not control: what was called, and where. */
  readonly uncontrolled: ReadonlyArray<string>
  /** Why the layer could not be built, or the run died. */
  readonly failure: string | undefined
}

/**
 * What an attempt asked: a downstream, or one region of it (`catalog.eu`).
 *
 * @category accessors
 * @since 0.1.0
 */
export const placeOf = ({ downstream, region }: Pick<Attempt, "downstream" | "region">): string =>
  region === undefined ? downstream : `${downstream}.${region.name}`

const rounded = (at: number | undefined) => (at === undefined ? "-" : String(Math.round(at * 1000) / 1000))

const signalText = ({ signal }: Told): string => {
  const { _tag, at: _, downstream, method, ...rest } = signal
  return `${_tag} ${downstream}/${method} ${JSON.stringify(rest)}`
}

/**
 * A trace as lines of text, the same for the same run.
 *
 * @category rendering
 * @since 0.1.0
 */
export const lines = (trace: Trace): ReadonlyArray<string> => {
  const all: Array<{ readonly at: number; readonly nth: number; readonly text: string }> = []
  for (const of of trace.requests) {
    const ended = `${of.outcome} ${of.quality} ${rounded(of.endedAt)} ${of.detail}`
    all.push({ at: of.at, nth: of.nth, text: `request ${of.id} ${of.name}: ${ended}` })
  }
  for (const of of trace.attempts) {
    const what = `${placeOf(of)}/${of.method} #${of.attempt} ${of.idempotencyKey ?? ""}`
    const how = `${of.outcome}${of.applied ? " applied" : ""} ${rounded(of.endedAt)} ${of.faults.join(",")}`
    all.push({ at: of.at, nth: of.nth, text: `attempt of ${of.request} ${what}: ${how}` })
  }
  for (const of of trace.signals)
    all.push({ at: of.at, nth: of.nth, text: `signal in ${of.request} ${signalText(of)}` })
  for (const of of trace.reads) {
    const what = `read in ${of.request} of ${of.session} ${of.key}`
    all.push({ at: of.at, nth: of.nth, text: `${what}: ${rounded(of.asOf)} ${rounded(of.endedAt)}` })
  }
  all.sort((a, b) => a.nth - b.nth)
  return [
    ...all.map(({ at, text }) => `${rounded(at)} ${text}`),
    `left ${JSON.stringify(trace.left)} at ${rounded(trace.endedAt)} ${trace.deadlockAt ?? ""} ${trace.failure ?? ""}`
  ]
}

/**
 * A short word that is the same for the same trace.
 *
 * @category rendering
 * @since 0.1.0
 */
export const hash = (trace: Trace): string => {
  const text = lines(trace).join("\n")
  return [1, 2]
    .map((nth) =>
      Math.floor(draw(nth, text) * 0x1_0000_0000)
        .toString(16)
        .padStart(8, "0")
    )
    .join("")
}

/** From the best to the worst; a final word is as good as an answer. */
const ranks = { answered: 0, permanent: 0, aborted: 0, unavailable: 10, died: 11, unfinished: 12 } as const
const qualityRanks = { fresh: 0, stale: 1, partial: 2, optimistic: 3, deferred: 4, substituted: 5, omitted: 6 } as const

/**
 * How bad the end of a request was: 0 is as good as can be.
 *
 * @category accessors
 * @since 0.1.0
 */
export const badness = ({ outcome, quality }: Pick<Request, "outcome" | "quality">): number =>
  outcome === "answered" ? qualityRanks[quality] : ranks[outcome]
