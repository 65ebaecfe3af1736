/** Each rule finds what was planted for it, and nothing in its harmless twin. */
import { assert, describe, it } from "vitest"
import { docLinks, rules, serviceKeys } from "./rules.ts"

const core = "packages/core/src/X.ts"
const policy = "packages/core/src/policy/x.ts"
const http = "packages/http/src/X.ts"
const example = "packages/examples/src/x.ts"

const testing = "packages/core/src/testing/X.ts"
const onNode = "packages/core/src/testing/node/x.ts"

const header =
  "/**\n * X.\n *\n * **Details**\n * **Gotchas**\n * **Example** (x)\n * ```ts\n * ```\n * @since 0.1.0\n */\n"
const documented = "/**\n * X.\n *\n * @category models\n * @since 0.1.0\n */\nexport const x = 1\n"

const planted: ReadonlyArray<readonly [rule: string, path: string, bad: string, good: string]> = [
  ["importDirections", core, 'import { x } from "node:fs"', 'import { x } from "effect/Effect"'],
  ["importDirections", core, 'import * as H from "effect/http/HttpClient"', '// from "effect/http"'],
  ["importDirections", core, 'import { x } from "./testing/x.ts"', 'import { x } from "./Call.ts"'],
  ["importDirections", core, 'import "node:fs"', 'import "./Call.ts"'],
  ["importDirections", core, "import x from 'node:fs'", "import { x } from 'effect/Effect'"],
  ["importDirections", core, 'import fs from "fs"', 'import * as E from "effect"'],
  ["importDirections", core, 'import fs = require("node:fs")', 'import { x } from "./Call.ts"'],
  ["importDirections", testing, 'import { readFileSync } from "node:fs"', 'import * as Effect from "effect/Effect"'],
  ["importDirections", testing, 'import { it } from "vitest"', 'import type { Policy } from "../Policy.ts"'],
  ["importDirections", testing, 'import { host } from "./node/host.ts"', 'import * as Host from "./Host.ts"'],
  [
    "importDirections",
    "packages/core/src/Flag.ts",
    'import { ErrorCode } from "@openfeature/server-sdk"',
    'import "./Knob.ts"'
  ],
  [
    "importDirections",
    "packages/core/src/Flag.ts",
    'import { source } from "./openfeature/index.ts"',
    'import "./Knob.ts"'
  ],
  ["importDirections", onNode, 'import { it } from "vitest"', 'import { readFileSync } from "node:fs"'],
  ["importDirections", core, 'export * from "./testing/index.ts"', 'export * as Policy from "./policy/index.ts"'],
  ["importDirections", policy, 'import { retry } from "./retry.ts"', 'import type { Call } from "../Call.ts"'],
  [
    "importDirections",
    policy,
    'import { retry } from "../policy/retry.ts"',
    'import { refuse } from "../internal/refuse.ts"'
  ],
  ["importDirections", policy, 'import "./retry.ts"', 'import * as Policy from "../Policy.ts"'],
  ["importDirections", policy, 'import { Policy } from "../index.ts"', 'import * as Policy from "../Policy.ts"'],
  [
    "importDirections",
    "packages/core/src/Call.ts",
    'import { P } from "./Policy.ts"',
    'import * as E from "effect/Effect"'
  ],
  [
    "importDirections",
    "packages/core/src/Contract.ts",
    'import { D } from "./Downstream.ts"',
    'import type { Answer } from "./Answer.ts"'
  ],
  [
    "importDirections",
    "packages/core/src/Policy.ts",
    'import { x } from "./policy/x.ts"',
    'import { x } from "./Call.ts"'
  ],
  ["importDirections", http, 'import { x } from "../../core/src/Call.ts"', 'import { Call } from "@failsoft/core"'],
  [
    "importDirections",
    "packages/http/src/testing/X.ts",
    'import { Fake } from "@failsoft/core/testing"',
    'import { Player } from "@failsoft/core/testing/faults"'
  ],
  [
    "importDirections",
    http,
    'import { Player } from "@failsoft/core/testing/faults"',
    'import { Call } from "@failsoft/core"'
  ],
  [
    "importDirections",
    example,
    'import { x } from "@failsoft/core/internal"',
    'import { x } from "@failsoft/core/testing"'
  ],
  ["noRealTime", core, "const now = Date.now()", "const now = clock.currentTimeMillisUnsafe()"],
  ["noRealTime", http, "setTimeout(f, 1)", "// setTimeout is not used here"],
  ["noRealTime", core, "const r = Math.random()", "const r = Random.next"],
  ["noRealTime", core, "const t = new Date()", "const t = new Date(millis)"],
  ["noRealTime", core, "const t = Date()", "const t = Schema.Date"],
  ["noRealTime", core, "process.hrtime.bigint()", "clock.monotonicTimeNanosUnsafe()"],
  ["noRealTime", core, "AbortSignal.timeout(5)", "Effect.timeout(5)"],
  ["noRealTime", core, "crypto.getRandomValues(x)", "Random.nextInt"],
  ["noNestedRuns", core, "Effect.runSync(x)", "Effect.sync(x)"],
  ["noNestedRuns", testing, "Effect.runFork(x)", "pump.run(x)"],
  ["noRealTime", testing, "Date.now()", "pump.elapsedMillis()"],
  ["documentedExports", testing, "export const x = 1\n", documented],
  ["moduleHeaders", testing, "/** X. */\n", header],
  ["noAny", core, "const x: any = 1", "const anything = 1 // any"],
  ["noAny", core, "const x: any[] = []", "const x: Array<unknown> = []"],
  ["noAny", core, "function f(): any {}", "function f(): unknown {} // any"],
  ["noAny", core, "type F = () => any", "type F = () => unknown"],
  ["noAny", core, "let x: any", "let x: unknown"],
  ["noAny", core, "type P = Promise<any[]>", "type P = Promise<unknown>"],
  ["noAny", core, "type R = readonly any[]", "type R = readonly unknown[]"],
  ["noAny", "docs/x.md", "f(x as any)", "any text with any word"],
  ["noCasts", example, "const x = y as string", 'import * as x from "y"\nconst z = "a" as const'],
  ["documentedExports", core, "export const x = 1\n", documented],
  ["documentedExports", core, "export async function f() {}\n", documented],
  ["documentedExports", core, "export let x = 1\n", documented],
  ["documentedExports", core, "/** @category models\n * @since 0.1.0 */\nexport const x = 1\n", documented],
  ["documentedExports", http, "/** X. */\nexport class X {}\n", documented],
  ["moduleHeaders", core, "/** X. */\n", header]
]

