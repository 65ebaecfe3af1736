/**
 * A list of strings with parameters, as RFC 9651 (structured fields) reads it:
 * `"burst";q=100;w=60, "day";q=5000;w=86400`.
 *
 * A field that does not parse is to be ignored as a whole, so anything else than such
 * a list is nothing.
 */

/** A member of the list. Parameters hold numbers, texts or booleans; dates are numbers. */
export interface Item {
  readonly text: string
  readonly parameters: ReadonlyMap<string, number | string | boolean>
}

/** Longer fields are not ours to read. */
const lengthMax = 4096

// Each form at the place where the one before it ended.
const string = /"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"/y
const key = /[a-z*][a-z0-9_.*-]*/y
const number = /@?-?(?:\d{1,12}\.\d{1,3}|\d{1,15})(?![\d.])/y
const token = /[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*/y
const bytes = /:[A-Za-z0-9+/=]*:/y
const boolean = /\?([01])/y
const displayed = /%"(?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*"/y

class Reader {
  private readonly text: string
  private at = 0

  constructor(text: string) {
    this.text = text
  }

  get ended(): boolean {
    return this.at >= this.text.length
  }

  /** Passes over this character, if it is here. */
  passes(char: string): boolean {
    if (this.text[this.at] !== char) return false
    this.at++
    return true
  }

  spaces(of: RegExp): void {
    while (of.test(this.text[this.at] ?? "")) this.at++
  }

  match(form: RegExp): RegExpExecArray | undefined {
    form.lastIndex = this.at
    const found = form.exec(this.text)
    if (found === null) return undefined
    this.at = form.lastIndex
    return found
  }
}

const value = (reader: Reader): number | string | boolean | undefined => {
  const text = reader.match(string)
  if (text !== undefined) return (text[1] ?? "").replace(/\\(["\\])/g, "$1")
  const digits = reader.match(number)
  if (digits !== undefined) return Number(digits[0].replace("@", ""))
  const truth = reader.match(boolean)
  if (truth !== undefined) return truth[1] === "1"
  return (reader.match(token) ?? reader.match(bytes) ?? reader.match(displayed))?.[0]
}

const item = (reader: Reader): Item | undefined => {
  const text = reader.match(string)
  if (text === undefined) return undefined
  const parameters = new Map<string, number | string | boolean>()
  while (reader.passes(";")) {
    reader.spaces(/ /)
    const name = reader.match(key)
    if (name === undefined) return undefined
    const given = reader.passes("=") ? value(reader) : true
    if (given === undefined) return undefined
    parameters.set(name[0], given)
  }
  return { text: (text[1] ?? "").replace(/\\(["\\])/g, "$1"), parameters }
}

/** The members of the list; none where the field is not such a list. */
export const parseList = (field: string | undefined): ReadonlyArray<Item> => {
  if (field === undefined || field.length > lengthMax) return []
  const reader = new Reader(field.trim())
  const items: Array<Item> = []
  for (;;) {
    const next = item(reader)
    if (next === undefined) return []
    items.push(next)
    reader.spaces(/[ \t]/)
    if (reader.ended) return items
    if (!reader.passes(",")) return []
    reader.spaces(/[ \t]/)
  }
}
