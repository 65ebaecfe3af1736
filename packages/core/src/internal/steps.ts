/** The steps of a fallback beside the policies of their row: their names, and what they must keep together. */
import { namesOf } from "../Composition.ts"
import type { OnOutage, Scope } from "../Contract.ts"
import type { Step } from "../Fallback.ts"
import { initials } from "../Knob.ts"
import type { Facts, Part } from "../Policy.ts"

/** `fallback.stale`, `fallback.value`, and `fallback.value#2` for the second of its kind. */
export const namesOfSteps = (
  parts: ReadonlyArray<Pick<Part, "name">>,
  steps: ReadonlyArray<Pick<Step, "kind">>
): ReadonlyArray<string> =>
  // A policy of the row may have such a name: then the step gets the next number.
  namesOf([...parts, ...steps.map(({ kind }) => ({ name: `fallback.${kind}` }))]).slice(parts.length)

/** What is wrong with the steps of a row, with these values of their knobs: a sentence each. */
export const problemsOfSteps = (
  onOutage: OnOutage,
  parts: ReadonlyArray<Pick<Part, "name">>,
  steps: ReadonlyArray<Step>,
  valuesOf: (step: Step) => Facts = (step) => initials(step.knobs)
): ReadonlyArray<string> => {
  const names = namesOfSteps(parts, steps)
  const own = steps.flatMap((step, nth) => step.problems(valuesOf(step)).map((problem) => `${names[nth]}.${problem}`))
  if (own.length > 0 || onOutage !== "degrade") return own
  if (steps.some((step) => step.total && valuesOf(step)["enabled"] === true)) return []
  const total = steps.flatMap(({ total }, nth) => (total ? [`${names[nth]}.enabled`] : []))
  return [
    total.length > 0
      ? `${total.join(" or ")} must be true: the method degrades by its contract (onOutage: "degrade"), so one step that always answers must stay on`
      : `no step of the fallback always answers, and the method degrades by its contract (onOutage: "degrade"): end it with Fallback.value or Fallback.omit`
  ]
}

/** What is kept for who asks again must say whose it is: types are gone where a table was cast. */
export const problemsOfScope = (
  scope: Scope | undefined,
  steps: ReadonlyArray<Step>,
  cached: boolean
): ReadonlyArray<string> => {
  if (scope !== undefined) return []
  const keeping = steps.filter(({ keeps }) => keeps).map(({ kind }) => `fallback.${kind}`)
  return [...keeping, ...(cached ? ["cache"] : [])].map(
    (name) =>
      `${name} keeps answers, and the contract does not say whose they are: add scope "public", "tenant" or "principal" to the method`
  )
}
