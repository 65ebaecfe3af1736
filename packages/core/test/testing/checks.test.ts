/** Each rule of a campaign holds on a quiet trace, and breaks on one that was made to break it and no other. */
import { Fallback, Policy, type Signal, Transient } from "@failsoft/core"
import { Check, Fake, Simulation, type Trace, Traffic } from "@failsoft/core/testing"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { Stock, shop } from "./shop.ts"

const promises: Check.Promises = { deadlineMillis: 1000, recoveryMillis: 5000, recoveryRequests: 20 }

const row = { downstream: "shop", method: "get" }

const request = (of: Partial<Trace.Request> = {}): Trace.Request => ({
  id: 0,
  nth: 0,
  name: "GET /",
  at: 0,
  endedAt: 10,
  endedNth: 9,
  outcome: "answered",
  quality: "fresh",
  detail: "",
  degraded: [],
  ...of
})

const payload = {}

const attempt = (of: Partial<Trace.Attempt> = {}): Trace.Attempt => ({
  ...row,
  nth: 1,
  request: 0,
  at: 1,
  endedAt: 5,
  endedNth: 5,
  attempt: 0,
  payload,
  idempotencyKey: undefined,
  key: "",
  faults: [],
  outcome: "answered",
  applied: true,
  certainlyNot: false,
  circuit: undefined,
  ...of
})

type Body = Signal.Signal extends infer S
  ? S extends unknown
    ? Omit<S, "at" | "downstream" | "method">
    : never
  : never

const told = (nth: number, at: number, body: Body, of = row): Trace.Told => ({
  nth,
  at,
  request: 0,
  // Each is a signal without its labels, which are put back here.
  signal: { at, ...of, ...body } as Signal.Signal
})

const ended = (outcome: "answered" | "unavailable" | "degraded", nth = 8, at = 9) =>
  told(nth, at, { _tag: "CallEnded", outcome, durationMillis: at })

const policy = (of: Partial<Trace.LivePolicy> & { readonly kind: string }): Trace.LivePolicy => ({
  ...row,
  name: of.kind,
  place: 0,
  knobs: {},
  state: {},
  ...of
})

const method = (of: Partial<Trace.Method> = {}): Trace.Method => ({
  ...row,
  idempotency: "safe",
  onOutage: "degrade",
  staleMaxMillis: undefined,
  ...of
})

const quiet: Trace.Trace = {
  seed: 1,
  plan: { faults: [] },
  requests: [request()],
  attempts: [attempt()],
  signals: [ended("answered")],
  reads: [],
  policies: [],
  methods: [method()],
  faultsEndAt: 0,
  endedAt: 100,
  left: { fibers: 0, timers: 0 },
  deadlockAt: undefined,
  uncontrolled: [],
  failure: undefined
}

const read = (of: Partial<Trace.Read> = {}): Trace.Read => ({
  ...row,
  nth: 1,
  request: 0,
  session: "one",
  key: "a",
  at: 1,
  endedAt: 5,
  endedNth: 5,
  asOf: 4,
  ...of
})

/** Another of the same session, after the first has ended. */
const later = (of: Partial<Trace.Read> = {}): Trace.Read =>
  read({ nth: 6, at: 6, endedAt: 8, endedNth: 8, asOf: 3, ...of })

const times = <A>(count: number, of: (nth: number) => A): ReadonlyArray<A> =>
  Array.from({ length: count }, (_, n) => of(n))

/** Ten calls, and so many things told beside them. */
const among = (count: number, body: Body) => [
  ...times(10, (n) => ended("answered", n, n)),
  ...times(count, (n) => told(20 + n, 100 + n, body))
]

const retried: Body = { _tag: "RetryScheduled", attempt: 1, delayMillis: 1, cause: "x" }
const hedged: Body = { _tag: "Hedged", delayMillis: 1 }

const cached = (ageMillis: number): Body => ({ _tag: "CacheHit", ageMillis, kind: "answer", dark: false })

const moved = (nth: number, from: string, to: string) =>
  told(nth, nth, { _tag: "CircuitChanged", policy: "circuitBreaker", from, to, reason: "probes-failed" } as Body)

