/** Tries all mutants of some sources on some tests. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Job } from "./messages.ts"
import { type Mutant, mutantsOf } from "./mutants.ts"
import { refusedByTypes } from "./types.ts"
import { open, type Verdict, type Workshop } from "./workshop.ts"

/** A mutant that no test can tell from the original, and why: it counts neither as killed nor as surviving. */
export interface Equivalent {
  /** The path of the file, from the root of the repository. */
  readonly file: string
  /** The line as it stands, without its indentation. */
  readonly line: string
  /** The mutant: what stands there, then what it puts in its place. */
  readonly change: readonly [original: string, replacement: string]
  readonly reason: string
}

/** How a mutant fared. */
export interface Result {
  readonly mutant: Mutant
  /** `refused`: by the type checker. */
  readonly outcome: "killed" | "survived" | "refused" | "ignored"
  /** The test that killed it and how it failed; why it was ignored or refused; that no test comes by. */
  readonly why: string
  /** The file of the test that killed it. */
  readonly by?: string
}

/** A test, and what it does where nothing is wrong. */
interface Measured {
  readonly nth: number
  readonly file: string
  readonly name: string
  readonly millis: number
  readonly passed: number
  readonly mutants: ReadonlySet<number>
}

/** What is tried, and who is told of it. */
export interface Options {
  /** The root of the repository. */
  readonly root: string
  readonly sources: ReadonlyArray<string>
  readonly tests: ReadonlyArray<string>
  /** Tests whose name fits are left out. Default: none. */
  readonly without?: string
  readonly equivalents?: ReadonlyArray<Equivalent>
  /** Only these mutants. */
  readonly only?: (mutant: Mutant) => boolean
  readonly tell?: (line: string) => void
  readonly done?: (results: ReadonlyArray<Result>, all: number) => void
}

const fits = (mutant: Mutant, { change, file, line }: Equivalent) =>
  mutant.file === file && mutant.source === line && mutant.original === change[0] && mutant.replacement === change[1]

/** A test with a mutant may take so much longer than without: the machine has other things to do. */
const limitMillis = (millis: number) => 20 * millis + 3000

