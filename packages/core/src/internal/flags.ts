/** The living flags of a registry of settings: one of each name, for as long as the registry lives. */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { Evaluator, Flag } from "../Flag.ts"
import * as Knob from "../Knob.ts"
import type { Instance, Part, Policy } from "../Policy.ts"
import { Registry, type SettingsRegistry } from "../Settings.ts"
import { Bus } from "../Signal.ts"
import { RolloutCounts } from "./rolloutCounts.ts"

/** A flag that lives. */
export interface Living<out Evaluate extends Evaluator = Evaluator> {
  readonly flag: Flag<Evaluate>
  readonly evaluate: Evaluate
  /** Of those that roll something out. */
  readonly counts: RolloutCounts | undefined
}

type ByName = Map<string, Living>

/** A registry that is gone takes its flags with it. */
const registries = new WeakMap<SettingsRegistry, ByName>()

/** The living flags of a registry by name. */
export const known = (settings: SettingsRegistry): ReadonlyMap<string, Living> => registries.get(settings) ?? new Map()

const nameForm = /^[A-Za-z0-9][\w.-]{0,99}$/

const problemsOf = (flag: Flag): ReadonlyArray<string> => {
  const initials = Knob.initials(flag.knobs)
  const name = nameForm.test(flag.name)
    ? []
    : ["its name must be letters, digits, '.', '_' and '-', at most 100, and begin with a letter or a digit"]
  const knobs = Object.keys(flag.knobs).filter((of) => !/^[\w-]+$/.test(of))
  return [
    ...name,
    ...knobs.map((of) => `${of} must be letters, digits, '_' and '-'`),
    ...Knob.problemsOf(flag.knobs, initials),
    ...flag.problems(initials)
  ]
}

/** The living flag of the current registry, registered with its first use. */
export const livingOf = <Evaluate extends Evaluator>(flag: Flag<Evaluate>): Effect.Effect<Living<Evaluate>> =>
  Effect.gen(function* () {
    const settings = yield* Registry
    const bus = yield* Bus
    // Without a registry nobody changes it: each use is one of its own, as in the code.
    const inert = settings === Registry.defaultValue()
    const flags = inert ? new Map<string, Living>() : (registries.get(settings) ?? new Map<string, Living>())
    const found = flags.get(flag.name)
    if (found !== undefined) {
      if (found.flag === flag) return found as Living<Evaluate>
      return yield* Effect.die(new Error(`there are two flags '${flag.name}': use one value for both`))
    }
    const problems = problemsOf(flag)
    if (problems.length > 0) return yield* Effect.die(new Error(`the flag '${flag.name}': ${problems.join("; ")}`))
    const { instance, living, part } = make(flag)
    if (inert) return living
    flags.set(flag.name, living)
    registries.set(settings, flags)
    const policy: Policy = { parts: [part] }
    const row = { downstream: "flags", method: flag.name, bus }
    yield* settings
      .register([{ row, policy, budgetMillis: Number.POSITIVE_INFINITY, parts: [{ part, instance }] }])
      // As long as the registry: a flag is no part of the layer that happened to ask first.
      .pipe(Scope.provide(yield* Scope.make()))
    return living
  })

const make = <Evaluate extends Evaluator>(flag: Flag<Evaluate>) => {
  const values: Record<string, Knob.Value> = { ...Knob.initials(flag.knobs) }
  const { changed, evaluate } = flag.make(values)
  changed()
  const instance: Instance = {
    form: { _tag: "Wrap", bind: () => (call) => call },
    state: () => ({}),
    controls: {},
    values,
    assign: (next) => {
      Object.assign(values, next)
      changed()
    }
  }
  const part: Part = {
    kind: flag.kind,
    name: flag.kind,
    knobs: flag.knobs,
    problems: (of) => {
      const own = Knob.problemsOf(flag.knobs, of)
      return own.length > 0 ? own : flag.problems(of)
    },
    build: Effect.succeed(instance)
  }
  const counts = flag.kind === "rollout" ? new RolloutCounts() : undefined
  const living: Living<Evaluate> = { flag, evaluate, counts }
  return { instance, living, part }
}
