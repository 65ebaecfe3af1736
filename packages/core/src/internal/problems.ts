/** Checks of option values; each returns sentences that name the knob and what was expected. */
import type * as Duration from "effect/Duration"
import { toMillis } from "./duration.ts"

/** A finite duration above zero. */
export const durationProblems = (knob: string, value: Duration.Input): ReadonlyArray<string> => {
  const millis = toMillis(value)
  return Number.isFinite(millis) && millis > 0
    ? []
    : [`${knob} must be a finite duration above zero, but is ${String(millis)} ms`]
}

/** A whole number of at least `least` and at most `most`. */
export const integerProblems = (
  knob: string,
  value: number,
  least: number,
  most = Number.MAX_SAFE_INTEGER
): ReadonlyArray<string> =>
  Number.isSafeInteger(value) && value >= least && value <= most
    ? []
    : [
        `${knob} must be a whole number of at least ${least}${
          most === Number.MAX_SAFE_INTEGER ? "" : ` and at most ${most}`
        }, but is ${String(value)}`
      ]

/** A share above 0 and up to 1. */
export const shareProblems = (knob: string, value: number): ReadonlyArray<string> =>
  value > 0 && value <= 1 ? [] : [`${knob} must be a share above 0 and up to 1, but is ${String(value)}`]
