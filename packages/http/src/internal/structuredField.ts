/** The few forms of RFC 9651 (structured fields) that this package writes and reads. */

/** A quoted string; characters that the form does not allow are refused by the caller's schema or escaped. */
export const quoted = (text: string): string =>
  `"${text.replace(/[\\"]/g, (c) => `\\${c}`).replace(/[^\x20-\x7e]/g, "?")}"`

/** A token, made of any text: what a token may not hold becomes a hyphen. */
export const token = (text: string): string => {
  const safe = text.replace(/[^A-Za-z0-9!#$%&'*+.^_`|~:/-]/g, "-")
  return /^[A-Za-z*]/.test(safe) ? safe : `x${safe}`
}

/** The text of a quoted string, or of a bare one, which clients often send; nothing where it is neither. */
export const unquoted = (field: string): string | undefined => {
  const trimmed = field.trim()
  const inner = /^"((?:[^"\\]|\\["\\])*)"$/.exec(trimmed)?.[1]
  if (inner !== undefined) return inner.replace(/\\(["\\])/g, "$1")
  return trimmed !== "" && !trimmed.includes('"') ? trimmed : undefined
}
