/** `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers), written and read. */
import type { Quota, RateLimit } from "@failsoft/core"
import { parseRetryAfter } from "./retryAfter.ts"
import { quoted } from "./structuredField.ts"
import { type Item, parseList } from "./structuredList.ts"

/** The name of a limit, and where a client stands with it. */
export interface Named {
  readonly name: string
  readonly standing: RateLimit.Standing
}

const seconds = (millis: number) => Math.ceil(millis / 1000)

/** The two fields of a response; windows and resets are whole seconds, rounded up. */
export const quotaHeaders = (limits: ReadonlyArray<Named>): Readonly<Record<string, string>> => ({
  "ratelimit-policy": limits
    .map(({ name, standing }) => `${quoted(name)};q=${standing.limit};w=${seconds(standing.windowMillis)}`)
    .join(", "),
  ratelimit: limits
    .map(({ name, standing }) => `${quoted(name)};r=${standing.remaining};t=${seconds(standing.resetMillis)}`)
    .join(", ")
})

/** A whole number of at least 0. */
const count = (item: Item | undefined, parameter: string): number | undefined => {
  const value = item?.parameters.get(parameter)
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : undefined
}

/** A limit of bytes or of what runs at once says nothing about how many requests may follow. */
const countsRequests = (policy: Item | undefined) => (policy?.parameters.get("qu") ?? "requests") === "requests"

/**
 * What the fields of a response say, the tightest of several limits: one that is spent
 * before others, the longest of those; else the one of which least is left. Without a
 * `t`, the window of the policy of that name is taken. What is malformed says nothing.
 */
export const quotaOf = (
  headers: Readonly<Record<string, string | undefined>>,
  status: number,
  retryAfterMillis: number | undefined
): Quota.Quota | undefined => {
  // Where both stand, Retry-After wins.
  if (status === 429 && retryAfterMillis !== undefined) return { remaining: 0, resetMillis: retryAfterMillis }
  const policies = new Map(parseList(headers["ratelimit-policy"]).map((item) => [item.text, item]))
  let tightest: Quota.Quota | undefined
  for (const item of parseList(headers["ratelimit"])) {
    const policy = policies.get(item.text)
    const remaining = count(item, "r")
    if (remaining === undefined || !countsRequests(policy)) continue
    const resets = count(item, "t") ?? count(policy, "w")
    const quota: Quota.Quota = { remaining, ...(resets === undefined ? {} : { resetMillis: resets * 1000 }) }
    if (tightest === undefined || isTighter(quota, tightest)) tightest = quota
  }
  return tightest
}

const isTighter = (one: Quota.Quota, other: Quota.Quota): boolean =>
  one.remaining === other.remaining
    ? (one.resetMillis ?? 0) > (other.resetMillis ?? 0)
    : one.remaining < other.remaining

/** Tells the rate limit above what a response says. */
export const tellQuota = (
  heard: Quota.Listener,
  headers: Readonly<Record<string, string | undefined>>,
  status: number,
  now: number
): void => {
  const quota = quotaOf(headers, status, parseRetryAfter(headers["retry-after"], now))
  if (quota !== undefined) heard(quota, now)
}
