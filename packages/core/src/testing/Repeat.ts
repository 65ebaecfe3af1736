/**
 * Proves of any run that it is repeatable.
 *
 * **Details**
 *
 * Campaigns do it by themselves. {@link checked} is for tests that run a pump of their
 * own: under `SIM_CHECK_DETERMINISM=1` what you give is done twice, and both must say the
 * same; else it is done once, and costs nothing.
 *
 * **Gotchas**
 *
 * Give it a function that makes everything anew: what the first run leaves in a variable
 * outside of it makes the second another, which is what it finds.
 *
 * **Example** (what depends on chance that nobody controls is found)
 *
 * ```ts
 * import { Effect, Random } from "effect"
 * import { Pump, Repeat } from "@failsoft/core/testing"
 *
 * const drawn = Repeat.checked(() => Pump.run(Random.next.pipe(Random.withSeed("cards"))))
 * console.log(drawn._tag)
 * ```
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Host from "./Host.ts"

/**
 * Two runs of the same said different things; the message names the first line that
 * differs.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotRepeatable extends Error {
  override readonly name = "NotRepeatable"
}

/**
 * How runs are compared. `text` tells all of one that must be the same, by default all
 * of its data: JSON with exits, errors, maps, sets and every number. It is compared line by
 * line; a function or a promise has no data, so what returns one must say its text.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<A> {
  readonly text?: (of: A) => string
  /** Whose environment is asked. Default: the process's, where there is one. */
  readonly host?: Host.Host
}

/** What JSON does not show. */
const shown = (value: unknown): unknown => {
  if (value === undefined || typeof value === "bigint" || typeof value === "symbol") return String(value)
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value)
  if (typeof value === "function" || value instanceof Promise) {
    throw new NotRepeatable("a run returned a function or a promise, which cannot be compared: say its text")
  }
  if (value instanceof Date) return value.getTime()
  if (value instanceof Map || value instanceof Set) return [...value]
  if (Exit.isExit(value)) return Exit.isSuccess(value) ? { value: value.value } : value.cause.reasons.map(told)
  return value instanceof Error ? { ...value, error: value.name, message: value.message, cause: value.cause } : value
}

const told = (reason: Cause.Reason<unknown>): unknown =>
  reason._tag === "Fail"
    ? { failed: reason.error }
    : reason._tag === "Die"
      ? { died: reason.defect }
      : { interrupted: true }

const asText = (of: unknown): string =>
  JSON.stringify(
    { of },
    // What an object says of itself in JSON (`toJSON`) may leave things out.
    function (this: Record<string, unknown>, key) {
      return shown(this[key])
    },
    1
  )

/**
 * What `run` returns. Throws {@link NotRepeatable} where it was done twice and did not
 * say the same.
 *
 * @category checks
 * @since 0.1.0
 */
export const checked = <A>(run: () => A, { host = Host.none, text = asText }: Options<A> = {}): A => {
  const first = run()
  if (host.variable("SIM_CHECK_DETERMINISM") !== "1") return first
  const [one, other] = [text(first).split("\n"), text(run()).split("\n")]
  const at = Array.from({ length: Math.max(one.length, other.length) }).findIndex((_, nth) => one[nth] !== other[nth])
  if (at < 0) return first
  throw new NotRepeatable(
    `the same run says another thing the second time, first in line ${at + 1}: "${one[at] ?? ""}", and then "${other[at] ?? ""}"; look for state or chance outside of it`
  )
}