/** What breaks each rule. */
const broken: Readonly<Record<string, Partial<Trace.Trace>>> = {
  "the composition runs": { failure: "no layer" },
  "time and chance are controlled": { uncontrolled: ["Date.now at x.ts"] },
  "nothing deadlocks": { deadlockAt: 50 },
  "no request ends with a defect": { requests: [request({ outcome: "died" })] },
  "each request ends within the deadline": { requests: [request({ endedAt: 1001 })] },
  "a final word is never asked for again": {
    policies: [policy({ kind: "retry", knobs: { times: 1 } })],
    attempts: [attempt({ outcome: "permanent" }), attempt({ nth: 6, at: 6, attempt: 1, endedAt: 7, endedNth: 7 })],
    signals: [told(6, 5, retried), ended("answered")]
  },
  "an unsafe write is sent once": {
    methods: [method({ idempotency: "unsafe" })],
    policies: [policy({ kind: "retry", knobs: { times: 1 } })],
    attempts: [attempt({ outcome: "transient" }), attempt({ nth: 6, at: 6, attempt: 1 })],
    signals: [told(6, 5, retried), ended("answered")]
  },
  "attempts stay within the retries": {
    policies: [policy({ kind: "retry", knobs: { times: 1 } })],
    attempts: times(3, (n) =>
      attempt({ nth: n + 1, at: n + 1, attempt: n, endedAt: n + 1, endedNth: n + 1, outcome: "transient" })
    ),
    signals: [told(2, 2, retried), told(3, 3, retried), ended("answered")]
  },
  "each attempt has a call, a retry or a hedge": {
    policies: [policy({ kind: "hedge", knobs: { hedgesMax: 1 } })],
    attempts: times(3, (n) => attempt({ nth: n + 1, at: n + 1 })),
    signals: [told(2, 2, hedged), ended("answered")]
  },
  "retries stay within their budget": {
    policies: [policy({ kind: "retry", knobs: { times: 20, budget: true, budgetRatio: 0.2, budgetPerSecond: 0.1 } })],
    signals: among(5, retried)
  },
  "hedges stay within their budgets": {
    policies: [policy({ kind: "hedge", knobs: { hedgesMax: 1, budgetRatio: 0.2, budgetPerSecond: 0.1 } })],
    signals: among(5, hedged)
  },
  "attempts stay within the permits": {
    policies: [policy({ kind: "bulkhead", knobs: { permits: 1 } })],
    attempts: [attempt(), attempt({ nth: 2, at: 2, payload: {} })],
    signals: [ended("answered"), ended("answered", 10)]
  },
  "a circuit lets nothing pass but its probes": {
    policies: [policy({ kind: "circuitBreaker", knobs: { probes: 1 } })],
    attempts: [attempt({ nth: 3, at: 3, circuit: "open" })],
    signals: [moved(1, "closed", "open"), ended("answered")]
  },
  "circuits move step by step": { signals: [moved(1, "closed", "half-open"), ended("answered")] },
  "a degraded answer says so": { signals: [ended("unavailable")] },
  "a stale answer is not too old": {
    methods: [method({ staleMaxMillis: 100 })],
    requests: [request({ quality: "stale", degraded: [{ ...row, quality: "stale", reason: "x", ageMillis: 101 }] })]
  },
  "a cached answer is not too old": {
    methods: [method({ freshMaxMillis: 100, staleMaxMillis: 100 })],
    attempts: [attempt({ endedAt: 60 })],
    signals: [ended("answered"), told(9, 150, cached(101))]
  },
  "a cached answer is as old as it says": {
    methods: [method({ freshMaxMillis: 1000, staleMaxMillis: 1000 })],
    signals: [ended("answered"), told(9, 150, cached(10))]
  },
  "a session is never shown anything older than before": { reads: [read(), later()] },
  "a method that fails closed has no fallback": {
    methods: [method({ onOutage: "fail" })],
    signals: [ended("degraded")]
  },
  "every permit is given back": {
    policies: [policy({ kind: "bulkhead", knobs: { permits: 9 }, state: { running: 1 } })]
  },
  "no fiber and no timer is left": { left: { fibers: 0, timers: 1 } }
}

const brokenRules = (trace: Trace.Trace) =>
  Object.entries(Check.standard).flatMap(([rule, check]) => (check(trace, promises) === undefined ? [] : [rule]))

describe("the rules of a campaign", () => {
  it("hold on a quiet trace", () => {
    assert.deepEqual(brokenRules(quiet), [])
  })

  it("have each a trace that breaks them", () => {
    assert.sameMembers(Object.keys(broken), Object.keys(Check.standard))
  })

  it.each(Object.entries(broken))("%s", (rule, of) => {
    assert.deepEqual(brokenRules({ ...quiet, ...of }), [rule])
  })
})

