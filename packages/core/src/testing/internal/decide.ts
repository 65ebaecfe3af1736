/**
 * What a fault does to one request: a pure function of the fault, the time since
 * it began, how many requests are in progress, and a keyed random draw, so that a
 * test and a server decide alike.
 */
import type { Fault } from "../Fault.ts"

/**
 * What is known when a request comes in; `draw` is from 0 up to 1.
 *
 * @category models
 * @since 0.1.0
 */
export interface Moment {
  readonly elapsedMillis: number
  readonly inFlight: number
  readonly draw: number
}

/**
 * What happens to the request.
 *
 * @category models
 * @since 0.1.0
 */
export type Decision =
  | { readonly _tag: "Serve"; readonly delayMillis: number }
  | { readonly _tag: "Refuse"; readonly status: number; readonly retryAfterSeconds?: number }
  | {
      readonly _tag:
        | "Hang"
        | "Drip"
        | "Garble"
        | "Truncate"
        | "FailAfter"
        | "ResetBefore"
        | "ResetAfter"
        | "Unreachable"
    }

/**
 * The requests at once that a server of ours carries when it is warm.
 *
 * @category constants
 * @since 0.1.0
 */
export const fullCapacity = 50

const serve: Decision = { _tag: "Serve", delayMillis: 0 }

/**
 * What a full server says.
 *
 * @category decisions
 * @since 0.1.0
 */
export const busy: Extract<Decision, { readonly _tag: "Refuse" }> = {
  _tag: "Refuse",
  status: 503,
  retryAfterSeconds: 1
}

/** How much of its capacity a downstream has that began so long ago to warm up. */
export const warmShare = (elapsedMillis: number, millis: number): number =>
  Math.min(1, 0.1 + (0.9 * elapsedMillis) / millis)

/**
 * Decides.
 *
 * @category decisions
 * @since 0.1.0
 */
export const decide = (fault: Fault | undefined, { elapsedMillis, inFlight, draw }: Moment): Decision => {
  switch (fault?.kind) {
    case undefined:
    // How long the work takes is no decision about the request.
    case "slow":
      return serve
    case "latency":
      return { _tag: "Serve", delayMillis: Math.max(0, fault.millis + (draw * 2 - 1) * (fault.jitter ?? 0)) }
    case "transient":
      return draw * 100 < fault.percent
        ? {
            _tag: "Refuse",
            status: fault.status ?? 503,
            ...(fault.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: fault.retryAfterSeconds })
          }
        : serve
    case "permanent":
      return draw * 100 < fault.percent ? { _tag: "Refuse", status: 422 } : serve
    case "hang":
      return { _tag: "Hang" }
    case "drip":
      return { _tag: "Drip" }
    case "garbled":
      return { _tag: "Garble" }
    case "partial":
      return { _tag: "Truncate" }
    // While it is down nobody can connect; a server cuts off a request that still came.
    case "down":
      return { _tag: "Unreachable" }
    case "resetBefore":
      return { _tag: "ResetBefore" }
    case "failAfter":
      return draw * 100 < fault.percent ? { _tag: "FailAfter" } : serve
    case "resetAfter":
      return { _tag: "ResetAfter" }
    case "flap":
      return elapsedMillis % (fault.upMillis + fault.downMillis) < fault.upMillis ? serve : { _tag: "ResetBefore" }
    case "capacity":
      return inFlight > fault.concurrent ? busy : serve
    case "coldStart": {
      const there = Math.max(1, Math.round(fullCapacity * warmShare(elapsedMillis, fault.millis)))
      return inFlight > there ? busy : serve
    }
  }
}
