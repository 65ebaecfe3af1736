/**
 * What types cannot see about a table of policies is refused here, when the
 * ring's layer is built.
 *
 * **Details**
 *
 * Each problem is a sentence that names the row and the two knobs that do not fit,
 * with their values.
 *
 * **Gotchas**
 *
 * The check is of a stack as it is written; it cannot know that another layer
 * above retries as well.
 *
 * **Example** (a stack that cannot work)
 *
 * ```ts
 * import { Composition, Policy } from "@failsoft/core"
 *
 * const stack = Policy.stack(Policy.deadline("100 millis"), Policy.timeout("1 second"))
 * console.log(Composition.problemsOf(stack))
 * ```
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import type { Part, Policy } from "./Policy.ts"

/**
 * The layer of a ring was given policies that cannot work together. `problems`
 * has one sentence each, starting with `downstream/method`.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidComposition extends Schema.TaggedError<InvalidComposition>()("InvalidComposition", {
  problems: Schema.Array(Schema.String)
}) {
  override get message() {
    return `These policies cannot work together:\n${this.problems.map((problem) => `  - ${problem}`).join("\n")}`
  }
}

const millis = (part: Part, knob: string): number => {
  const value = part.knobs[knob]
  return typeof value === "number" ? value : Number.NaN
}

const ofKind = (parts: ReadonlyArray<Part>, kind: string) => parts.filter((part) => part.kind === kind)

const show = (part: Part, knob: string) => `${part.name}.${knob} (${String(part.knobs[knob])} ms)`

/** The sum of the longest backoffs of a retry; 0 where its schedule is its own. */
const backoffMillis = (part: Part): number => {
  if (part.knobs["ownSchedule"] === true) return 0
  let sum = 0
  for (let n = 0; n < millis(part, "times"); n++) {
    sum += Math.min(millis(part, "delayMaxMillis"), millis(part, "baseMillis") * 2 ** n)
  }
  return sum
}

/** The longest that a stack may take, from the innermost policy out; `Infinity` without a bound. */
const worstMillis = (parts: ReadonlyArray<Part>): number =>
  parts.reduceRight((inner, part) => {
    switch (part.kind) {
      case "timeout":
      case "deadline":
        return Math.min(inner, millis(part, "limitMillis"))
      case "retry":
        return (1 + millis(part, "times")) * inner + backoffMillis(part)
      case "bulkhead":
        return inner + (millis(part, "queueMax") > 0 ? millis(part, "waitMaxMillis") : 0)
      default:
        return inner
    }
  }, Number.POSITIVE_INFINITY)

type Rule = (parts: ReadonlyArray<Part>) => Iterable<string>

const attemptFitsDeadline: Rule = function* (parts) {
  for (const deadline of ofKind(parts, "deadline")) {
    for (const timeout of ofKind(parts.slice(parts.indexOf(deadline)), "timeout")) {
      if (millis(timeout, "limitMillis") >= millis(deadline, "limitMillis")) {
        yield `${show(timeout, "limitMillis")} must be shorter than ${show(deadline, "limitMillis")}: an attempt that may use the whole deadline is never timed out, so no breaker ever counts it`
      }
    }
  }
}

const retriesFitDeadline: Rule = function* (parts) {
  for (const deadline of ofKind(parts, "deadline")) {
    for (const retry of parts.slice(parts.indexOf(deadline)).filter((part) => part.kind === "retry")) {
      for (const timeout of parts.slice(parts.indexOf(retry)).filter((part) => part.kind === "timeout")) {
        const attempts = 1 + millis(retry, "times")
        const worst = worstMillis(parts.slice(parts.indexOf(retry)))
        if (worst > millis(deadline, "limitMillis")) {
          yield `${retry.name}.times (${attempts - 1}) with ${show(timeout, "limitMillis")} and its waits may take ${worst} ms, which is more than ${show(deadline, "limitMillis")}: the last attempts would be cut off; use fewer retries or a shorter timeout`
        }
      }
    }
  }
}