describe("what a session is shown", () => {
  const rule = "a session is never shown anything older than before"
  const of = (reads: ReadonlyArray<Trace.Read>, plan: Trace.Trace["plan"] = quiet.plan) =>
    brokenRules({ ...quiet, plan, reads })

  it("may be as old as before, and newer", () => {
    assert.deepEqual(of([read(), later({ asOf: 4 }), later({ nth: 9, endedNth: 10, asOf: 7 })]), [])
  })

  it("is judged for each session and each key alone", () => {
    assert.deepEqual(of([read(), later({ session: "two" }), later({ key: "b" })]), [])
  })

  it("is not judged where it does not say its time, nor by what overlaps", () => {
    assert.deepEqual(of([read(), later({ asOf: undefined })]), [])
    // Ages are told in whole seconds.
    assert.deepEqual(of([read(), later({ aged: true })]), [])
    assert.deepEqual(of([read(), later({ nth: 4 })]), [])
    assert.deepEqual(of([read({ endedNth: undefined }), later()]), [])
  })

  it("is compared with the latest of all that was shown, whatever came between", () => {
    assert.deepEqual(of([read(), later({ asOf: undefined }), later({ nth: 9, endedNth: 10 })]), [rule])
  })

  it("cannot be told where a clock was set", () => {
    const set = { kind: "clockJump", from: 1, byMillis: -5 } as const
    assert.deepEqual(of([read(), later()], { faults: [], disturbances: [set] }), [])
  })
})

describe("permits per key", () => {
  const of = (keys: ReadonlyArray<string>) =>
    brokenRules({
      ...quiet,
      policies: [policy({ kind: "bulkhead", knobs: { permits: 1, keysMax: 2 } })],
      attempts: keys.map((key, n) => attempt({ nth: n + 1, at: n + 1, key })),
      signals: keys.map((_, n) => ended("answered", 10 + n))
    })

  it("are counted for each key alone", () => {
    assert.deepEqual(of(["a", "b"]), [])
    assert.deepEqual(of(["a", "a"]), ["attempts stay within the permits"])
  })

  it("say nothing where more keys come than there is room for", () => {
    assert.deepEqual(of(["a", "b", "c", "c"]), [])
  })
})

describe("circuits per key", () => {
  const opened = (nth: number, key: string) => {
    const { signal, ...of } = moved(nth, "closed", "open")
    return { ...of, signal: { ...signal, key } as Signal.Signal }
  }
  const of = (keys: ReadonlyArray<string>, keysMax = 2) =>
    brokenRules({
      ...quiet,
      policies: [policy({ kind: "circuitBreaker", knobs: { probes: 1, keysMax } })],
      attempts: keys.map((key, n) =>
        attempt({
          nth: n + 3,
          at: n + 3,
          key,
          endedAt: n + 3,
          endedNth: n + 3,
          circuit: key === "a" ? "open" : "closed"
        })
      ),
      signals: [opened(1, "a"), ...keys.map((_, n) => ended("answered", 20 + n))]
    })

  it("are judged for each key alone", () => {
    assert.deepEqual(of(["b", "b"]), [])
    assert.deepEqual(of(["b", "a"]), ["a circuit lets nothing pass but its probes"])
  })

  it("say nothing where more keys come than there is room for", () => {
    assert.deepEqual(of(["a", "b", "c"]), [])
  })

  it("are written down with each attempt", () => {
    const byTenant = Stock.layer({
      get: {
        policy: Policy.stack(
          Policy.circuitBreaker({ keysMax: 2, minimumCalls: 5, openFor: "2 seconds", ramp: false }),
          Policy.timeout("100 millis")
        ),
        fallback: Fallback.value(0),
        key: ({ sku }: { readonly sku: string }) => sku
      }
    })
    const trace = Simulation.run(
      {
        ...shop,
        layer: byTenant,
        fakes: [
          Fake.make(Stock, {
            get: ({ sku }) =>
              sku === "bad" ? Effect.fail(new Transient.Transient({ cause: "reset", applied: "unknown" })) : 1
          })
        ],
        traffic: [
          Traffic.make("GET /stock", ({ nth }) =>
            Stock.use((stock) => stock.get({ sku: nth % 2 === 0 ? "bad" : "good" }))
          )
        ]
      },
      { faults: [] },
      { length: "20 seconds" }
    )
    const circuits = (key: string) =>
      new Set(trace.attempts.filter((of) => of.key === key).map(({ circuit }) => circuit))
    assert.deepEqual([...circuits("good")], ["closed"])
    assert.deepEqual([...circuits("bad")].sort(), ["closed", "half-open"])
    assert.deepEqual(brokenRules(trace), [])
  })
})

const inRow = (told: Trace.Told, of: typeof row): Trace.Told => ({ ...told, signal: { ...told.signal, ...of } })

