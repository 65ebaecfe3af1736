/**
 * Which mode a service is in, judged by what calls have observed of its downstreams.
 *
 * One failure says little, in a crowd of answers and in a silence, so a method counts as
 * lost only once its calls have failed for the settling time; one good answer ends that.
 */
import type { MethodDescription } from "../Downstream.ts"
import * as Health from "../Health.ts"
import type { Dependent, Mode } from "../ServiceMode.ts"

/** The modes, the best first. */
export const ranks: ReadonlyArray<Mode> = ["full", "reduced", "read-only", "unavailable"]

/** The worse of two. */
export const worse = (one: Mode, other: Mode): Mode => (ranks.indexOf(one) >= ranks.indexOf(other) ? one : other)

/** A mode with the methods that are lost, as `downstream/method`. */
export interface Judged {
  readonly mode: Mode
  readonly causes: ReadonlyArray<string>
}

/** Judges the downstreams at a time. */
export const judge = (dependents: ReadonlyArray<Dependent>, now: number, settleMillis: number): Judged => {
  let mode: Mode = "full"
  const causes: Array<string> = []
  for (const { description, without } of dependents) {
    for (const method of description.methods) {
      if (!isLost(method, now, settleMillis)) continue
      causes.push(`${description.name}/${method.name}`)
      const stated = typeof without === "string" ? without : without?.[method.name]
      mode = worse(mode, stated ?? (description.info.criticality === "optional" ? "reduced" : withoutMethod(method)))
    }
  }
  return { mode, causes }
}

const isLost = ({ observed }: MethodDescription, now: number, settleMillis: number): boolean => {
  const { failingSince = now, lastBadAt = now } = observed
  return Health.judge(observed, now) === "failing" && lastBadAt - failingSince >= settleMillis
}

/** What a service can still do without a method of an essential downstream, as far as its contract says. */
const withoutMethod = ({ idempotency, onOutage }: MethodDescription): Mode => {
  if (onOutage !== "fail") return "reduced"
  return idempotency === "safe" ? "unavailable" : "read-only"
}
