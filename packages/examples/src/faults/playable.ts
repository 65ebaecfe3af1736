/** Whether a plan can be played by the downstreams of the storefront, over HTTP. */
import { type Fault, Player } from "@failsoft/core/testing/faults"
import { methods, names, shared } from "../downstreams/registry.ts"

/** Why it cannot, in sentences without a full stop; none where it can. */
export const problemsOf = (plan: Fault.Plan): ReadonlyArray<string> => [...new Set(all(plan))]

const all = (plan: Fault.Plan): ReadonlyArray<string> => [
  ...(plan.disturbances ?? []).flatMap(({ kind }) =>
    kind === "clockJump" ? ["a clockJump cannot be shown over HTTP: only the simulator sets clocks"] : []
  ),
  ...plan.faults.flatMap(({ from, kind, until }) =>
    until > from ? [] : [`${kind} must end after it begins (${from} ms)`]
  ),
  ...Player.unknownTargets(plan, methods).map((target) => {
    const [downstream = ""] = target.split("/")
    const known = Object.entries(methods).find(([name]) => name === downstream || name.startsWith(`${downstream}.`))
    return known === undefined
      ? `there is no ${target}; there are ${names.join(", ")}`
      : `there is no ${target}; ${downstream} has ${known[1].join(", ")}`
  }),
  ...plan.faults.flatMap(({ kind, target }) => {
    const targets = typeof target === "string" ? [target] : target
    return shared.flatMap(({ downstreams, serves }) =>
      downstreams.flatMap((name) => {
        const named = serves.filter((method) => targets.includes(`${name}/${method}`))
        const both = serves.map((method) => `${name}/${method}`).join(" and ")
        return named.length === 0 || named.length === serves.length
          ? []
          : [`${both} are the same request over HTTP, so ${kind} must target both`]
      })
    )
  })
]
