/** Plans that are worth a drill, and those of a file. */
import { readFileSync } from "node:fs"
import { Fault } from "@failsoft/core/testing/faults"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { problemsOf } from "../faults/playable.ts"

/** A plan cannot be drilled; the message says what to do. */
export class InvalidPlan extends Schema.TaggedError<InvalidPlan>()("InvalidPlan", { message: Schema.String }) {}

/** The plans by their name. */
export const plans: Readonly<Record<string, Fault.Plan>> = {
  "catalog-region": { faults: [{ kind: "down", target: "catalog.eu", from: 5000, until: 15_000 }] },
  catalog: { faults: [{ kind: "hang", target: "catalog", from: 5000, until: 15_000 }] },
  "payments-slow": { faults: [{ kind: "latency", target: "payments", millis: 900, from: 5000, until: 15_000 }] },
  brownout: {
    faults: [{ kind: "transient", target: ["inventory", "recommendations"], percent: 50, from: 5000, until: 15_000 }]
  },
  "answers-lost": { faults: [{ kind: "resetAfter", target: "payments", from: 5000, until: 15_000 }] },
  double: {
    faults: [
      { kind: "latency", target: "identity", millis: 300, from: 5000, until: 15_000 },
      { kind: "down", target: "recommendations", from: 7000, until: 17_000 }
    ]
  },
  everything: {
    faults: [
      { kind: "resetAfter", target: "payments/charge", from: 4000, until: 14_000, first: 3 },
      { kind: "latency", target: "identity", millis: 60, jitter: 40, from: 4000, until: 12_000 },
      { kind: "transient", target: ["inventory", "recommendations"], percent: 40, from: 5000, until: 11_000 },
      { kind: "capacity", target: "inventory", concurrent: 2, from: 8000, until: 12_000 },
      { kind: "down", target: "catalog.eu", from: 6000, until: 12_000, recoverMillis: 4000 }
    ],
    disturbances: [{ kind: "abort", percent: 10, afterMillis: 30, from: 4000, until: 14_000 }]
  }
}

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Fault.Plan), { onExcessProperty: "error" })

/** The plan of a name, or of a file. */
export const find = (name: string): Effect.Effect<Fault.Plan, InvalidPlan> =>
  Effect.gen(function* () {
    const known = Object.hasOwn(plans, name) ? plans[name] : undefined
    if (known !== undefined) return yield* checked(known)
    const text = yield* Effect.try({
      try: () => readFileSync(name, "utf8"),
      catch: () =>
        new InvalidPlan({
          message: `There is no plan '${name}' and no file of that name; the plans are ${Object.keys(plans).join(", ")}.`
        })
    })
    const plan = yield* Effect.mapError(
      decode(text),
      (error) => new InvalidPlan({ message: `The file ${name} is no plan: ${error.message.replace(/\s+/g, " ")}` })
    )
    return yield* checked(plan)
  })

/** What the downstreams can show over HTTP. */
const checked = (plan: Fault.Plan): Effect.Effect<Fault.Plan, InvalidPlan> => {
  const problems = problemsOf(plan)
  return problems.length === 0
    ? Effect.succeed(plan)
    : Effect.fail(new InvalidPlan({ message: `This plan cannot be drilled: ${problems.join("; ")}.` }))
}
