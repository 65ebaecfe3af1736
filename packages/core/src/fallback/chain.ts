/** Fallbacks one after another. */
import type { Fallback, Mark } from "../Fallback.ts"

type Link = Fallback<unknown, never>
type Links = readonly [Link, ...ReadonlyArray<Link>]

type AnswerOf<F> = F extends Fallback<infer A, infer _P, infer _M> ? A : never
type MarksOf<F> = F extends Fallback<infer _A, infer _P, infer M> ? M : never
type PayloadOf<F> = [F] extends [Fallback<infer _A, infer P, infer _M>] ? P : never
type Last<Fs extends Links> = Fs extends readonly [...infer _Init, infer L] ? L : Fs[number]

/** Partial where the last is; enqueueing and keeping where any is. */
type ChainMarks<Fs extends Links> = Extract<MarksOf<Last<Fs>>, "partial"> | Exclude<MarksOf<Fs[number]>, "partial">

/**
 * Tries the fallbacks in order; the first that has an answer wins. The chain
 * always answers where its last one does (`value`, `omit`).
 *
 * @category combinators
 * @since 0.1.0
 */
export const chain = <const Fs extends Links>(
  ...fallbacks: Fs
): Fallback<AnswerOf<Fs[number]>, PayloadOf<Fs[number]>, ChainMarks<Fs> & Mark> => ({
  steps: fallbacks.flatMap((fallback) => fallback.steps)
})
