/** The bodies of the admin API. */
import { type Downstream, Explain, type Settings } from "@failsoft/core"
import * as DateTime from "effect/DateTime"

const iso = (millis: number) => DateTime.formatIso(DateTime.makeUnsafe(millis))

const until = (expiresAt: number | undefined) => (expiresAt === undefined ? {} : { expiresAt: iso(expiresAt) })

/** What goes out as JSON. */
export type Shown = Readonly<Record<string, unknown>>

export const setting = (of: Settings.Setting): Shown => ({ ...of, since: iso(of.since), ...until(of.expiresAt) })

export const change = (of: Settings.Change): Shown => ({ ...of, at: iso(of.at), ...until(of.expiresAt) })

interface Listed {
  readonly description: Downstream.Description
  readonly facts?: Readonly<Record<string, unknown>>
  readonly explain?: Explain.Options
}

export const downstream = ({ description, facts, explain: options }: Listed): Shown => {
  const explained = Explain.explain(description, options)
  return {
    name: description.name,
    ...facts,
    criticality: description.info.criticality,
    owner: description.info.owner,
    docs: description.info.docs,
    budgetMillis: explained.budgetMillis,
    explain: Explain.format(explained),
    methods: description.methods.map((of, nth) => method(of, explained.methods[nth]))
  }
}

const method = (of: Downstream.MethodDescription, explained: Explain.ExplainedMethod | undefined) => ({
  name: of.name,
  idempotency: of.idempotency,
  onOutage: of.onOutage,
  policy: of.policies.map((policy) => policy.name).join(" > "),
  picture: explained?.picture,
  settings: Object.fromEntries((explained?.settings ?? []).map(({ name, value, origin }) => [name, { value, origin }])),
  fallback: of.fallback,
  ...(of.cache === undefined ? {} : { cache: of.cache }),
  state: Object.fromEntries(
    of.policies.filter((policy) => Object.keys(policy.state).length > 0).map((policy) => [policy.name, policy.state])
  ),
  controls: Object.fromEntries(
    of.policies.filter((policy) => policy.controls.length > 0).map((policy) => [policy.address, policy.controls])
  ),
  worstLatencyMillis: explained?.worstLatencyMillis,
  worstLoad: explained?.worstLoad,
  worstExtraPerSecond: explained?.worstExtraPerSecond,
  warnings: explained?.warnings,
  observed: of.observed
})
