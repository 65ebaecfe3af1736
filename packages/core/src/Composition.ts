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
import { initials } from "./Knob.ts"
import type { Facts, Part, Policy } from "./Policy.ts"

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

/** A part with the values of its knobs, and the name by which its stack tells it from others of its name. */
interface Placed {
  readonly part: Part
  readonly kind: string
  readonly name: string
  readonly values: Facts
}

/**
 * The names of a stack's parts, in their order: a name that occurs again gets `#2`,
 * `#3` and so on, so that each knob has an address of its own.
 *
 * @category accessors
 * @since 0.1.0
 */
export const namesOf = (parts: ReadonlyArray<Pick<Part, "name">>): ReadonlyArray<string> => {
  const seen = new Map<string, number>()
  return parts.map(({ name }) => {
    const nth = (seen.get(name) ?? 0) + 1
    seen.set(name, nth)
    return nth === 1 ? name : `${name}#${nth}`
  })
}

const placed = ({ parts }: Policy, valuesOf: (part: Part) => Facts): ReadonlyArray<Placed> => {
  const names = namesOf(parts)
  return parts.map((part, at) => ({ part, kind: part.kind, name: names[at] ?? part.name, values: valuesOf(part) }))
}

const initially = (part: Part): Facts => initials(part.knobs)

const millis = (part: Placed, knob: string): number => {
  const value = part.values[knob]
  return typeof value === "number" ? value : Number.NaN
}

const ofKind = (parts: ReadonlyArray<Placed>, kind: string) => parts.filter((part) => part.kind === kind)

const show = (part: Placed, knob: string) => `${part.name}.${knob} (${String(part.values[knob])} ms)`

/** The sum of the longest backoffs of a retry. */
const backoffMillis = (part: Placed): number => {
  const most = millis(part, "delayMaxMillis")
  // A schedule of one's own and decorrelated jitter may ask for the longest wait at once.
  const early = part.values["ownSchedule"] === true || part.values["backoff"] === "decorrelated"
  let sum = 0
  for (let n = 0; n < millis(part, "times"); n++) {
    sum += early ? most : Math.min(most, millis(part, "baseMillis") * 2 ** n)
  }
  return sum
}

/** The wait of a breaker for its probe, or of a call for a permit. */
const queueMillis = (part: Placed): number =>
  millis(part, "queueMax") > 0 && part.values["mode"] === "on" ? millis(part, "waitMaxMillis") : 0

/** The delay of a hedge: the fixed one, or a bound of the observed one. */
const hedgeDelay = (part: Placed, bound: "delayMinMillis" | "delayMaxMillis"): number =>
  millis(part, "delayMillis") > 0 ? millis(part, "delayMillis") : millis(part, bound)

const isDark = (part: Placed): boolean => part.values["mode"] === "dark"

/** The longest that a stack may take, from the innermost policy out; `Infinity` without a bound. */
const worstMillis = (parts: ReadonlyArray<Placed>): number =>
  parts.reduceRight((inner, part) => {
    switch (part.kind) {
      case "timeout":
        return Math.min(inner, millis(part, "limitMillis"))
      case "deadline":
        return isDark(part) ? inner : Math.min(inner, millis(part, "limitMillis"))
      case "retry":
        return (1 + millis(part, "times")) * inner + backoffMillis(part)
      case "hedge":
        // An extra attempt begins while another runs, after its delay at the latest.
        return inner + millis(part, "hedgesMax") * Math.min(inner, hedgeDelay(part, "delayMaxMillis"))
      case "circuitBreaker":
        return inner + millis(part, "probeWaitMillis")
      case "rateLimit":
        return inner + (part.values["mode"] === "on" ? millis(part, "waitMaxMillis") : 0)
      case "sharedRateLimit":
        return inner + millis(part, "storeLimitMillis") + millis(part, "waitMaxMillis")
      case "sharedCircuitBreaker":
        // It asks before and after.
        return inner + 2 * millis(part, "storeLimitMillis")
      case "bulkhead":
      case "adaptiveLimit":
        return inner + queueMillis(part)
      default:
        return inner
    }
  }, Number.POSITIVE_INFINITY)

type Rule = (parts: ReadonlyArray<Placed>) => Iterable<string>

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
      const tooShort = millis(breaker, "windowMillis") < 2 * millis(timeout, "limitMillis")
      if (millis(breaker, "windowCalls") === 0 && tooShort) {
        yield `${show(breaker, "windowMillis")} must be at least twice ${show(timeout, "limitMillis")}: timeouts would leave the window before they are counted together`
      }
    }
  }
}

