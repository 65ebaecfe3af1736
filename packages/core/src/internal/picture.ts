/** What a policy does with its present values, in a few words. */
import type { Value } from "../Knob.ts"
import type { Facts } from "../Policy.ts"

const unit = (value: number, units: ReadonlyArray<readonly [number, string]>): string | undefined => {
  for (const [size, name] of units) if (value >= size && value % size === 0) return `${value / size} ${name}`
  return undefined
}

/** A time as a person says it: `250 ms`, `10 s`, `2 min`. */
export const time = (millis: number): string =>
  Number.isFinite(millis)
    ? (unit(millis, [
        [3_600_000, "h"],
        [60_000, "min"],
        [1000, "s"]
      ]) ?? `${Math.round(millis * 10) / 10} ms`)
    : "no bound"

const percent = (share: number): string => `${Math.round(share * 1000) / 10} %`

const number = (facts: Facts, knob: string): number => {
  const value = facts[knob]
  return typeof value === "number" ? value : Number.NaN
}

const queue = (of: Facts): string =>
  number(of, "queueMax") > 0 ? `queue ${number(of, "queueMax")} for ${time(number(of, "waitMaxMillis"))}` : "no queue"

/** The words of the kinds of this package; another kind is shown by its knobs. */
const words: Readonly<Record<string, (of: Facts) => string>> = {
  deadline: (of) => time(number(of, "limitMillis")),
  timeout: (of) => time(number(of, "limitMillis")),
  retry: (of) =>
    [
      `${number(of, "times")}x`,
      of["ownSchedule"] === true
        ? "own schedule"
        : `${String(of["backoff"])} ${time(number(of, "baseMillis"))}..${time(number(of, "delayMaxMillis"))}`,
      of["budget"] === true
        ? `budget ${percent(number(of, "budgetRatio"))} + ${number(of, "budgetPerSecond")}/s`
        : "no budget"
    ].join(", "),
  circuitBreaker: (of) =>
    [
      `${percent(number(of, "failureRate"))} of >= ${number(of, "minimumCalls")} in ${
        number(of, "windowCalls") > 0 ? `${number(of, "windowCalls")} calls` : time(number(of, "windowMillis"))
      }`,
      ...(number(of, "slowRate") > 0
        ? [`${percent(number(of, "slowRate"))} over ${time(number(of, "slowMillis"))}`]
        : []),
      `open ${time(number(of, "openMillis"))}`
    ].join(", "),
  bulkhead: (of) => `${number(of, "permits")} permits, ${queue(of)}`,
  rateLimit: (of) =>
    [
      `${number(of, "permits")} per ${time(number(of, "windowMillis"))}`,
      ...(of["algorithm"] === "token-bucket" ? [`${number(of, "burst")} at once`] : []),
      number(of, "waitMaxMillis") > 0 ? `waits ${time(number(of, "waitMaxMillis"))}` : "no wait"
    ].join(", "),
  cache: (of) =>
    [
      `fresh ${time(number(of, "freshMillis"))}`,
      ...(number(of, "staleWhileRevalidateMillis") > 0
        ? [`stale while revalidate ${time(number(of, "staleWhileRevalidateMillis"))}`]
        : []),
      ...(number(of, "staleIfErrorMillis") > 0 ? [`stale if error ${time(number(of, "staleIfErrorMillis"))}`] : []),
      ...(number(of, "negativeMillis") > 0 ? [`negative ${time(number(of, "negativeMillis"))}`] : []),
      `${number(of, "entriesMax")} entries`,
      ...(of["durable"] === true ? ["durable"] : [])
    ].join(", "),
  adaptiveLimit: (of) => `${number(of, "limitMin")}..${number(of, "limitMax")} at once, ${queue(of)}`
}

const plain = (knob: string, value: Value): string =>
  typeof value === "number" && knob.endsWith("Millis") ? time(value) : String(value)

const shownMax = 4

const byKnobs = (of: Facts): string =>
  Object.entries(of)
    .filter(([knob, value]) => knob !== "mode" && value !== false)
    .slice(0, shownMax)
    .map(([knob, value]) => `${knob.replace(/Millis$/, "")} ${plain(knob, value)}`)
    .join(", ")

/** `gateway (bulkhead) 32 permits, no queue`; a mode other than `on` is said. */
export const policyInWords = (of: { readonly kind: string; readonly name: string; readonly knobs: Facts }): string => {
  const name = of.name === of.kind ? of.kind : `${of.name} (${of.kind})`
  const mode = of.knobs["mode"]
  const says = words[of.kind]?.(of.knobs) ?? byKnobs(of.knobs)
  const what = mode === "off" ? "" : says
  return [name, what, typeof mode === "string" && mode !== "on" ? `[${mode}]` : ""]
    .filter((word) => word !== "")
    .join(" ")
}
