/** What an OpenFeature client says of one flag, as values of its knobs. */
import {
  type Client,
  ErrorCode,
  type EvaluationContext,
  type EvaluationDetails,
  type FlagValue
} from "@openfeature/server-sdk"
import * as Predicate from "effect/Predicate"
import type { Kind } from "../../Flag.ts"

/** The types of an OpenFeature flag. */
export type Type = "boolean" | "number" | "string" | "object"

/** What is asked for: the key at the provider, the knobs, and the types that it may have there, the usual one first. */
export interface Asked {
  readonly key: string
  readonly types: ReadonlyArray<Type>
  /** The values of settings that a value means; nothing where it means none. */
  readonly settings: (value: FlagValue) => Readonly<Record<string, unknown>> | undefined
}

/** What came of it. */
export type Read =
  | { readonly _tag: "Values"; readonly values: Readonly<Record<string, unknown>> }
  /** The provider has no such flag, or it is disabled. */
  | { readonly _tag: "Absent" }
  | { readonly _tag: "Malformed"; readonly problem: string }
  /** The provider cannot say. */
  | { readonly _tag: "Down"; readonly problem: string }

const ask = (
  client: Client,
  key: string,
  type: Type,
  context: EvaluationContext
): Promise<EvaluationDetails<FlagValue>> => {
  switch (type) {
    case "boolean":
      return client.getBooleanDetails(key, false, context)
    case "number":
      return client.getNumberDetails(key, 0, context)
    case "string":
      return client.getStringDetails(key, "", context)
    case "object":
      return client.getObjectDetails(key, {}, context)
  }
}

/** Those of our own default: no word of the provider's. */
const saysNothing = new Set(["DISABLED", "NO-OP", "NO_OP"])

const down = new Set<string>([ErrorCode.PROVIDER_NOT_READY, ErrorCode.PROVIDER_FATAL, ErrorCode.GENERAL])

/** Asks for a flag in each of its types until one is right. */
export const read = async (
  client: Client,
  { key, settings, types }: Asked,
  context: EvaluationContext
): Promise<Read> => {
  for (const type of types) {
    const { errorCode, errorMessage, reason, value } = await ask(client, key, type, context)
    if (errorCode === ErrorCode.TYPE_MISMATCH) continue
    if (errorCode === ErrorCode.FLAG_NOT_FOUND) return { _tag: "Absent" }
    if (errorCode !== undefined || reason === "ERROR") {
      const problem = `${key}: ${errorCode ?? "ERROR"}${errorMessage === undefined ? "" : ` (${errorMessage.slice(0, 200)})`}`
      return { _tag: errorCode === undefined || down.has(errorCode) ? "Down" : "Malformed", problem }
    }
    if (saysNothing.has((reason ?? "").toUpperCase())) return { _tag: "Absent" }
    const values = settings(value)
    if (values !== undefined) return { _tag: "Values", values }
  }
  return {
    _tag: "Malformed",
    problem: `${key}: its value must be ${types.join(" or ")}, of the form that the flag has`
  }
}

/** The types that a flag of a kind may have at a provider. */
export const typesOf: Readonly<Record<Kind, ReadonlyArray<Type>>> = {
  boolean: ["boolean"],
  percentage: ["number", "boolean"],
  variant: ["string", "object"],
  rollout: ["object", "string", "number", "boolean"]
}

/** The knobs that a provider's value means for a flag of a kind. */
export const knobsOf = (
  kind: Kind,
  knobs: ReadonlyArray<string>,
  value: FlagValue
): Readonly<Record<string, unknown>> | undefined => {
  if (Predicate.isObject(value) && !Array.isArray(value)) {
    const given = Object.entries(value)
    return given.length > 0 && given.every(([knob]) => knobs.includes(knob)) ? Object.fromEntries(given) : undefined
  }
  switch (kind) {
    case "boolean":
      return { enabled: value }
    case "percentage":
      return { percent: typeof value === "boolean" ? (value ? 100 : 0) : value }
    case "variant":
      return typeof value === "string" && knobs.includes(value)
        ? Object.fromEntries(knobs.map((knob) => [knob, knob === value ? 100 : 0]))
        : undefined
    case "rollout":
      if (typeof value === "string") return { stage: value }
      return typeof value === "number" && value > 0
        ? { stage: "on", percent: value }
        : value === true
          ? { stage: "on", percent: 100 }
          : { stage: "off" }
  }
}
