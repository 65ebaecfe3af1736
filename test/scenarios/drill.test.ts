/** The drill as a person runs it, against a storefront of its own; and what it says of what it has seen. */
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { brokenPromise, gradeOf, type Seen } from "../../packages/examples/src/drills/seen.ts"
import { judge } from "../../packages/examples/src/drills/verdict.ts"
import { ask, start, until } from "./storefront.ts"

const main = fileURLToPath(new URL("../../packages/examples/src/drills/main.ts", import.meta.url))
const root = fileURLToPath(new URL("../../", import.meta.url))

const drill = (args: ReadonlyArray<string>, stopAfter?: { readonly says: RegExp }) =>
  new Promise<{ readonly code: number | null; readonly output: string }>((resolve) => {
    const child = spawn(process.execPath, ["--conditions=@failsoft/source", main, ...args], { cwd: root })
    let output = ""
    const hear = (chunk: unknown) => {
      output += String(chunk)
      if (stopAfter?.says.test(output) === true) child.kill("SIGINT")
    }
    child.stdout.on("data", hear)
    child.stderr.on("data", hear)
    child.on("exit", (code) => resolve({ code, output }))
  })

const folder = mkdtempSync(join(tmpdir(), "failsoft-drill-"))
const planOf = (name: string, plan: object | string) => {
  const file = join(folder, name)
  writeFileSync(file, typeof plan === "string" ? plan : JSON.stringify(plan))
  return file
}

/** Windows that overlap, one of the first calls only, one that fades, and callers who go away. */
const short = {
  faults: [
    { kind: "down", target: "recommendations", from: 1000, until: 4000, recoverMillis: 500 },
    { kind: "latency", target: ["recommendations", "identity"], millis: 5, from: 500, until: 4500 },
    { kind: "resetAfter", target: "payments/charge", from: 1000, until: 4000, first: 2 }
  ],
  disturbances: [{ kind: "abort", percent: 30, afterMillis: 1, from: 1000, until: 4000 }]
}

describe("a drill", () => {
  it("breaks a running storefront by its plan, keeps count, and judges the promises", {
    timeout: 180_000
  }, async () => {
    const shop = await start()
    try {
      const json = join(folder, "result.json")
      const { code, output } = await drill([
        planOf("short.json", short),
        ...["--url", shop.api, "--admin", shop.admin, "--recovery", "6", "--json", json]
      ])
      // On a busy machine the shop may miss its own times after the faults as well, and the drill says so.
      assert.strictEqual(code, /^BROKEN all is fresh/m.test(output) ? 1 : 0, output)
      assert.notMatch(output, /^BROKEN (?!all is fresh)/m)
      assert.match(output, /down recommendations, latency recommendations\+identity, .*\(first 2\), abort 30 %/)
      assert.match(output, /; recommendations\/forUser (open|half-open)/)
      assert.match(output, /kept {3}nobody is charged twice: [1-9]/)
      const { seen } = JSON.parse(readFileSync(json, "utf8"))
      const during = seen.filter((of: Seen) => of.at > 1500 && of.at < 3500 && of.endpoint === "page")
      assert.isAbove(during.filter(({ grade }: Seen) => grade === "stale" || grade === "substituted").length, 5)
      assert.isAbove(seen.filter(({ grade }: Seen) => grade === "gone").length, 3)
      const charges = (await shop.journal("payments")).received.filter(({ path }) => path === "/charges")
      const keys = new Set(charges.map(({ idempotencyKey }) => idempotencyKey))
      assert.isAtLeast(charges.length - keys.size, 2, "two charges lost their answer, and were asked for again")
      assert.isNull((await ask(`${shop.admin}/admin/fault-plan`)).body["plan"])
    } finally {
      await shop.stop()
    }
  })

  it("takes its faults away when it is told to stop", { timeout: 180_000 }, async () => {
    const shop = await start()
    try {
      const long = { faults: [{ kind: "hang", target: "catalog", from: 0, until: 60_000 }] }
      const { code } = await drill([planOf("long.json", long), "--url", shop.api, "--admin", shop.admin], {
        says: /hang catalog/
      })
      assert.strictEqual(code, 130)
      assert.isNull((await ask(`${shop.admin}/admin/fault-plan`)).body["plan"])
      await until("the catalog answers", 10_000, async () => (await shop.page("sku-1")).status === 200)
    } finally {
      await shop.stop()
    }
  })

  it.each([
    ["no plan", [], /npm run drill -- <plan>/],
    ["a name of no plan that every object has", ["constructor"], /There is no plan 'constructor'/],
    ["an unknown plan", ["meteor"], /There is no plan 'meteor' and no file of that name; the plans are catalog-region/],
    ["a plan that is none", [planOf("bad.json", '{"faults":[{"kind":"meteor"}]}')], /is no plan/],
    [
      "a clock that is set",
      [planOf("jump.json", { faults: [], disturbances: [{ kind: "clockJump", byMillis: 1000, from: 0 }] })],
      /This plan cannot be drilled: a clockJump cannot be shown over HTTP: only the simulator sets clocks\./
    ],
    [
      "a missing server",
      ["catalog", "--url", "http://127.0.0.1:1", "--admin", "http://127.0.0.1:1"],
      /is the storefront running/
    ],
    ["another machine", ["catalog", "--url", "http://example.com", "--admin", "http://example.com"], /--allow-remote/],
    ["half an address", ["catalog", "--url", "http://127.0.0.1:4000"], /both --url and --admin/],
    ["a rate of nothing", ["catalog", "--rate", "0"], /--rate must be a number from 1 to 500/]
  ] as const)("says what to do about %s", async (_, args, says) => {
    const { code, output } = await drill(args)
    assert.strictEqual(code, 2, output)
    assert.match(output, says)
  })
})

