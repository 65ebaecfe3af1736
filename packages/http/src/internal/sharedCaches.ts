/** What keeps an answer that is one client's own from the caches that many share. */

/** The parts of a list, whose quoted strings may hold commas. */
const partsOf = (field: string): ReadonlyArray<string> =>
  (field.match(/(?:"(?:[^"\\]|\\.)*"|[^,])+/g) ?? []).map((part) => part.trim()).filter((part) => part !== "")

const isShared = /^(?:public|s-maxage|private)(?:\s*=|$)/i

/** `Cache-Control` by which only the client's own cache keeps an answer, for as long as it said. */
export const privately = (control: string | undefined): string => {
  const parts = partsOf(control ?? "")
  return parts.some((part) => /^no-store$/i.test(part))
    ? parts.filter((part) => !isShared.test(part)).join(", ")
    : ["private", ...parts.filter((part) => !isShared.test(part))].join(", ")
}

/** `Vary` with one more field; one that names everything names it too. */
export const varying = (vary: string | undefined, by: string): string => {
  const parts = partsOf(vary ?? "")
  return parts.some((part) => part === "*" || part.toLowerCase() === by) ? parts.join(", ") : [...parts, by].join(", ")
}