describe("a downstream in several regions", () => {
  const us = (circuit: string | undefined, look = false): Trace.AskedRegion => ({ name: "us", circuit, look })
  const inUs = { downstream: "shop.us", method: "get" }

  it("has circuits of its own, which are held", () => {
    const of = (circuit: string) =>
      brokenRules({
        ...quiet,
        policies: [policy({ ...inUs, kind: "circuitBreaker", knobs: { probes: 1 } })],
        attempts: [attempt({ nth: 3, at: 3, region: us(circuit) })],
        signals: [inRow(moved(1, "closed", "open"), inUs), ended("answered")]
      })
    assert.deepEqual(of("closed"), [])
    assert.deepEqual(of("open"), ["a circuit lets nothing pass but its probes"])
  })

  it("has permits of its own; one attempt in each region may outlive its caller's permit", () => {
    const of = (row: { readonly downstream: string; readonly method: string }, count: number) =>
      brokenRules({
        ...quiet,
        policies: [policy({ ...row, kind: "bulkhead", knobs: { permits: 1 } })],
        attempts: times(count, (n) => attempt({ nth: n + 1, at: n + 1, payload: {}, region: us("closed") })),
        signals: times(count, (n) => ended("answered", 10 + n))
      })
    assert.deepEqual(of(inUs, 1), [])
    assert.deepEqual(of(inUs, 2), ["attempts stay within the permits"])
    assert.deepEqual(of(row, 2), [])
    assert.deepEqual(of(row, 3), ["attempts stay within the permits"])
  })

  it("has one circuit and one limit for all its methods", () => {
    const put = { downstream: "shop", method: "put" }
    const of = (kind: string, knobs: Trace.LivePolicy["knobs"], circuit: string, second: typeof row) =>
      brokenRules({
        ...quiet,
        methods: [method(), method(put)],
        policies: [policy({ ...inUs, kind, knobs }), policy({ ...inUs, method: "put", kind, knobs })],
        attempts: [
          attempt({ nth: 3, at: 3, region: us(circuit) }),
          attempt({ ...second, nth: 4, at: 4, payload: {}, region: us(circuit) })
        ],
        signals: [
          inRow(moved(1, "closed", "open"), inUs),
          inRow(moved(2, "open", "half-open"), inUs),
          ended("answered"),
          inRow(ended("answered", 10), second)
        ]
      })
    for (const second of [row, put]) {
      const probes = of("circuitBreaker", { probes: 1 }, "half-open", second)
      assert.deepEqual(probes, ["a circuit lets nothing pass but its probes"])
      assert.deepEqual(of("circuitBreaker", { probes: 2 }, "half-open", second), [])
      assert.deepEqual(of("bulkhead", { permits: 1 }, "closed", second), ["attempts stay within the permits"])
    }
  })

  it("may be looked at beside a call, and asked again after another region talked nonsense", () => {
    const eu: Trace.AskedRegion = { name: "eu", circuit: "closed", look: false }
    const of = (first: Partial<Trace.Attempt>, next = us("closed")) =>
      brokenRules({
        ...quiet,
        policies: [policy({ kind: "retry", knobs: { times: 1 } })],
        attempts: [
          attempt({ ...first, endedAt: 2, endedNth: 2 }),
          attempt({ nth: 6, at: 6, attempt: 1, endedAt: 7, endedNth: 7, region: next })
        ],
        signals: [told(6, 5, retried), ended("answered")]
      })
    const twice = ["a final word is never asked for again"]
    assert.deepEqual(of({ outcome: "permanent", region: us("closed", true) }), [])
    assert.deepEqual(of({ outcome: "violation", region: eu }), [])
    assert.deepEqual(of({ outcome: "violation", region: us("closed") }), twice)
    assert.deepEqual(of({ outcome: "permanent", region: eu }), twice)
  })
})

describe("a hedged row", () => {
  it("keeps the rules under random plans, and hedges", () => {
    const slow = Policy.hedge({ delay: "20 millis", budgetRatio: 0.5, budgetPerSecond: 1 })
    const { found, runs, sometimes } = Simulation.search({
      ...shop,
      layer: Stock.layer({
        get: { policy: Policy.stack(Policy.deadline("900 millis"), slow), fallback: Fallback.value(0) }
      }),
      fakes: [shop.fakes[0]],
      traffic: [shop.traffic[0]],
      runs: 10,
      sometimes: { hedged: ({ signals }) => signals.some(({ signal }) => signal._tag === "Hedged") }
    })
    assert.strictEqual(found?.judged.violation, undefined)
    assert.isAbove(sometimes["hedged"] ?? 0, 0)
    assert.isAbove(runs, 10)
  })
})

describe("what budgets grant", () => {
  it.each([
    ["retry", retried, "budget"],
    ["hedge", hedged, "hedgesMax"]
  ] as const)("%s: a share of the calls, the reserve, and one by rounding", (kind, body, knob) => {
    const knobs = { [knob]: kind === "retry" ? true : 1, times: 20, budgetRatio: 0.2, budgetPerSecond: 0.1 }
    const of = (count: number) =>
      brokenRules({ ...quiet, policies: [policy({ kind, knobs })], signals: among(count, body) })
    // A fifth of ten calls, one in ten seconds, and one; a hedge within a retry earns with each attempt.
    assert.deepEqual(of(4), [])
    assert.lengthOf(of(5), 1)
  })
})