/** The policies in which a call may wait for its turn. */
const waiting = new Set(["bulkhead", "adaptiveLimit", "rateLimit", "sharedRateLimit"])

const waitFitsDeadline: Rule = function* (parts) {
  for (const bulkhead of parts.filter(({ kind }) => waiting.has(kind))) {
    for (const deadline of ofKind(parts, "deadline")) {
      if (millis(bulkhead, "waitMaxMillis") >= millis(deadline, "limitMillis")) {
        yield `${show(bulkhead, "waitMaxMillis")} must be shorter than ${show(deadline, "limitMillis")}: a call would spend its whole deadline in the queue`
      }
    }
  }
}

const breakersOf = (parts: ReadonlyArray<Placed>) =>
  parts.filter(({ kind }) => kind === "circuitBreaker" || kind === "sharedCircuitBreaker")

const breakerSeesTimeouts: Rule = function* (parts) {
  for (const breaker of breakersOf(parts)) {
    const outer = parts.slice(0, parts.indexOf(breaker)).filter((part) => part.kind === "timeout")
    const inner = parts.slice(parts.indexOf(breaker)).some((part) => part.kind === "timeout")
    for (const timeout of inner ? [] : outer) {
      yield `${timeout.name} stands outside ${breaker.name}: an interrupted call is not counted, so a hanging downstream would never open the circuit; move ${timeout.name} inside ${breaker.name}`
    }
  }
}

const breakerSeesHanging: Rule = function* (parts) {
  for (const breaker of breakersOf(parts)) {
    const at = parts.indexOf(breaker)
    const bounded = parts.slice(at).some((part) => part.kind === "timeout")
    for (const deadline of bounded ? [] : ofKind(parts.slice(0, at), "deadline")) {
      yield `${deadline.name} stands outside ${breaker.name} and no timeout inside it: a call that the deadline ends is not counted, so a hanging downstream would never open the circuit; add Policy.timeout inside ${breaker.name}`
    }
  }
}

const hedgeStandsRight: Rule = function* (parts) {
  for (const hedge of ofKind(parts, "hedge")) {
    const at = parts.indexOf(hedge)
    for (const inner of parts.slice(at).filter(({ kind }) => kind === "retry")) {
      yield `${hedge.name} stands outside ${inner.name}: it would hedge all attempts and backoffs together; move ${hedge.name} inside ${inner.name}`
    }
    for (const outer of parts.slice(0, at)) {
      if (outer.kind === "circuitBreaker" || outer.kind === "bulkhead" || outer.kind === "adaptiveLimit") {
        yield `${outer.name} stands outside ${hedge.name}: it would see two attempts as one; move ${hedge.name} outside ${outer.name}`
      }
    }
    const bounds = [...ofKind(parts.slice(at), "timeout"), ...ofKind(parts.slice(0, at), "deadline")]
    for (const bound of bounds) {
      if (hedgeDelay(hedge, "delayMinMillis") >= millis(bound, "limitMillis")) {
        const knob = millis(hedge, "delayMillis") > 0 ? "delayMillis" : "delayMinMillis"
        yield `${show(hedge, knob)} must be shorter than ${show(bound, "limitMillis")}: no call would ever be hedged`
      }
    }
  }
}

/** Types see that there is a bound; a live knob can take it away. */
const darkStaysBounded: Rule = function* (parts) {
  if (worstMillis(parts) < Number.POSITIVE_INFINITY) return
  for (const deadline of ofKind(parts, "deadline").filter(isDark)) {
    yield `${deadline.name}.mode (dark) leaves the call without a time bound: set it to on, or add Policy.timeout`
  }
}

