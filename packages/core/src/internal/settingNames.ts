/** Names of settings: how they are told apart, found when misspelt, and written in the environment. */

/** How many single-letter changes lie between two words (Levenshtein 1966), at most `most + 1`. */
const distance = (a: string, b: string, most: number): number => {
  if (Math.abs(a.length - b.length) > most) return most + 1
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same))
    }
    // From here on it can only grow.
    if (Math.min(...next) > most) return most + 1
    row = next
  }
  return row[b.length] ?? most + 1
}

/** A longer name is not looked for. */
const nameMax = 200

/** The names nearest to one that is unknown, best first, at most three. */
export const nearest = (name: string, known: Iterable<string>): ReadonlyArray<string> => {
  if (name.length > nameMax) return []
  const most = Math.max(3, Math.floor(name.length / 3))
  const lower = name.toLowerCase()
  return [...known]
    .map((of) => ({ of, far: distance(lower, of.toLowerCase(), most) }))
    .filter(({ far }) => far <= most)
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .map(({ of }) => of)
}

/** What is said of a name that nobody registered. */
const unknownName = (name: string, known: ReadonlyArray<string>): string => {
  const near = nearest(name, known)
  const hint =
    near.length > 0
      ? `did you mean ${near.join(" or ")}?`
      : known.length > 0
        ? `a name is downstream/method/policy.knob, such as ${known[0]}`
        : "no ring has registered its knobs here: provide Settings.layer to the layers of the rings"
  return `there is no setting '${name.slice(0, nameMax)}'; ${hint}`
}

/** Looking for near names takes its time, and whoever gives many wrong ones is not helped by more. */
const hintsMax = 20

/** What is said of names that nobody registered, in their order; only the first get a hint. */
export const unknownNames = (names: ReadonlyArray<string>, known: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.map((name, nth) =>
    nth < hintsMax ? unknownName(name, known) : `there is no setting '${name.slice(0, nameMax)}'`
  )

const escape = (segment: string): string =>
  segment.replace(/[^A-Za-z0-9]/g, (character) => `_x${character.charCodeAt(0).toString(16)}_`)

/** The variable of a setting: segments between double underscores, other characters by their code. */
export const toVariable = (prefix: string, name: string): string => {
  const dot = name.lastIndexOf(".")
  return prefix + [...name.slice(0, dot).split("/"), name.slice(dot + 1)].map(escape).join("__")
}

/** The setting of a variable without its prefix, read from left to right; nothing where it has not four segments. */
export const fromVariable = (rest: string): string | undefined => {
  const segments: Array<string> = []
  let segment = ""
  for (let at = 0; at < rest.length; ) {
    const escaped = /^_x([0-9a-f]{1,4})_/.exec(rest.slice(at, at + 7))
    if (escaped !== null) {
      segment += String.fromCharCode(Number.parseInt(escaped[1] ?? "", 16))
      at += escaped[0].length
    } else if (rest.startsWith("__", at)) {
      segments.push(segment)
      segment = ""
      at += 2
    } else segment += rest.charAt(at++)
  }
  segments.push(segment)
  const [downstream, method, policy, knob] = segments
  return segments.length === 4 && segments.every((of) => of !== "")
    ? `${downstream}/${method}/${policy}.${knob}`
    : undefined
}