/** Tries all mutants, and says how each fared. */
export const run = async (options: Options): Promise<ReadonlyArray<Result>> => {
  const { equivalents = [], only = () => true, root, tell = () => {}, without = "^$" } = options
  const all: Array<Mutant> = []
  const texts = new Map(options.sources.map((file) => [file, readFileSync(join(root, file), "utf8")]))
  const sources = [...texts].map(([file, original]) => {
    const { mutants, text } = mutantsOf(file, original, all.length)
    all.push(...mutants)
    return { file, text }
  })
  for (const one of equivalents) {
    if (options.sources.includes(one.file) && !all.some((mutant) => fits(mutant, one))) {
      throw new Error(`${one.file}: no mutant is excluded by this entry, take it away: ${JSON.stringify(one)}`)
    }
  }
  const job: Job = { root, sources, tests: options.tests, without, active: -1 }
  const mutants = all.filter(only)
  tell(`checking the types of ${mutants.length} mutants`)
  const refused = refusedByTypes(root, texts, mutants)
  tell(
    `${mutants.length} mutants, ${refused.size} of them refused by the type checker, in ${sources.length} files; loading ${options.tests.length} files of tests`
  )
  const start = async (files = options.tests, active = -1): Promise<Workshop | undefined> =>
    await open({ ...job, tests: files, active })
  const fresh = async (): Promise<Workshop> => {
    const workshop = await start()
    if (workshop === undefined) throw new Error("the tests could not be loaded; MUTATION_LOUD=1 shows why")
    return workshop
  }

  let workshop = await fresh()
  const { onLoad } = workshop
  const measured: Array<Measured> = []
  for (const [nth, { file, name }] of workshop.tests.entries()) {
    const once = await workshop.measure(nth)
    // It may still look at what was made while its file was loaded.
    if (once.mutants.length === 0 && (onLoad[file] ?? []).length === 0) continue
    // Tests run again and again here, so they must bear it. The long ones have proved it many times within.
    const twice = once.millis > 1000 ? once : await workshop.measure(nth)
    const failed = once.failed ?? twice.failed
    if (failed !== undefined) {
      tell(`left out, it fails without a mutant: ${file}: ${name}: ${failed}`)
      continue
    }
    measured.push({
      nth,
      file,
      name,
      millis: Math.max(once.millis, twice.millis),
      passed: Math.max(once.passed, twice.passed),
      mutants: new Set([...once.mutants, ...twice.mutants])
    })
  }
  const total = measured.reduce((sum, { millis }) => sum + millis, 0)
  for (const { millis, name } of measured.filter(({ millis }) => millis > 2000))
    tell(`slow: ${Math.round(millis)} ms: ${name}`)
  tell(`${measured.length} of ${workshop.tests.length} tests come by a mutant; ${Math.round(total)} ms for all of them`)

  /** How often each test has killed a mutant: the likely killers go first. */
  const kills = new Map<number, number>()
  const cost = ({ millis, nth }: Measured) => (millis + 1) / (1 + (kills.get(nth) ?? 0))
  const orderFor = (mutant: Mutant, tests: ReadonlyArray<Measured>) => ({
    _tag: "Try" as const,
    mutant: mutant.id,
    tests: [...tests]
      .sort((a, b) => cost(a) - cost(b))
      .map(({ millis, nth, passed }) => ({
        test: nth,
        limit: 50 * passed + 100_000,
        millis: limitMillis(millis)
      }))
  })

  const tryIn = async (mutant: Mutant, tests: ReadonlyArray<Measured>): Promise<Verdict> => {
    let verdict = await workshop.attempt(orderFor(mutant, tests))
    if (verdict._tag === "Killed" && !verdict.sound) {
      workshop.close()
      workshop = await fresh()
      verdict = await workshop.attempt(orderFor(mutant, tests))
    }
    // After such a thing the process may not be what it was.
    if (
      verdict._tag !== "Survived" &&
      !(verdict._tag === "Killed" && verdict.sound && !/ not done after /.test(` ${verdict.why}`))
    ) {
      workshop.close()
      workshop = await fresh()
    }
    return verdict
  }

  /** The same in a process of its own, in which the mutant lives while all is loaded. */
  const tryFromStart = async (mutant: Mutant, tests: ReadonlyArray<Measured>): Promise<Verdict> => {
    const files = options.tests.filter((file) => tests.some((test) => test.file === file))
    const own = await start(files, mutant.id)
    if (own === undefined) return { _tag: "Broke", test: -1 }
    const nthThere = new Map(own.tests.map(({ file, name }, nth) => [`${file} ${name}`, nth]))
    const there = tests.flatMap((test) => {
      const nth = nthThere.get(`${test.file} ${test.name}`)
      return nth === undefined ? [] : [{ ...test, nth }]
    })
    // A test that is gone has its name from what is mutated.
    const verdict: Verdict =
      there.length < tests.length ? { _tag: "Broke", test: -1 } : await own.attempt(orderFor(mutant, there))
    own.close()
    if (verdict._tag === "Survived") return verdict
    const killer = there.find(({ nth }) => nth === verdict.test)
    const home = tests.find(({ file, name }) => file === killer?.file && name === killer.name)
    return { ...verdict, test: home?.nth ?? -1 }
  }

  const results: Array<Result> = []
  for (const mutant of mutants) {
    const error = refused.get(mutant.id)
    const equivalent = equivalents.find((one) => fits(mutant, one))
    if (error !== undefined || equivalent !== undefined) {
      results.push(
        error === undefined
          ? { mutant, outcome: "ignored", why: equivalent?.reason ?? "" }
          : { mutant, outcome: "refused", why: error }
      )
      options.done?.(results, mutants.length)
      continue
    }
    const covering = measured.filter((test) => test.mutants.has(mutant.id))
    let verdict: Verdict = covering.length === 0 ? { _tag: "Survived" } : await tryIn(mutant, covering)
    const loaders = options.tests.filter((file) => onLoad[file]?.includes(mutant.id))
    let fromStart: ReadonlyArray<Measured> = []
    if (verdict._tag === "Survived" && (loaders.length > 0 || mutant.onLoad)) {
      const inFile = new Set(all.filter(({ file }) => file === mutant.file).map(({ id }) => id))
      fromStart = measured.filter(
        (test) => loaders.includes(test.file) || (mutant.onLoad && [...test.mutants].some((id) => inFile.has(id)))
      )
      if (fromStart.length > 0) verdict = await tryFromStart(mutant, fromStart)
    }
    if (verdict._tag === "Survived") {
      const tried = covering.length + fromStart.length
      results.push({
        mutant,
        outcome: "survived",
        why: tried === 0 ? "no test comes by" : `${tried} tests came by and passed`
      })
    } else {
      const { test } = verdict
      if (test >= 0) kills.set(test, (kills.get(test) ?? 0) + 1)
      const killer = measured.find(({ nth }) => nth === test)
      const how =
        verdict._tag === "Killed" ? verdict.why : verdict._tag === "Hung" ? "went on for ever" : "did not load"
      results.push({
        mutant,
        outcome: "killed",
        why: `${killer?.name ?? "while loading"}: ${how.slice(0, 200)}`,
        ...(killer === undefined ? {} : { by: killer.file })
      })
    }
    options.done?.(results, mutants.length)
  }
  workshop.close()
  return results
}
