/** The rings of the model test of settings: two rows that share a policy and fall back, and a ring that comes and goes. */
import { Fallback, Knob, Policy, Settings } from "@failsoft/core"
import * as Effect from "effect/Effect"
import type { Choices } from "./history.ts"

/** Who asks for what; `nth` of a ring or a name counts around. */
export type Op =
  | {
      readonly does: "change"
      readonly edits: Readonly<Record<string, unknown>>
      readonly source: Settings.Source
      readonly by: string
      readonly reason?: string
      readonly lasts?: number
    }
  | { readonly does: "load"; readonly source: Settings.Source; readonly values: Readonly<Record<string, unknown>> }
  | { readonly does: "ring"; readonly nth: number }
  | { readonly does: "wait"; readonly millis: number }

const pairKnobs = { low: Knob.count(1, { least: 0 }), high: Knob.count(5, { least: 0 }) }

/** Two knobs of which one must not be above the other. */
const pair = (name: string): Policy.Policy =>
  Policy.fromInstance({
    kind: "pair",
    name,
    marks: ["unbounded"],
    knobs: pairKnobs,
    problems: ({ low, high }) => (low > high ? [`low (${low}) must be at most high (${high})`] : []),
    make: () => Effect.succeed({ form: { _tag: "Wrap", bind: () => (call) => call }, state: () => ({}) })
  })

const shared = pair("shared")
const bounds = (inner: Policy.Policy) => Policy.stack(Policy.deadline(100), inner, Policy.timeout(40))

/** No call may take longer. */
export const budgetMillis = 150

const rings = [
  {
    downstream: "shop",
    rows: [
      { method: "show", policy: bounds(shared), fallback: Fallback.chain(Fallback.value(0), Fallback.omit(1)) },
      { method: "peek", policy: bounds(shared), fallback: undefined }
    ]
  },
  { downstream: "cart", rows: [{ method: "read", policy: bounds(pair("own")), fallback: undefined }] }
] as const

/** A ring that lives anew, as its registry gets it; `told` hears the signals. */
export const living = (nth: number, told: (signal: object) => void): ReadonlyArray<Settings.RegisteredRow> => {
  const { downstream, rows } = rings[nth % rings.length] ?? rings[0]
  const bus = { active: true, failed: 0, emit: told, subscribe: () => Effect.void }
  // The rows of a ring are built together: they share what they share.
  return Effect.runSync(
    Effect.scoped(
      Effect.gen(function* () {
        const made = new Map<Policy.Part, Policy.Instance>()
        const built: Array<Settings.RegisteredRow> = []
        for (const { method, policy, fallback } of rows) {
          const row = { downstream, method, bus }
          const parts: Array<Policy.Built["parts"][number]> = []
          for (const part of policy.parts) {
            const instance = made.get(part) ?? (yield* part.build)
            made.set(part, instance)
            parts.push({ part, instance })
          }
          const steps = yield* Effect.forEach(fallback?.steps ?? [], (step) =>
            Effect.map(step.build, (instance) => ({ step, instance }))
          )
          const onOutage = fallback === undefined ? "fail" : "degrade"
          built.push({ row, policy, budgetMillis, parts, fallback: { onOutage, steps } })
        }
        return built
      })
    )
  )
}

type Raws = readonly [unknown, ...ReadonlyArray<unknown>]

/** Values that people write: good ones, some in another form, and bad ones. */
const raws = {
  count: [0, 1, 2, 3, 4, 5, 6, 7, "3", -1, "many", null],
  millis: [20, 40, 60, 80, 100, 120, 140, 160, 200, "60 millis", "80", 0, "soon"],
  flag: [true, false, false, false, "true", "yes"],
  word: ["on", "dark", "off", true]
} as const satisfies Record<string, Raws>

/** All names that a ring of the two may have. */
export const namesOf = {
  count: [] as Array<string>,
  millis: [] as Array<string>,
  flag: [] as Array<string>,
  word: [] as Array<string>
}
for (const row of ["shop/show", "shop/peek", "cart/read"]) {
  const pairName = row === "cart/read" ? "own" : "shared"
  namesOf.count.push(`${row}/${pairName}.low`, `${row}/${pairName}.high`)
  namesOf.millis.push(`${row}/deadline.limitMillis`, `${row}/timeout.limitMillis`)
  namesOf.word.push(`${row}/deadline.mode`)
}
namesOf.flag.push("shop/show/fallback.value.enabled", "shop/show/fallback.omit.enabled")

const kinds = ["count", "count", "millis", "millis", "flag", "word"] as const

const saying = (of: Choices): readonly [string, unknown] => {
  if (of.chance(0.02)) return ["shop/show/timeout.limit", 1]
  const kind = of.pick(kinds)
  const [first = "", ...others] = namesOf[kind]
  return [of.pick([first, ...others]), of.pick<unknown>(raws[kind])]
}

const source = (of: Choices) => of.pick(["admin", "admin", "flag", "environment", "file"] as const)

/** A random history: most of it changes, some of them by sources that say everything anew. */
export const history = (of: Choices): ReadonlyArray<Op> => [
  ...(of.chance(0.7) ? [{ does: "ring", nth: 0 } as const] : []),
  ...Array.from({ length: of.between(5, 20) }, (): Op => {
    const roll = of.next()
    if (roll < 0.1) return { does: "ring", nth: of.between(0, 1) }
    if (roll < 0.3) return { does: "wait", millis: of.between(1, 60) }
    const said = Object.fromEntries(Array.from({ length: of.pick([1, 1, 2, 3]) }, () => saying(of)))
    if (roll < 0.5) return { does: "load", source: source(of), values: of.chance(0.1) ? {} : said }
    return {
      does: "change",
      edits: of.chance(0.2) ? Object.fromEntries(Object.keys(said).map((name) => [name, undefined])) : said,
      source: source(of),
      by: of.pick(["alice", "bob"]),
      ...(of.chance(0.3) ? { reason: "a reason" } : {}),
      ...(of.chance(0.4) ? { lasts: of.between(1, 100) } : {})
    }
  })
]