describe("the verdict", () => {
  const seen = (of: Partial<Seen>): Seen => ({
    at: 0,
    endpoint: "order",
    grade: "fresh",
    status: 201,
    millis: 5,
    reason: undefined,
    broken: undefined,
    orderId: undefined,
    ...of
  })
  const promises = { faultsEndAt: 1000, recoveryMillis: 2000 }
  const kept = (all: ReadonlyArray<Seen>, charges: ReadonlyMap<string, number> = new Map()) =>
    judge(all, charges, promises).map((of) => of.kept)

  it("finds each broken promise, and no other", () => {
    assert.deepEqual(kept([seen({ orderId: "a" })], new Map([["a", 1]])), [true, true, true, true])
    assert.deepEqual(kept([seen({ broken: "too late" })]), [false, true, true, true])
    assert.deepEqual(kept([seen({ orderId: "a" })], new Map([["a", 2]])), [true, false, true, true])
    assert.deepEqual(kept([seen({ orderId: "a" })]), [true, true, false, true])
    assert.deepEqual(kept([seen({ at: 3000, grade: "stale" })]), [true, true, true, false])
    assert.deepEqual(kept([seen({ at: 2999, grade: "failed" }), seen({ at: 3000, grade: "final" })]), [
      true,
      true,
      true,
      true
    ])
  })

  const response = (status: number, headers: Record<string, string>, body: unknown) => ({
    status,
    header: (name: string) => headers[name] ?? null,
    body
  })
  const problem = { "content-type": "application/problem+json" }

  it("grades an answer by its worst quality", () => {
    const degraded = { degradation: "catalog;quality=stale;age=3, inventory;quality=optimistic" }
    assert.strictEqual(gradeOf(response(200, degraded, {})), "optimistic")
    assert.strictEqual(gradeOf(response(200, {}, {})), "fresh")
    assert.strictEqual(gradeOf(response(202, {}, {})), "deferred")
    assert.strictEqual(gradeOf(response(409, {}, {})), "final")
    assert.strictEqual(gradeOf(response(503, {}, {})), "failed")
  })

  it("holds each answer to what is promised whatever is broken", () => {
    const broken = (status: number, headers: Record<string, string>, body: unknown, millis = 1) =>
      brokenPromise(response(status, headers, body), millis, 100)
    assert.isUndefined(broken(200, {}, { meta: { degraded: [] } }))
    assert.match(broken(200, {}, {}, 101) ?? "", /after 101 ms/)
    assert.match(broken(500, problem, { retryable: false }) ?? "", /status 500/)
    assert.match(broken(503, problem, { retryable: true }) ?? "", /without Retry-After/)
    assert.match(broken(404, {}, {}) ?? "", /without a problem body/)
    assert.match(broken(404, problem, {}) ?? "", /does not say whether to retry/)
    for (const body of [{ meta: { degraded: [] } }, { meta: {} }, { sku: "x" }, undefined]) {
      assert.match(broken(200, { degradation: "x" }, body) ?? "", /different things/)
    }
    assert.match(broken(200, {}, { meta: { degraded: [{ downstream: "x" }] } }) ?? "", /different things/)
  })
})
