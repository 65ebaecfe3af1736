/** A path as one text, whichever of the ways that a router takes for the same it is written in. */

/** Without query, in lower case, decoded, without slashes that say nothing. What is malformed stays as it is. */
export const plainPath = (url: string): string => {
  const path = url.replace(/[?#;].*$/s, "")
  return decoded(path)
    .replace(/\/{2,}/g, "/")
    .replace(/(?<=.)\/$/, "")
    .toLowerCase()
}

const decoded = (path: string): string => {
  try {
    return path.includes("%") ? decodeURI(path) : path
  } catch {
    return path
  }
}
