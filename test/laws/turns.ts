/** Knobs that are turned while the storm goes on. */
import { type Policy, Settings, type Signal } from "@failsoft/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Manner, Scenario, Spec, Turn } from "./scenario.ts"

/** The knobs of a policy that its spec speaks of. */
const knobsOf = (spec: Spec): Readonly<Record<string, number>> => {
  switch (spec.kind) {
    case "deadline":
    case "timeout":
      return { limitMillis: spec.millis }
    case "retry":
      return { times: spec.times }
    case "circuitBreaker":
      return {
        minimumCalls: spec.minimumCalls,
        openMillis: spec.openMillis,
        probes: spec.probes,
        // Each other size makes a window anew, which must forget nothing.
        windowMillis: 800 + spec.openMillis
      }
    case "bulkhead":
      return { permits: spec.permits, queueMax: spec.queueMax, waitMaxMillis: spec.waitMillis }
    case "adaptiveLimit":
      return {
        limitInitial: spec.permits,
        limitMax: spec.permits,
        queueMax: spec.queueMax,
        waitMaxMillis: spec.waitMillis
      }
    case "rateLimit":
      return { permits: spec.permits, burst: spec.permits, waitMaxMillis: spec.waitMillis }
    case "hedge":
      return { hedgesMax: spec.hedgesMax, delayMillis: spec.delayMillis, budgetPerSecond: spec.budget / 10 }
  }
}

const changesOf = ({ specs }: Turn): Readonly<Record<string, number>> =>
  Object.fromEntries(
    specs.flatMap((spec) =>
      Object.entries(knobsOf(spec)).map(([knob, value]) => [`d/${spec.kind}/${spec.kind}.${knob}`, value])
    )
  )

const settingsOf = ({ kind, others, ...knobs }: Manner): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries({ ...knobs, ...others }).map(([knob, value]) => [`d/${kind}/${kind}.${knob}`, value])
  )

/** Registers the parts, each as a row of its own since a random stack need not be sound, and turns their knobs. */
export const turnKnobs = Effect.fnUntraced(function* (
  { turns = [], stack }: Scenario,
  policies: ReadonlyArray<Policy.Policy>,
  parts: Policy.Built["parts"],
  bus: Signal.SignalBus
) {
  if (turns.length === 0) return
  const settings = yield* Settings.make
  yield* settings.register(
    policies.map((policy, at) => ({
      row: { downstream: "d", method: stack[at]?.kind ?? "", bus },
      policy,
      budgetMillis: Number.POSITIVE_INFINITY,
      parts: parts.slice(at, at + 1)
    }))
  )
  /** Alone in its row it may not be dark, by the rules of a composition; the laws hold all the same. */
  const turnDeadline = ({ kind, mode }: Manner) =>
    Effect.map(Clock.currentTimeMillis, (at) => {
      if (kind !== "deadline" || mode === undefined) return
      const names = ["d/deadline/deadline.mode"]
      for (const { instance, part } of parts) {
        if (part.kind !== kind || instance.values["mode"] === undefined) continue
        const from = instance.values["mode"]
        instance.assign({ mode })
        bus.emit({
          _tag: "SettingChanged",
          at,
          downstream: "d",
          method: kind,
          names,
          from,
          to: mode,
          origin: "admin",
          by: "the storm"
        })
      }
    })
  const turn = (of: Turn) =>
    Effect.delay(
      Effect.andThen(
        Effect.forEach(of.manners, turnDeadline),
        Effect.forEach(
          [changesOf(of), ...of.manners.filter(({ kind }) => kind !== "deadline").map(settingsOf)],
          // A planted bug may have other knobs than the policy that it stands for.
          (changes) => Effect.exit(settings.change(changes, { by: "the storm", expiresAfter: of.expiresAfter }))
        )
      ),
      of.at
    )
  yield* Effect.forkScoped(Effect.forEach(turns, turn, { concurrency: "unbounded", discard: true }))
})

const most = <S extends Spec>(one: S, others: ReadonlyArray<Spec>): S => {
  let of = one
  for (const other of others) {
    if (other.kind !== one.kind) continue
    const entries = Object.entries({ ...other })
    of = {
      ...of,
      ...Object.fromEntries(
        entries.map(([key, value]) => [
          key,
          typeof value === "number" ? Math.max(value, Number(Reflect.get(of, key))) : value
        ])
      )
    }
  }
  return of
}

/** Whether the policies of a kind were on all the time, and whether they ever had a state for each key. */
export const mannersOf = ({ turns = [] }: Scenario, kind: Spec["kind"]) => {
  const manners = turns.flatMap((turn) => turn.manners.filter((of) => of.kind === kind))
  return {
    alwaysOn: manners.every(({ mode = "on" }) => mode === "on"),
    keyed: manners.some(({ keysMax = 0 }) => keysMax > 0)
  }
}

/** The case as its laws may take it: with the most of each knob that is in force at any time. */
export const envelope = (scenario: Scenario): Scenario => ({
  ...scenario,
  stack: scenario.stack.map((spec) =>
    most(
      spec,
      (scenario.turns ?? []).flatMap(({ specs }) => specs)
    )
  )
})
