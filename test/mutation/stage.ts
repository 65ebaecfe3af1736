/**
 * What stands for vitest while mutants are tested: it collects the tests of many files in one process, where
 * each can be run again and again without loading anything anew. A thousand mutants, each with a process and a
 * run of vitest, take hours; this way they take minutes.
 */
import { assert, expect } from "chai"

export { assert, expect }

/** A test that was collected. */
export interface Test {
  readonly file: string
  readonly name: string
  readonly run: (context: object) => unknown
}

type Body = (...args: ReadonlyArray<unknown>) => unknown

const collected: Array<Test> = []
const path: Array<string> = []
const current = { file: "" }

/** The tests of a file, collected while `load` runs. */
export const collect = async (file: string, load: () => Promise<unknown>): Promise<ReadonlyArray<Test>> => {
  current.file = file
  path.length = 0
  await load()
  return collected.splice(0)
}

const bodyOf = (args: ReadonlyArray<unknown>): Body => {
  const body = args.find((arg): arg is Body => typeof arg === "function")
  if (body === undefined) throw new Error(`${current.file}: a test without a body`)
  return body
}

const register = (name: string, body: Body) =>
  collected.push({ file: current.file, name: [...path, name].join(" > "), run: (context) => body(context) })

/** `name` with the case in the place of `%s`, or of `$field`. */
const titled = (name: string, value: unknown, nth: number) => {
  const first: unknown = Array.isArray(value) ? value[0] : value
  const text = typeof first === "object" ? JSON.stringify(first) : String(first)
  const filled = name.replace(/%[sidjof]/, () => text)
  return filled === name ? `${name} (${nth + 1})` : filled
}

const each =
  (define: (name: string, body: Body) => unknown) =>
  (cases: ReadonlyArray<unknown>) =>
  (name: string, ...args: ReadonlyArray<unknown>) => {
    const body = bodyOf(args)
    for (const [nth, value] of cases.entries()) {
      define(titled(name, value, nth), () => (Array.isArray(value) ? body(...value) : body(value)))
    }
  }

const skip = () => {}

export const it = Object.assign((name: string, ...args: ReadonlyArray<unknown>) => register(name, bodyOf(args)), {
  each: each(register),
  for:
    (cases: ReadonlyArray<unknown>) =>
    (name: string, ...args: ReadonlyArray<unknown>) => {
      const body = bodyOf(args)
      for (const [nth, value] of cases.entries()) register(titled(name, value, nth), (context) => body(value, context))
    },
  skip,
  todo: skip,
  fails: skip,
  only: (name: string, ...args: ReadonlyArray<unknown>) => register(name, bodyOf(args)),
  skipIf: (condition: unknown) => (condition === true ? skip : it),
  runIf: (condition: unknown) => (condition === true ? it : skip)
})

export const test = it

const suite = (name: string, body: Body) => {
  path.push(name)
  body()
  path.pop()
}

export const describe = Object.assign((name: string, ...args: ReadonlyArray<unknown>) => suite(name, bodyOf(args)), {
  each: each(suite),
  skip
})

const missing = (what: string) => () => {
  throw new Error(`${current.file}: tests with ${what} are not run on mutants`)
}

export const beforeAll = missing("beforeAll")
export const beforeEach = missing("beforeEach")
export const afterAll = missing("afterAll")
export const afterEach = missing("afterEach")
export const vi = { useFakeTimers: missing("vi"), fn: missing("vi"), spyOn: missing("vi") }

/** What `@effect/vitest` asks for when it is loaded. */
export const TestRunner = { getCurrentSuite: missing("layers") }
