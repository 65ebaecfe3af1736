/** Several answers as one. */
import { type Answer, zipWith } from "../Answer.ts"

type Answers = ReadonlyArray<Answer<unknown>> | Readonly<Record<string, Answer<unknown>>>
type ValuesOf<As extends Answers> = { readonly [K in keyof As]: As[K] extends Answer<infer A> ? A : never }

/**
 * Several answers as one answer of all their values, in the same places: the worst
 * quality with its reason (of equals the first one's), and the oldest time.
 *
 * @category combinators
 * @since 0.1.0
 */
export const all = <const As extends Answers>(answers: As): Answer<ValuesOf<As>> => {
  const places = Object.entries(answers)
  const values: Record<string, unknown> | Array<unknown> = Array.isArray(answers) ? [] : {}
  let whole: Answer<null> = { value: null, quality: "fresh" }
  for (const [place, answer] of places) {
    Object.defineProperty(values, place, { value: answer.value, enumerable: true, configurable: true, writable: true })
    whole = zipWith(whole, answer, () => null)
  }
  // It has a value in each place of `answers`.
  return { ...whole, value: values as ValuesOf<As> }
}
