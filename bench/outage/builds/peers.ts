/**
 * The peers' configurations, all of them, to be read and contested.
 *
 * All have the fallbacks of `page.ts` and the numbers of `settings.ts`: attempt
 * timeout, retries with backoff, breaker threshold, window and open time, bulkhead, and
 * the time of the whole call. Where its documentation advises otherwise it is to the peer's
 * advantage here: an open circuit is tried again after 1 s (cockatiel's examples: 10 s,
 * opossum's default: 30 s), final errors neither trip a breaker nor are repeated,
 * refusals by a full bulkhead or an open circuit are not repeated, and every attempt that
 * is given up is cancelled.
 *
 * What they have not: a budget of retries, a limit that finds itself, a way back in steps
 * (cockatiel and opossum let one probe through), regions. The last is written by hand
 * below, in the same order as ours: who refuses was never asked, so the next is asked at once.
 */
import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
  retry,
  SamplingBreaker,
  TimeoutStrategy,
  timeout,
  wrap
} from "cockatiel"
import CircuitBreaker from "opossum"
import { knobs, type Name, type Reply, type Start } from "../settings.ts"
import { type Ask, asking, Gone, type Guarded, serve } from "./page.ts"

/** Error codes of what was certainly not sent. */
const notSent = (error: unknown, refused: (error: unknown) => boolean): boolean =>
  refused(error) || (error instanceof Error && "code" in error && error.code === "ECONNREFUSED")

/** Asks the regions in turn, each attempt beginning with another one, as long as nothing was sent. */
const inTurn = async (
  regions: ReadonlyArray<() => Promise<Reply>>,
  attempt: number,
  refused: (error: unknown) => boolean
): Promise<Reply> => {
  for (let nth = 0; ; nth++) {
    const ask = regions[(attempt + nth) % regions.length]
    if (ask === undefined) throw new Error("there is no region")
    try {
      return await ask()
    } catch (error) {
      if (nth + 1 >= regions.length || !notSent(error, refused)) throw error
    }
  }
}

const build =
  (guard: (ask: Ask, name: Name, regions: ReadonlyArray<number>) => Guarded): Start =>
  (origins) => {
    const ask = asking(origins)
    const of = (name: Name) => guard(ask, name, [...origins[name].keys()])
    return serve({ essential: of("essential"), degradable: of("degradable"), optional: of("optional") })
  }

/** Timeouts, and nothing else. With two regions it asks the first, and the second where that is refused. */
export const naive: Start = build(
  (ask, name, regions) => (sku) =>
    inTurn(
      regions.map((region) => () => ask(name, region, sku, AbortSignal.timeout(knobs.attemptMillis))),
      0,
      () => false
    )
)

/** https://github.com/connor4312/cockatiel: fallback > timeout > retry > circuit breaker > bulkhead > timeout. */
export const cockatiel: Start = build((ask, name, regions) => {
  const refused = (error: unknown) => error instanceof BrokenCircuitError || error instanceof BulkheadRejectedError
  const passing = handleWhen((error) => !(error instanceof Gone || error instanceof BulkheadRejectedError))
  const whole = timeout(knobs.callMillis, TimeoutStrategy.Aggressive)
  const again = retry(
    handleWhen((error) => !(error instanceof Gone || refused(error))),
    {
      maxAttempts: knobs.retries,
      // Decorrelated jitter is its default.
      backoff: new ExponentialBackoff({ initialDelay: knobs.backoffMillis, maxDelay: knobs.backoffMaxMillis })
    }
  )
  const guards = regions.map(() =>
    wrap(
      circuitBreaker(passing, {
        halfOpenAfter: knobs.openMillis,
        breaker: new SamplingBreaker({
          threshold: knobs.failureRate,
          duration: knobs.windowMillis,
          minimumRps: (knobs.minimumCalls * 1000) / knobs.windowMillis
        })
      }),
      bulkhead(knobs.permits, knobs.queue),
      timeout(knobs.attemptMillis, TimeoutStrategy.Aggressive)
    )
  )
  return (sku) =>
    whole.execute(({ signal }) =>
      again.execute(
        ({ attempt, signal }) =>
          inTurn(
            guards.map((guard, region) => () => guard.execute(({ signal }) => ask(name, region, sku, signal), signal)),
            attempt,
            refused
          ),
        signal
      )
    )
})

/** https://nodeshift.dev/opossum: its breaker has a timeout and a capacity; the retry around it is by hand, as it has none. */
export const opossum: Start = build((ask, name, regions) => {
  const codes = new Set(["EOPENBREAKER", "ESEMLOCKED"])
  const refused = (error: unknown) => error instanceof Error && "code" in error && codes.has(String(error.code))
  const breakers = regions.map(
    (region) =>
      new CircuitBreaker((sku: string, signal: AbortSignal) => ask(name, region, sku, signal), {
        timeout: knobs.attemptMillis,
        capacity: knobs.permits,
        errorThresholdPercentage: knobs.failureRate * 100,
        volumeThreshold: knobs.minimumCalls,
        rollingCountTimeout: knobs.windowMillis,
        resetTimeout: knobs.openMillis,
        errorFilter: (error) => error instanceof Gone
      })
  )
  const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))
  return async (sku) => {
    const until = Date.now() + knobs.callMillis
    for (let attempt = 0; ; attempt++) {
      try {
        return await inTurn(
          // Its own AbortController is one for all calls of a breaker; a signal for each call cancels that one only.
          breakers.map((breaker) => () => breaker.fire(sku, AbortSignal.timeout(knobs.attemptMillis))),
          attempt,
          refused
        )
      } catch (error) {
        const wait = Math.random() * Math.min(knobs.backoffMaxMillis, knobs.backoffMillis * 2 ** attempt)
        const late = Date.now() + wait + knobs.attemptMillis > until
        if (error instanceof Gone || refused(error) || attempt >= knobs.retries || late) throw error
        await sleep(wait)
      }
    }
  }
})
