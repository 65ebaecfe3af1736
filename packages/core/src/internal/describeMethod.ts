/** What a method of a built ring shows of itself, with the values that are in force. */
import { namesOf, warningsOf, worstExtraPerSecond, worstLatencyMillis, worstLoad } from "../Composition.ts"
import type { Method } from "../Contract.ts"
import type { Facts, Part } from "../Policy.ts"
import type { RegisteredRow, SettingsRegistry } from "../Settings.ts"
import { cacheName } from "./cache/judge.ts"
import type { MethodDescription } from "./description.ts"
import type { Observations } from "./observations.ts"
import { namesOfSteps } from "./steps.ts"

/** Describes a method under the name that its downstream has in the registry of settings. */
export const describeMethod = (
  { row, policy, parts, fallback, cache }: RegisteredRow,
  { idempotency, onOutage }: Method,
  observations: Observations,
  settings: SettingsRegistry,
  downstream: string
): MethodDescription => {
  const names = namesOf(policy.parts)
  const steps = fallback?.steps ?? []
  const stepNames = namesOfSteps(
    policy.parts,
    steps.map(({ step }) => step)
  )
  const knobsAt = (name: string, values: Facts) => {
    const address = `${downstream}/${row.method}/${name}`
    const origins = Object.keys(values).map((knob) => [knob, settings.get(`${address}.${knob}`)?.origin ?? "code"])
    return { name, address, knobs: { ...values }, origins: Object.fromEntries(origins) }
  }
  return {
    name: row.method,
    idempotency,
    onOutage,
    policies: parts.map(({ part, instance }, nth) => ({
      kind: part.kind,
      ...knobsAt(names[nth] ?? part.name, instance.values),
      state: instance.state(),
      controls: Object.keys(instance.controls)
    })),
    ...figures({ policy, parts, row }, idempotency === "safe"),
    ...(observations.meanMillis === undefined ? {} : { meanMillis: observations.meanMillis }),
    nestedRetries: observations.nestedRetries,
    fallback: steps.map(({ step, instance }, nth) => ({
      kind: step.kind,
      quality: step.quality,
      ...knobsAt(stepNames[nth] ?? step.kind, instance.values)
    })),
    ...(cache === undefined
      ? {}
      : {
          cache: {
            kind: cache.part.kind,
            ...knobsAt(cacheName(policy.parts), cache.instance.values),
            state: cache.instance.state()
          }
        }),
    observed: observations.observed
  }
}

/** What follows from the values that are in force. */
const figures = ({ policy, parts, row }: Pick<RegisteredRow, "policy" | "parts" | "row">, safe: boolean) => {
  const valuesOf = (of: Part): Facts => parts.find(({ part }) => part === of)?.instance.values ?? {}
  return {
    worstLatencyMillis: worstLatencyMillis(policy, valuesOf),
    // A read that fails in one region is asked in the others, within the same attempt.
    worstLoad: worstLoad(policy, valuesOf) * (safe ? Math.max(1, row.regions ?? 1) : 1),
    worstExtraPerSecond: worstExtraPerSecond(policy, valuesOf),
    warnings: warningsOf(policy, valuesOf)
  }
}
