/** Plans that are worth a drill, and those of a file. */
import { readFileSync } from "node:fs"
import { Fault } from "@failsoft/core/testing"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

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

const targetsOf = ({ target }: Fault.PlannedFault): ReadonlyArray<string> =>
  typeof target === "string" ? [target] : target

/** What a server that is told one fault at a time can do. */
const checked = (plan: Fault.Plan): Effect.Effect<Fault.Plan, InvalidPlan> => {
  const windows = plan.faults.flatMap((fault) => targetsOf(fault).map((target) => ({ target, fault })))
  const problems = [
    ...((plan.disturbances ?? []).length > 0 ? ["disturbances (aborts, clock jumps) are for the simulator"] : []),
    ...plan.faults.flatMap((fault) => [
      ...(fault.until > fault.from ? [] : [`${fault.kind} must end after it begins (${fault.from} ms)`]),
      ...(fault.first === undefined ? [] : [`'first' of ${fault.kind} is for the simulator`]),
      ...(fault.recoverMillis === undefined ? [] : [`'recoverMillis' of ${fault.kind} is for the simulator`])
    ]),
    ...windows.flatMap((one, nth) =>
      windows
        .slice(nth + 1)
        .filter(
          ({ fault, target }) =>
            meet(target, one.target) && fault.from < one.fault.until && one.fault.from < fault.until
        )
        .map(
          ({ fault }) => `${one.fault.kind} and ${fault.kind} overlap at ${one.target}, which has one fault at a time`
        )
    )
  ]
  return problems.length === 0
    ? Effect.succeed(plan)
    : Effect.fail(new InvalidPlan({ message: `This plan cannot be drilled: ${problems.join("; ")}.` }))
}

/** `catalog` means all its regions. */
const meet = (one: string, other: string): boolean =>
  one === other || one.startsWith(`${other}.`) || other.startsWith(`${one}.`)

/** When each fault begins and ends, in order: milliseconds from the start of the drill. */
export const steps = (plan: Fault.Plan) =>
  plan.faults
    .flatMap((fault) => {
      const { from, recoverMillis: _r, first: _f, target: _t, until, ...kind } = fault
      return targetsOf(fault).flatMap((target) => [
        { at: from, target, fault: kind },
        { at: until, target, fault: undefined }
      ])
    })
    // A fault that begins where another ends comes after it.
    .sort((a, b) => a.at - b.at || Number(a.fault !== undefined) - Number(b.fault !== undefined))

/** When the last fault is over. */
export const endOf = (plan: Fault.Plan): number => Math.max(0, ...plan.faults.map(({ until }) => until))
