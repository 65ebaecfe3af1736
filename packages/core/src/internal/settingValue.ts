/** A value from outside as the value of a knob, or the sentence that says why it is none. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { Knob, Value } from "../Knob.ts"

/** What came out of it. */
export type Read =
  | { readonly _tag: "Value"; readonly value: Value }
  | { readonly _tag: "Problem"; readonly problem: string }

const isDuration = (text: string): text is Duration.Input & string => /^\s*[\d.]+ +[a-z]+\s*$/.test(text)

const millisOf = (text: string): number | undefined => {
  if (!isDuration(text)) return undefined
  const duration = Duration.fromInput(text)
  return Option.isSome(duration) ? Duration.toMillis(duration.value) : undefined
}

/** Text of the environment: what the knob holds says how it is meant. */
const fromText = (knob: Knob, text: string): unknown => {
  if (typeof knob.initial === "number") return /^[+-]?[\d.]+(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : text
  if (typeof knob.initial === "boolean") return text === "true" ? true : text === "false" ? false : text
  return text
}

const shownMax = 80

const show = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, shownMax)

/** Reads a value for the knob of this name; `text` says that it is a variable of the environment. */
export const readValue = (name: string, knobName: string, knob: Knob, raw: unknown, text: boolean): Read => {
  const isTime = knobName.endsWith("Millis") && typeof knob.initial === "number"
  const typed = text && typeof raw === "string" ? fromText(knob, raw) : raw
  const value = isTime && typeof typed === "string" ? (millisOf(typed) ?? typed) : typed
  if (knob.problem(knobName, value) === undefined && isValue(value)) return { _tag: "Value", value }
  const forms = isTime ? ', in milliseconds or as a string such as "250 millis"' : ""
  return { _tag: "Problem", problem: `${name} must be ${knob.expected}${forms}, but is ${show(raw)}` }
}

const isValue = (value: unknown): value is Value =>
  typeof value === "number" || typeof value === "string" || typeof value === "boolean"