const windowHoldsAttempts: Rule = function* (parts) {
  for (const breaker of ofKind(parts, "circuitBreaker")) {
    for (const timeout of ofKind(parts, "timeout")) {
      if (millis(breaker, "windowMillis") < 2 * millis(timeout, "limitMillis")) {
        yield `${show(breaker, "windowMillis")} must be at least twice ${show(timeout, "limitMillis")}: timeouts would leave the window before they are counted together`
      }
    }
  }
}

const waitFitsDeadline: Rule = function* (parts) {
  for (const bulkhead of ofKind(parts, "bulkhead")) {
    for (const deadline of ofKind(parts, "deadline")) {
      if (millis(bulkhead, "waitMaxMillis") >= millis(deadline, "limitMillis")) {
        yield `${show(bulkhead, "waitMaxMillis")} must be shorter than ${show(deadline, "limitMillis")}: a call would spend its whole deadline in the queue`
      }
    }
  }
}

const breakerSeesTimeouts: Rule = function* (parts) {
  for (const breaker of ofKind(parts, "circuitBreaker")) {
    const outer = parts.slice(0, parts.indexOf(breaker)).filter((part) => part.kind === "timeout")
    const inner = parts.slice(parts.indexOf(breaker)).some((part) => part.kind === "timeout")
    for (const timeout of inner ? [] : outer) {
      yield `${timeout.name} stands outside ${breaker.name}: an interrupted call is not counted, so a hanging downstream would never open the circuit; move ${timeout.name} inside ${breaker.name}`
    }
  }
}

const breakerSeesHanging: Rule = function* (parts) {
  for (const breaker of ofKind(parts, "circuitBreaker")) {
    const at = parts.indexOf(breaker)
    const bounded = parts.slice(at).some((part) => part.kind === "timeout")
    for (const deadline of bounded ? [] : ofKind(parts.slice(0, at), "deadline")) {
      yield `${deadline.name} stands outside ${breaker.name} and no timeout inside it: a call that the deadline ends is not counted, so a hanging downstream would never open the circuit; add Policy.timeout inside ${breaker.name}`
    }
  }
}

const eachPartOnce: Rule = function* (parts) {
  for (const part of new Set(parts)) {
    if (parts.indexOf(part) !== parts.lastIndexOf(part)) {
      yield `${part.name} stands in the stack twice as the same value: a call would take its permit twice; make a second value`
    }
  }
}

const rules: ReadonlyArray<Rule> = [
  attemptFitsDeadline,
  retriesFitDeadline,
  windowHoldsAttempts,
  waitFitsDeadline,
  breakerSeesTimeouts,
  breakerSeesHanging,
  eachPartOnce
]

/**
 * What cannot work in a stack: a sentence each, none for a sound one.
 *
 * @category validation
 * @since 0.1.0
 */
export const problemsOf = (policy: Policy): ReadonlyArray<string> => {
  const own = policy.parts.flatMap((part) => part.problems.map((problem) => `${part.name}.${problem}`))
  // A knob that is wrong by itself makes every comparison with it meaningless.
  return own.length > 0 ? own : rules.flatMap((rule) => [...rule(policy.parts)])
}

/**
 * A call must not be able to take longer than the contract's latency budget, in
 * milliseconds, with all its attempts and waits.
 *
 * @category validation
 * @since 0.1.0
 */
export const problemsOfBudget = ({ parts }: Policy, budgetMillis: number): ReadonlyArray<string> => {
  const worst = worstMillis(parts)
  if (!(worst > budgetMillis) || worst === Number.POSITIVE_INFINITY) return []
  const bounds = parts.filter((part) => part.kind === "deadline" || part.kind === "timeout")
  return [
    `${bounds.map((part) => show(part, "limitMillis")).join(", ")}: a call may take ${worst} ms, which is longer than the contract's info.budget (${budgetMillis} ms)`
  ]
}
