/**
 * The registry of settings as a reference that remembers nothing but what was said,
 * in order: whatever is asked of it, it reads the whole list again.
 */
import type { Knob, Settings } from "@failsoft/core"
import { budgetMillis, namesOf, type Op } from "./settingsWorld.ts"

type Value = Knob.Value

/** One sentence of a source about one name; it silences what was said before of the names that it `ends`. */
interface Said {
  readonly source: Settings.Source
  readonly name: string
  readonly ends: ReadonlyArray<string>
  /** Nothing where the source takes back what it said. */
  readonly raw: unknown
  readonly at: number
  readonly by: string
  readonly reason: string | undefined
  readonly until: number
}

/** What is compared of a change. */
export interface Told {
  readonly at: number
  readonly by: string
  readonly names: string
  readonly from: Value
  readonly to: Value
  readonly origin: string
  readonly reason: string | undefined
  readonly until: number
}

const upwards = ["file", "environment", "flag", "admin"] as const

const twins: Readonly<Record<string, ReadonlyArray<string>>> = Object.fromEntries(
  ["low", "high"].flatMap((knob) => {
    const both = [`shop/show/shared.${knob}`, `shop/peek/shared.${knob}`]
    return both.map((name) => [name, both])
  })
)

/** All names of the value that has this one. */
const family = (name: string): ReadonlyArray<string> => twins[name] ?? [name]

const kindOf = (name: string): "count" | "millis" | "flag" | "word" =>
  namesOf.count.includes(name)
    ? "count"
    : namesOf.millis.includes(name)
      ? "millis"
      : namesOf.word.includes(name)
        ? "word"
        : "flag"

const initialOf = (name: string): Value =>
  name.endsWith(".low")
    ? 1
    : name.endsWith(".high")
      ? 5
      : name.endsWith("/deadline.limitMillis")
        ? 100
        : kindOf(name) === "millis"
          ? 40
          : kindOf(name) === "word"
            ? "on"
            : true

/** What a word means for a name, nothing where it means nothing. */
const meaning = (name: string, raw: unknown, source: Settings.Source): Value | undefined => {
  if (kindOf(name) === "word") return raw === "on" || raw === "dark" ? raw : undefined
  const words: Readonly<Record<string, Value>> = source === "environment" ? { "3": 3, "80": 80, true: true } : {}
  const value = raw === "60 millis" && kindOf(name) === "millis" ? 60 : typeof raw === "string" ? words[raw] : raw
  if (kindOf(name) === "flag") return typeof value === "boolean" ? value : undefined
  const least = kindOf(name) === "count" ? 0 : 1
  return typeof value === "number" && value >= least ? value : undefined
}

const rowsOf = (nth: number): ReadonlyArray<string> => (nth === 0 ? ["shop/show", "shop/peek"] : ["cart/read"])

export class Model {
  now = 0
  readonly audit: Array<Told> = []
  private readonly sayings: Array<Said> = []
  private readonly refused = new Map<Settings.Source, Set<string>>(upwards.map((source) => [source, new Set()]))
  private readonly rings = new Set<number>()
  private readonly inForce = new Map<string, { readonly said: Said | undefined; readonly since: number }>()

  /** The names that somebody has registered. */
  known(): ReadonlyArray<string> {
    const rows = [...this.rings].flatMap(rowsOf)
    return [...namesOf.count, ...namesOf.millis, ...namesOf.flag, ...namesOf.word].filter((name) =>
      rows.some((row) => name.startsWith(`${row}/`))
    )
  }

