/**
 * When the answer came that a step of a fallback remembers, beside its `asOf`, which says
 * when its call began. It is kept apart from the answer, since it is no caller's business.
 */
import type { Answer } from "../Answer.ts"

const times = new WeakMap<Answer<unknown>, number>()

/** The same answer, of which {@link cameAtOf} tells when it came. */
export const withCameAt = <A>(answer: Answer<A>, cameAt: number): Answer<A> => {
  times.set(answer, cameAt)
  return answer
}

/** Nothing where the step does not say: then it was read at its `asOf`. */
export const cameAtOf = (answer: Answer<unknown>): number | undefined => times.get(answer)