describe("each rule finds what was planted", () => {
  it.each(planted)("%s in %s: %s", (name, path, bad, good) => {
    const rule = rules[name]
    assert.isDefined(rule)
    assert.isNotEmpty(rule?.({ path, text: bad }))
    assert.isEmpty(rule?.({ path, text: good }))
  })

  it("serviceKeys finds a key that is used twice and one without its package", () => {
    const text = 'class A extends Context.Service<A, { x: 1 }>()("@failsoft/core/A") {}'
    assert.isEmpty(serviceKeys([{ path: core, text }]))
    assert.isNotEmpty(
      serviceKeys([
        { path: core, text },
        { path: policy, text }
      ])
    )
    assert.isNotEmpty(serviceKeys([{ path: core, text: 'const R = Context.Reference<number>("Deadline", {})' }]))
  })

  it("docLinks finds a dead link and a lost page", () => {
    const exists = (path: string) => path === "docs/a.md" || path === "README.md"
    const readme = { path: "README.md", text: "[a](docs/a.md)" }
    const page = { path: "docs/a.md", text: "[up](../README.md)" }
    assert.isEmpty(docLinks([readme, page], exists))
    assert.isNotEmpty(docLinks([{ ...readme, text: "" }, page], exists))
    assert.isNotEmpty(docLinks([{ ...readme, text: "[b](docs/b.md)" }], exists))
  })
})
