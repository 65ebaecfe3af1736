/**
 * A text that is equal for equal JSON values, whatever the order of their keys: what
 * `JSON.stringify` would write if all keys were sorted. Written by hand since a replacer that
 * sorts costs twice as much, and each call with a key of its own needs the text.
 */
export const canonical = (value: unknown): string => written(value) ?? "undefined"

/** `undefined` for what JSON leaves out. */
const written = (value: unknown): string | undefined => {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value)
    case "number":
      return Number.isFinite(value) ? `${value}` : "null"
    case "boolean":
      return value ? "true" : "false"
    case "object":
      return value === null ? "null" : ofObject(value)
    default:
      // A bigint is refused as JSON refuses it.
      return JSON.stringify(value)
  }
}

const ofObject = (value: object): string | undefined => {
  if ("toJSON" in value && typeof value.toJSON === "function") return ofJson(value)
  if (Array.isArray(value)) return `[${value.map((of) => written(of) ?? "null").join()}]`
  const keys = Object.keys(value)
  if (keys.length > 1) keys.sort()
  let members = ""
  for (const key of keys) {
    const text = written(Reflect.get(value, key))
    if (text !== undefined) members += `${members === "" ? "" : ","}${JSON.stringify(key)}:${text}`
  }
  return `{${members}}`
}

/** What is not plain data says itself what it is as JSON. */
const ofJson = (value: object): string | undefined => {
  const text = JSON.stringify(value)
  return text === undefined ? undefined : written(JSON.parse(text))
}
