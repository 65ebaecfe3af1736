import type { Sometimes } from "../Check.ts"
import type { Trace } from "../Trace.ts"

const refused = (trace: Trace, reason: string) =>
  trace.signals.some(({ signal }) => signal._tag === "CallRefused" && signal.reason === reason)

/**
 * What a campaign counts: in how many of its runs it happened. Those that cannot
 * happen in a composition, for want of such a policy, are left out.
 *
 * @category checks
 * @since 0.1.0
 */
export const sometimes: Readonly<Record<string, { readonly needs: string | undefined; readonly seen: Sometimes }>> = {
  "a breaker opened": {
    needs: "circuitBreaker",
    seen: ({ signals }) => signals.some(({ signal }) => signal._tag === "CircuitChanged" && signal.to === "open")
  },
  "a probe failed": {
    needs: "circuitBreaker",
    seen: ({ signals }) =>
      signals.some(
        ({ signal }) => signal._tag === "CircuitChanged" && signal.from === "half-open" && signal.to === "open"
      )
  },
  "a breaker closed again": {
    needs: "circuitBreaker",
    seen: ({ signals }) => signals.some(({ signal }) => signal._tag === "CircuitChanged" && signal.to === "closed")
  },
  "a bulkhead was full": { needs: "bulkhead", seen: (trace) => refused(trace, "BULKHEAD_FULL") },
  "an attempt timed out": {
    needs: "timeout",
    seen: ({ signals }) => signals.some(({ signal }) => signal._tag === "AttemptTimedOut")
  },
  "a call was retried": {
    needs: "retry",
    seen: ({ signals }) => signals.some(({ signal }) => signal._tag === "RetryScheduled")
  },
  "a fallback was used": {
    needs: undefined,
    seen: ({ signals }) => signals.some(({ signal }) => signal._tag === "AnswerDegraded")
  },
  "a cache answered": {
    needs: "cache",
    seen: ({ signals }) => signals.some(({ signal }) => signal._tag === "CacheHit" || signal._tag === "CacheStaleHit")
  },
  "a caller went away": {
    needs: undefined,
    seen: ({ requests }) => requests.some(({ outcome }) => outcome === "aborted")
  }
}
