/**
 * Puts the forms of a stack together into one interceptor.
 *
 * Gates that stand next to each other share a frame, with the time limit within
 * them. A deadline around nothing but repeaters and one such frame needs no fiber of
 * its own: they keep it where they suspend. Everything else is wrapped one by one.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Call } from "../Call.ts"
import { Deadline } from "../Deadline.ts"
import type { Gate } from "../Gate.ts"
import type { Form, Interceptor, Row } from "../Policy.ts"
import { alone, makeAttempt } from "./attempt.ts"
import { type Bound, unbound } from "./passage.ts"
import { refusal, refused, told } from "./refuse.ts"

type AnyCall = Call<unknown, unknown, unknown>

/** What a part of a stack makes of a call, under a deadline that it keeps. */
type Step = (call: AnyCall, bound: Bound) => AnyCall

type DeadlineForm = Extract<Form, { _tag: "Deadline" }>

/** The interceptor of forms that stand outermost first. */
export const assemble = (forms: ReadonlyArray<Form>, row: Row, fused: boolean): Interceptor => {
  const step = fused ? fuse(forms, row) : oneByOne(forms, row)
  // Each form adds to a call's outcomes at most a timeout and a refusal.
  return ((call: AnyCall) => step(call, unbound)) as Interceptor
}

/** Each form with a frame of its own: the plain meaning of a stack. */
const oneByOne = (forms: ReadonlyArray<Form>, row: Row): Step => {
  const steps = forms.map((form) => single(form, row))
  return (call, bound) => steps.reduceRight((inner, step) => step(inner, bound), call)
}

/** One form by itself. */
const single = (form: Form, row: Row): Step => {
  switch (form._tag) {
    case "Wrap": {
      const intercept = form.bind(row)
      return (call) => intercept(call)
    }
    case "Repeat": {
      const repeat = form.bind(row)
      return (call, bound) => repeat(call, bound.at)
    }
    case "Gate":
      return makeAttempt(row, [form.gate], undefined)
    case "Limit":
      return makeAttempt(row, [], form)
    case "Deadline":
      return standing(form, row)
  }
}

/** A deadline around anything: it runs the call in a fiber that it can interrupt. */
const standing = (form: DeadlineForm, row: Row): Step => {
  const attempt = makeAttempt(row, [], undefined)
  return bounded(form, row, (call) => (bound) => attempt(call, bound))
}

/** Finds the moment of the deadline, refuses what comes too late, and runs the rest with it. */
const bounded =
  (form: DeadlineForm, row: Row, inner: (call: AnyCall) => (bound: Bound) => AnyCall): Step =>
  (call) => {
    const run = inner(call)
    return Effect.withFiber((fiber) => {
      const clock = fiber.getRef(Clock.Clock)
      const now = clock.currentTimeMillisUnsafe()
      const own = now + form.limitMillis()
      const callers = fiber.getRef(Deadline)
      const dark = form.dark?.() === true
      const at = dark ? callers : Math.min(callers, own)
      if (at <= now) return refused({ row, now, deadlineAt: at }, spent(form, { row, now, deadlineAt: at }))
      const running = run({ at, policy: form.policy, told: false })
      if (!dark || callers < own) return running
      // However it ends: who waited for longer than it would have been let is counted.
      return Effect.onExit(running, () =>
        Effect.sync(() => {
          const endedAt = clock.currentTimeMillisUnsafe()
          if (endedAt < own) return
          form.passed?.()
          told(row, endedAt, spent(form, { row, now: endedAt, deadlineAt: own }), true)
        })
      )
    })
  }

const spent = (form: DeadlineForm, where: { readonly row: Row; readonly now: number; readonly deadlineAt: number }) =>
  refusal(where, { policy: form.policy, reason: "DEADLINE_EXCEEDED" })

/**
 * Repeaters around a single frame. Of two frames the inner one would stop at the deadline, though a probe of the outer
 * one is to go on.
 */
const keepsDeadlines = (forms: ReadonlyArray<Form>): boolean => {
  const at = forms.findIndex(({ _tag }) => _tag !== "Repeat")
  return at < 0 || group(forms.slice(at)).rest.length === 0
}

const fuse = (forms: ReadonlyArray<Form>, row: Row): Step => {
  const [first] = forms
  if (first === undefined) return (call) => call
  switch (first._tag) {
    case "Deadline": {
      const within = forms.slice(1)
      if (!keepsDeadlines(within)) {
        const outer = standing(first, row)
        const inner = fuse(within, row)
        return (call, bound) => outer(inner(call, unbound), bound)
      }
      // Somebody must run the call in a fiber that can be interrupted: the innermost frame.
      const inner = fuse(endsInFrame(within) ? within : [...within, frame], row)
      return bounded(first, row, (call) => (bound) => inner(call, bound))
    }
    case "Gate":
    case "Limit": {
      const { gates, limit, rest } = group(forms)
      const attempt = makeAttempt(row, gates, limit)
      if (rest.length === 0) return attempt
      const inner = fuse(rest, row)
      return (call, bound) => attempt(inner(call, bound), bound)
    }
    default: {
      const outer = single(first, row)
      const inner = fuse(forms.slice(1), row)
      return (call, bound) => outer(inner(call, bound), bound)
    }
  }
}

/** A limit that never limits: a frame for a deadline that has nothing else to stand on. */
const frame: Form = { _tag: "Limit", policy: "", limitMillis: () => Number.POSITIVE_INFINITY }

const endsInFrame = (forms: ReadonlyArray<Form>): boolean => {
  const last = forms.at(-1)
  return last?._tag === "Gate" || last?._tag === "Limit"
}

/** The gates at the beginning, and the limit that follows them. */
const group = (forms: ReadonlyArray<Form>) => {
  const gates: Array<Gate> = []
  let at = 0
  for (; at < forms.length; at++) {
    const form = forms[at]
    if (form?._tag !== "Gate") break
    gates.push(form.gate)
  }
  const next = forms[at]
  const limit = next?._tag === "Limit" ? next : undefined
  return { gates, limit, rest: forms.slice(limit === undefined ? at : at + 1) }
}

/** A single form as an interceptor, for those who put something around it. */
export const interceptorOf = (form: Form, row: Row): Interceptor =>
  form._tag === "Gate" ? alone(row, [form.gate], undefined) : assemble([form], row, false)
