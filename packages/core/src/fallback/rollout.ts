/** A new fallback beside the proven one: in the dark, for a share, for all. */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import type { Fallback, Instance, Mark, Step } from "../Fallback.ts"
import type { RolloutFlag } from "../Flag.ts"
import { livingOf } from "../internal/flags.ts"
import { Rollout } from "../internal/rollout.ts"
import { RolloutCounts } from "../internal/rolloutCounts.ts"
import { sharedByValue } from "../internal/shared.ts"
import { keyOf } from "../internal/stickyKey.ts"
import type { Facts } from "../Policy.ts"
import { Bus } from "../Signal.ts"

/**
 * What is proven and what is new, by a flag's stage.
 *
 * `off`: the stable steps answer. `dark`: they answer, and for `darkPercent` of the keys
 * the candidate runs beside the request, which does not wait for it; what came out of it
 * is compared (by structure, or by `compare`), told by the signal `DarkCompared`, counted,
 * and dropped. `on`: for `percent` of the keys the candidate's steps are asked first, and
 * the stable ones where they have no answer. The flag is read at each request, so that
 * `off` takes effect with the next one.
 *
 * A key is on the same side for ever, and a larger share moves nobody back. It is the
 * request's own (its method and payload), or what `key` takes from the payload. The
 * steps of the candidate are named `candidate.<kind>` in signals and settings. Answers
 * are counted by variant (`Flag.list`) and told as `VariantAnswered`.
 *
 * A candidate that would do something, such as one that takes requests for later or
 * assumes what is reconciled, cannot be tried without doing it: it is refused.
 *
 * @category combinators
 * @since 0.1.0
 */
export const rollout = <
  A,
  B,
  Payload,
  Marks extends Mark,
  Candidate extends "partial" | "keeps" = "partial" | "keeps"
>(options: {
  readonly flag: RolloutFlag
  readonly stable: Fallback<A, Payload, Marks>
  readonly candidate: Fallback<B, Payload, Candidate>
  /** Whether the candidate's answer is as good as the stable one's. */
  readonly compare?: (stable: A, candidate: B) => boolean
  readonly key?: (payload: Payload) => string
}): Fallback<A | B, Payload, Marks | Exclude<Candidate, "partial">> => {
  const { candidate, compare, flag, stable } = options
  const key = keyOf(options.key)
  const living = sharedByValue(
    Effect.gen(function* () {
      const { counts = new RolloutCounts(), evaluate } = yield* livingOf(flag)
      return new Rollout({
        flag: flag.name,
        side: (request) => evaluate(key(request)),
        counts,
        bus: yield* Bus,
        scope: yield* Effect.scope,
        candidates: yield* Effect.forEach(candidate.steps, ({ build }) => build),
        // The ring gives only answers of its own method; `A` and `B` say so to the caller.
        same: compare === undefined ? Equal.equals : (a, b) => compare(a as A, b as B)
      })
    })
  )
  const step = (of: Step, changes: Partial<Step>, answering: Answering): Step => {
    const kind = changes.kind ?? of.kind
    const build = Effect.flatMap(living, (rollout) =>
      Effect.map(of.build, (instance) => ({ ...instance, kind, answer: answering(rollout, instance, kind) }))
    )
    return { ...of, ...changes, build }
  }
  return {
    steps: [
      ...candidate.steps.map((of, nth) => {
        const isLast = nth === candidate.steps.length - 1
        const problems = (values: Facts) => [...effects(of), ...of.problems(values)]
        return step(of, { kind: `candidate.${of.kind}`, total: false, problems }, (rollout, instance, kind) =>
          rollout.candidate(instance, kind, isLast)
        )
      }),
      ...stable.steps.map((of, nth) => {
        const isLast = nth === stable.steps.length - 1
        return step(of, {}, (rollout, instance, kind) => rollout.stable(instance, kind, isLast))
      })
    ]
  }
}

/** The answer of a step on its side of the rollout. */
type Answering = (rollout: Rollout, instance: Instance, kind: string) => Instance["answer"]

/** What cannot be tried without doing it. */
const effects = ({ kind, quality }: Step): ReadonlyArray<string> =>
  quality === "deferred" || kind === "optimistic"
    ? [`kind must not be ${kind} in a rollout: what runs in the dark must not take a request or assume anything`]
    : []
