/** The few forms of RFC 9651 (structured fields) that this package writes and reads. */

/**
 * A quoted string. What the form cannot hold is written as `%` and four hexadecimal
 * digits, as is `%` itself, so that two different texts never become the same.
 */
export const quoted = (text: string): string =>
  `"${text
    .replace(/[^\x20-\x7e]|%/g, (unit) =>
      [...unit.split("")].map((of) => `%${of.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")
    )
    .replace(/[\\"]/g, (c) => `\\${c}`)}"`

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
