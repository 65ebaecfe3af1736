/** The process that runs the tests: it loads everything once, then tries one mutant after another. */
import { registerHooks, stripTypeScriptTypes } from "node:module"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { pathToFileURL } from "node:url"
import type { Job, Order, Told } from "./messages.ts"
import type { Test } from "./stage.ts"
import { install, passed, turn } from "./switch.ts"

const job = await new Promise<Job>((resolve) => process.once("message", (job: Job) => resolve(job)))
const stage = new URL("./stage.ts", import.meta.url).href
const sources = new Map(job.sources.map(({ file, text }) => [pathToFileURL(join(job.root, file)).href, text]))

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "vitest" ? { url: stage, shortCircuit: true } : next(specifier, context),
  load: (url, context, next) => {
    const text = sources.get(url)
    return text === undefined
      ? next(url, context)
      : { format: "module", source: stripTypeScriptTypes(text), shortCircuit: true }
  }
})

const tell = (told: Told) => process.send?.(told)
const { setTimeout, clearTimeout } = globalThis

/** Runs a test; says why it failed. */
const attempt = async ({ run }: Test, millis: number): Promise<string | undefined> => {
  const finished: Array<() => unknown> = []
  const abort = new AbortController()
  const context = {
    signal: abort.signal,
    onTestFinished: (f: () => unknown) => finished.push(f),
    task: {}
  }
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(`not done after ${millis} ms`), millis)
    })
    return await Promise.race([Promise.resolve(run(context)).then(() => undefined), late])
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  } finally {
    clearTimeout(timer)
    abort.abort()
    for (const f of finished) void f()
  }
}

install()
process.on("disconnect", () => process.exit())

// The same module that the tests get in the place of vitest.
const { collect }: typeof import("./stage.ts") = await import(stage)
const tests: Array<Test> = []
const onLoad: Record<string, ReadonlyArray<number>> = {}
const without = new RegExp(job.without)
for (const file of job.tests) {
  turn(job.active)
  const found = await collect(file, () => import(pathToFileURL(join(job.root, file)).href))
  tests.push(...found.filter(({ name }) => !without.test(name)))
  onLoad[file] = passed().mutants
}

// What goes wrong behind the back of a test is no verdict about it.
process.on("uncaughtException", () => {})
process.on("unhandledRejection", () => {})

const testAt = (nth: number): Test => {
  const test = tests[nth]
  if (test === undefined) throw new Error(`there is no test ${nth}`)
  return test
}

const obey = async (order: Order): Promise<Told> => {
  if (order._tag === "Measure") {
    turn(-1)
    const begun = performance.now()
    const failed = await attempt(testAt(order.test), 120_000)
    const { count, mutants } = passed()
    return { _tag: "Measured", failed, millis: performance.now() - begun, passed: count, mutants }
  }
  for (const { limit, millis, test } of order.tests) {
    tell({ _tag: "Begun", test })
    turn(order.mutant, limit)
    const why = await attempt(testAt(test), millis)
    if (why === undefined) continue
    // A mutant can leave something behind that fails the next ones too, which would count as killed.
    turn(-1)
    const sound = (await attempt(testAt(test), millis)) === undefined
    return { _tag: "Killed", test, why, sound }
  }
  return { _tag: "Survived" }
}

process.on("message", (order: Order) => void obey(order).then(tell))
tell({ _tag: "Loaded", tests: tests.map(({ file, name }) => ({ file, name })), onLoad })
