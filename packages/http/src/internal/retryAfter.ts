/** `Retry-After` of RFC 9110 §10.2.3: seconds or an HTTP-date. */

/** The milliseconds to wait; nothing for a malformed value, which is ignored. */
export const parseRetryAfter = (field: string | undefined, nowMillis: number): number | undefined => {
  if (field === undefined) return undefined
  const text = field.trim()
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000
  // An HTTP-date begins with the name of a day; Date.parse alone takes far too much.
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMillis)
}

/** Whole seconds, rounded up, at least one, and by `random` (0 to 1) up to half as many more, so that clients spread. */
export const formatRetryAfter = (millis: number, random: number): string => {
  const seconds = Math.max(1, Math.ceil(millis / 1000))
  return String(seconds + Math.floor(random * (seconds / 2 + 1)))
}
