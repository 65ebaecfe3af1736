/** What a policy offers to do by hand. */
import type { Value } from "../../Knob.ts"
import type { Instance } from "../../Policy.ts"
import type { Change } from "../../Settings.ts"
import { type Cell, optional, type Placed, type Refusal } from "./cell.ts"

/** Does by hand what a policy offers, and tells it as a change. */
export const operate = (
  cells: Iterable<Cell>,
  address: string,
  action: string,
  { by, reason }: { readonly by: string; readonly reason?: string | undefined },
  now: number
): Change | Refusal => {
  const at = addressed(cells)
  const operable = [...at].filter(([, [, { controls }]]) => Object.keys(controls).length > 0).map(([of]) => of)
  const found = at.get(address)
  if (found === undefined) return { reason: "unknown-name", problems: [unknownPolicy(address, operable)] }
  const [{ row }, instance] = found
  const control = Object.hasOwn(instance.controls, action) ? instance.controls[action] : undefined
  if (control === undefined) {
    const offers = Object.keys(instance.controls)
    const others = offers.length > 0 ? `it has ${offers.join(", ")}` : unknownPolicy(address, operable)
    return { reason: "unknown-name", problems: [`${address} has no '${action.slice(0, 64)}'; ${others}`] }
  }
  const from = shownState(instance)
  control(row, now)
  return {
    at: now,
    by,
    names: [...at].filter(([, [, of]]) => of.values === instance.values).map(([of]) => of),
    from,
    to: action,
    origin: "admin",
    ...optional({ reason, expiresAt: undefined })
  }
}

/** The living policies by their addresses. */
const addressed = (cells: Iterable<Cell>): ReadonlyMap<string, readonly [Placed, Instance]> => {
  const at = new Map<string, readonly [Placed, Instance]>()
  for (const cell of cells) {
    for (const row of cell.rows) {
      row.addresses.forEach((of, nth) => {
        const instance = row.parts[nth]?.instance
        if (instance !== undefined) at.set(of, [row, instance])
      })
    }
  }
  return at
}

const unknownPolicy = (address: string, operable: ReadonlyArray<string>) =>
  `there is nothing to operate by hand at '${address.slice(0, 200)}'; there are ${operable.slice(0, 20).join(", ") || "no such policies"}`

const shownState = (instance: Instance): Value => instance.state()["circuit"] ?? JSON.stringify(instance.state())