  list() {
    return this.known()
      .map((name) => {
        const { said, since } = this.inForce.get(family(name)[0] ?? "") ?? { said: undefined, since: 0 }
        const value = said === undefined ? initialOf(name) : meaning(name, said.raw, said.source)
        return { name, value, since, origin: said?.source ?? "code", by: said?.by ?? "code", ...endOf(said) }
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  problems(): ReadonlyArray<string> {
    const known = this.known()
    return upwards
      .flatMap((source) =>
        [...this.namesHeld(source).filter((name) => !known.includes(name)), ...(this.refused.get(source) ?? [])].map(
          (name) => `${source} ${name}`
        )
      )
      .sort()
  }

  nextExpiry(): number | undefined {
    const ends = upwards.flatMap((source) =>
      this.namesHeld(source).map(
        (name) => this.holds(this.sayings, source, name, this.now)?.until ?? Number.POSITIVE_INFINITY
      )
    )
    const next = Math.min(...ends)
    return Number.isFinite(next) ? next : undefined
  }

  wait(until: number): void {
    this.now = until
    for (const [name, { said }] of this.inForce) {
      if (said === undefined || said.until > until) continue
      this.look([name], { by: "expiry", reason: `the ${said.source} value expired` })
    }
  }

  /** The reason of a refusal, nothing where all of it was done. */
  change(op: Extract<Op, { does: "change" }>): string | undefined {
    const known = this.known()
    if (Object.keys(op.edits).some((name) => !known.includes(name))) return "unknown-name"
    const { said, bad } = this.read(op.source, op.edits, {
      by: op.by,
      reason: op.reason,
      until: op.lasts === undefined ? Number.POSITIVE_INFINITY : this.now + op.lasts
    })
    if (bad.length > 0) return "malformed"
    return this.fits(said) ? this.say(said, op) : "does-not-fit"
  }

  load({ source, values }: Extract<Op, { does: "load" }>): void {
    const known = this.known()
    const refused = new Set<string>()
    this.refused.set(source, refused)
    const who = { by: "a source", reason: undefined, until: Number.POSITIVE_INFINITY }
    const left = this.namesHeld(source).filter((name) => !Object.hasOwn(values, name))
    const everything = { ...values, ...Object.fromEntries(left.map((name) => [name, undefined])) }
    for (const [name, raw] of Object.entries(everything)) {
      if (known.includes(name)) continue
      this.sayings.push({ source, name, ends: [name], raw, at: this.now, ...who })
    }
    const { said, bad } = this.read(
      source,
      Object.fromEntries(Object.entries(everything).filter(([name]) => known.includes(name))),
      who
    )
    for (const name of bad) refused.add(name)
    // What touches one ring's rows through a shared value belongs together.
    for (const row of ["shop/show", "shop/peek", "cart/read", "both"]) {
      const groups = this.groupOf(said)
      const group = said.filter(({ name }) => groups(name) === row)
      if (group.length === 0) continue
      if (this.fits(group)) this.say(group, { by: "a source" })
      else for (const { name } of group) refused.add(name)
    }
  }

  /** Registers a ring, or takes it away. */
  ring(nth: number): void {
    const names = () => this.known().filter((name) => rowsOf(nth).some((row) => name.startsWith(`${row}/`)))
    if (this.rings.has(nth)) {
      for (const name of names()) this.inForce.delete(name)
      this.rings.delete(nth)
      return
    }
    this.rings.add(nth)
    for (const source of upwards) {
      for (const name of names()) {
        const held = this.holds(this.sayings, source, name, this.now)
        if (held === undefined) continue
        const twin = family(name).find((of) => of !== name && family(name).indexOf(of) < family(name).indexOf(name))
        const other = twin === undefined ? undefined : this.holds(this.sayings, source, twin, this.now)
        const value = meaning(name, held.raw, source)
        const differs = twin !== undefined && other !== undefined && meaning(twin, other.raw, source) !== value
        if (value === undefined || differs) this.drop(source, name)
      }
    }
    const relatives = new Map(rowsOf(nth).map((row) => [row, names()]))
    for (const row of rowsOf(nth)) {
      if (this.rowFits(this.sayings, row)) continue
      for (const name of relatives.get(row) ?? []) {
        for (const source of upwards) {
          if (this.holds(this.sayings, source, name, this.now) !== undefined) this.drop(source, name)
        }
      }
    }
    for (const name of names()) this.inForce.set(family(name)[0] ?? "", { said: undefined, since: this.now })
    this.look(names(), {})
  }

  private drop(source: Settings.Source, name: string): void {
    this.refused.get(source)?.add(name)
    this.sayings.push({ source, name, ends: [name], raw: undefined, at: this.now, by: "", reason: undefined, until: 0 })
  }

  /** The last sentence of a source about a name, where it still says something. */
  private holds(sayings: ReadonlyArray<Said>, source: Settings.Source, name: string, at: number): Said | undefined {
    const last = sayings.findLast((said) => said.source === source && said.ends.includes(name))
    return last !== undefined && last.name === name && last.raw !== undefined && last.until > at ? last : undefined
  }

  private namesHeld(source: Settings.Source): ReadonlyArray<string> {
    const names = new Set(this.sayings.flatMap((said) => (said.source === source ? [said.name] : [])))
    return [...names].filter((name) => this.holds(this.sayings, source, name, this.now) !== undefined)
  }

  private heldBy(sayings: ReadonlyArray<Said>, source: Settings.Source, name: string, at: number): Said | undefined {
    return family(name).flatMap((of) => this.holds(sayings, source, of, at) ?? [])[0]
  }

  private effective(sayings: ReadonlyArray<Said>, name: string, at: number): Said | undefined {
    return upwards.flatMap((source) => this.heldBy(sayings, source, name, at) ?? []).at(-1)
  }

  /** Edits as sentences: the first word about a value counts, and what changes nothing is not said. */
  private read(
    source: Settings.Source,
    edits: Readonly<Record<string, unknown>>,
    who: Pick<Said, "by" | "reason" | "until">
  ): { readonly said: ReadonlyArray<Said>; readonly bad: ReadonlyArray<string> } {
    const bad: Array<string> = []
    const said: Array<Said> = []
    const firsts = new Map<string, Value | undefined>()
    for (const [name, raw] of Object.entries(edits)) {
      const value = raw === undefined ? undefined : meaning(name, raw, source)
      if (raw !== undefined && value === undefined) {
        bad.push(name)
        continue
      }
      const one = family(name)[0] ?? name
      if (firsts.has(one) && firsts.get(one) !== value) {
        if (value !== undefined && firsts.get(one) !== undefined) bad.push(name)
        continue
      }
      firsts.set(one, value)
      const before = this.heldBy(this.sayings, source, name, this.now)
      const same =
        before === undefined
          ? value === undefined
          : value === meaning(name, before.raw, source) && before.until === who.until
      if (!same) said.push({ source, name, ends: family(name), raw, at: this.now, ...who })
    }
    return { said, bad }
  }

  private groupOf(said: ReadonlyArray<Said>) {
    const both = said.some(({ name }) => family(name).length > 1)
    return (name: string) => {
      const row = name.split("/").slice(0, 2).join("/")
      return both && row.startsWith("shop/") ? "both" : row
    }
  }

  private say(said: ReadonlyArray<Said>, who: { readonly by?: string; readonly reason?: string }): undefined {
    this.sayings.push(...said)
    this.look(
      said.map(({ name }) => name),
      who
    )
  }

  private fits(said: ReadonlyArray<Said>): boolean {
    const then = [...this.sayings, ...said]
    const rows = new Set(said.flatMap(({ name }) => family(name).map((of) => of.split("/").slice(0, 2).join("/"))))
    return [...rows].every((row) => this.rowFits(then, row))
  }

  /** Now and at the end of everything that was ever said. */
  private rowFits(sayings: ReadonlyArray<Said>, row: string): boolean {
    const moments = sayings.map(({ until }) => until).filter((until) => until > this.now && Number.isFinite(until))
    return [this.now, ...new Set(moments)].every((at) => {
      const value = (knob: string) => {
        const name = `${row}/${knob}`
        const said = this.effective(sayings, name, at)
        return said === undefined ? initialOf(name) : meaning(name, said.raw, said.source)
      }
      const own = row === "cart/read" ? "own" : "shared"
      const [low, high] = [Number(value(`${own}.low`)), Number(value(`${own}.high`))]
      const [deadline, timeout] = [Number(value("deadline.limitMillis")), Number(value("timeout.limitMillis"))]
      const answers =
        row !== "shop/show" || value("fallback.value.enabled") === true || value("fallback.omit.enabled") === true
      return low <= high && timeout < deadline && timeout <= budgetMillis && answers
    })
  }

  /** Notes what is another now than it was. */
  private look(
    names: ReadonlyArray<string>,
    who: { readonly by?: string; readonly reason?: string | undefined }
  ): void {
    for (const name of new Set(names.map((of) => family(of)[0] ?? of))) {
      const before = this.inForce.get(name)
      const said = this.effective(this.sayings, name, this.now)
      if (before === undefined || before.said === said) continue
      const valueOf = (of: Said | undefined) =>
        of === undefined ? initialOf(name) : (meaning(name, of.raw, of.source) ?? "")
      this.audit.push({
        at: this.now,
        by: who.by ?? said?.by ?? "code",
        names: [...family(name)].sort().join(),
        from: valueOf(before.said),
        to: valueOf(said),
        origin: said?.source ?? "code",
        reason: who.reason ?? said?.reason,
        until: said?.until ?? Number.POSITIVE_INFINITY
      })
      this.inForce.set(name, { said, since: this.now })
    }
  }
}

const endOf = (said: Said | undefined) => ({
  reason: said?.reason,
  until: said?.until ?? Number.POSITIVE_INFINITY
})
