/** Random histories through a retry budget and through a model that keeps every call with its time. */
import { RetryBudget } from "@failsoft/core"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { type Choices, search } from "./history.ts"

type Op =
  | { readonly pass: number }
  | { readonly does: "earn" | "take"; readonly downstream: string }
  | { readonly turn: { readonly ratio?: number; readonly perSecond?: number } }

const history = (of: Choices): ReadonlyArray<Op> => {
  const traffic = of.next()
  return Array.from({ length: of.between(20, 120) }, (): Op => {
    const roll = of.next()
    if (roll < 0.15) return { pass: of.pick([1, 100, 999, 1000, 5000, 11_000]) }
    if (roll < 0.2)
      return { turn: of.chance(0.5) ? { ratio: of.pick([0, 0.1, 0.5, 1]) } : { perSecond: of.pick([0, 0.2, 1]) } }
    return { does: of.chance(traffic) ? "earn" : "take", downstream: of.pick(["a", "a", "b"]) }
  })
}

type Sizes = { readonly ratio: number; readonly perSecond: number }

const differs =
  (sizes: (of: Sizes) => Sizes = (of) => of, times: (now: number) => number = (now) => now, apart = true) =>
  (ops: ReadonlyArray<Op>): string | undefined => {
    let now = 50_000
    let size: Sizes = { ratio: 0.1, perSecond: 0.2 }
    const budgets = Effect.runSync(Effect.scoped(RetryBudget.make().build))
    const of = (downstream: string) => budgets(apart ? downstream : "")
    const log: Array<{ readonly at: number; readonly downstream: string; readonly retry: boolean }> = []
    for (const [nth, op] of ops.entries()) {
      if ("pass" in op) now += op.pass
      else if ("turn" in op) size = { ...size, ...op.turn }
      else if (op.does === "earn") {
        of(op.downstream).earn(times(now))
        log.push({ at: now, downstream: op.downstream, retry: false })
      } else {
        // Ten seconds in steps of one: what began more than nine whole seconds ago is forgotten.
        const recent = log.filter(
          ({ at, downstream }) => downstream === op.downstream && Math.floor(now / 1000) - Math.floor(at / 1000) <= 9
        )
        const retries = recent.filter(({ retry }) => retry).length
        const may = size.ratio * (recent.length - retries) + size.perSecond * 10
        const granted = of(op.downstream).take(times(now), {
          budgetRatio: sizes(size).ratio,
          budgetPerSecond: sizes(size).perSecond
        })
        if (granted !== retries + 1 <= may + 1e-9)
          return `step ${nth}: ${granted ? "granted" : "denied"}, with ${retries} of ${may}`
        if (granted) log.push({ at: now, downstream: op.downstream, retry: true })
      }
    }
    return undefined
  }

describe("the retry budget against its model", () => {
  it("agrees over 3000 random histories", () => {
    assert.isUndefined(search(3000, history, differs()))
  })

  const mutants: Readonly<Record<string, (ops: ReadonlyArray<Op>) => string | undefined>> = {
    "grants a little more than its share": differs((of) => ({ ...of, ratio: of.ratio * 1.2 })),
    "has no constant rate": differs((of) => ({ ...of, perSecond: 0 })),
    "never forgets": differs(undefined, () => 50_000),
    "is shared by all downstreams": differs(undefined, undefined, false)
  }
  it.each(Object.entries(mutants))("finds a budget that %s", (_bug, mutant) => {
    assert.isDefined(search(2000, history, mutant))
  })
})