const eachPartOnce: Rule = function* (parts) {
  for (const [at, placed] of parts.entries()) {
    if (parts.slice(0, at).some(({ part }) => part === placed.part)) {
      yield `${placed.part.name} stands in the stack twice as the same value: a call would take its permit twice; make a second value`
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
  hedgeStandsRight,
  darkStaysBounded,
  eachPartOnce
]

/**
 * What cannot work in a stack: a sentence each, none for a sound one. `valuesOf`
 * gives other values of the knobs than those of the code, so that a change of a
 * running service is judged by the same rules.
 *
 * @category validation
 * @since 0.1.0
 */
export const problemsOf = (policy: Policy, valuesOf: (part: Part) => Facts = initially): ReadonlyArray<string> => {
  const parts = placed(policy, valuesOf)
  const own = parts.flatMap(({ part, name, values }) => part.problems(values).map((problem) => `${name}.${problem}`))
  // A knob that is wrong by itself makes every comparison with it meaningless.
  return own.length > 0 ? own : rules.flatMap((rule) => [...rule(parts)])
}

/**
 * A call must not be able to take longer than the contract's latency budget, in
 * milliseconds, with all its attempts and waits.
 *
 * @category validation
 * @since 0.1.0
 */
export const problemsOfBudget = (
  policy: Policy,
  budgetMillis: number,
  valuesOf: (part: Part) => Facts = initially
): ReadonlyArray<string> => {
  const parts = placed(policy, valuesOf)
  const worst = worstMillis(parts)
  if (!(worst > budgetMillis) || worst === Number.POSITIVE_INFINITY) return []
  const bounds = parts.filter((part) => part.kind === "deadline" || part.kind === "timeout")
  return [
    `${bounds.map((part) => show(part, "limitMillis")).join(", ")}: a call may take ${worst} ms, which is longer than the contract's info.budget (${budgetMillis} ms)`
  ]
}

/**
 * The longest that a call may take, in milliseconds; `Infinity` without a bound.
 *
 * @category accessors
 * @since 0.1.0
 */
export const worstLatencyMillis = (policy: Policy, valuesOf: (part: Part) => Facts = initially): number =>
  worstMillis(placed(policy, valuesOf))

/**
 * How many requests the downstream may get for one call in the worst case, as a
 * mean over many calls: a retry with a budget adds at most its share.
 *
 * @category accessors
 * @since 0.1.0
 */
export const worstLoad = (policy: Policy, valuesOf: (part: Part) => Facts = initially): number =>
  placed(policy, valuesOf).reduce((load, part) => {
    switch (part.kind) {
      case "retry":
        return (
          load *
          (1 +
            (part.values["budget"] === true
              ? Math.min(millis(part, "times"), millis(part, "budgetRatio"))
              : millis(part, "times")))
        )
      case "hedge":
        return load * (1 + Math.min(millis(part, "hedgesMax"), millis(part, "budgetRatio")))
      default:
        return load
    }
  }, 1)

/**
 * How many requests per second the downstream may get beside {@link worstLoad}: what
 * the budgets of retries and hedges grant at a constant rate, so that rare calls are
 * helped too. Each process has its own.
 *
 * @category accessors
 * @since 0.1.0
 */
export const worstExtraPerSecond = (policy: Policy, valuesOf: (part: Part) => Facts = initially): number =>
  placed(policy, valuesOf).reduce((sum, part) => {
    const perSecond = millis(part, "budgetPerSecond")
    const extra = part.kind === "hedge" ? millis(part, "hedgesMax") : millis(part, "times")
    return extra > 0 && perSecond > 0 ? sum + perSecond : sum
  }, 0)

/** Above this a downstream in trouble is given more of it. */
const loadMax = 2

/**
 * What may work and is still not wise: a sentence each.
 *
 * @category validation
 * @since 0.1.0
 */
export const warningsOf = (policy: Policy, valuesOf: (part: Part) => Facts = initially): ReadonlyArray<string> => {
  const load = worstLoad(policy, valuesOf)
  const amplified =
    load > loadMax
      ? [
          `a call may become ${load} requests: a downstream in trouble gets ${load} times its load; give the retry a budget (RetryBudget.make())`
        ]
      : []
  return [...amplified, ...opensTooShort(placed(policy, valuesOf))]
}

/**
 * Attempts that were under way at the trip still hang when the probes begin. Where a run of
 * timeouts opens it a single probe follows, which joins nobody in numbers.
 */
const opensTooShort: (parts: ReadonlyArray<Placed>) => ReadonlyArray<string> = (parts) =>
  ofKind(parts, "circuitBreaker")
    .filter((breaker) => !(millis(breaker, "consecutiveTimeouts") > 0))
    .flatMap((breaker) =>
      ofKind(parts, "timeout")
        .filter((timeout) => millis(breaker, "openMillis") < millis(timeout, "limitMillis"))
        .map(
          (timeout) =>
            `${show(breaker, "openMillis")} is shorter than ${show(timeout, "limitMillis")}: probes would join attempts that still hang since before it opened; keep it open for at least one attempt`
        )
    )
