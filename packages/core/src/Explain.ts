/**
 * What a ring does, in words and figures: the order of its policies, each value in
 * force and where it comes from, the worst that can follow, and what is not wise.
 *
 * **Details**
 *
 * {@link explain} reads what a client shows of itself (`Downstream.describe`), so it
 * tells of the values in force now. {@link format} makes it a text for a terminal;
 * the explanation itself is plain data that JSON can carry.
 *
 * **Gotchas**
 *
 * What only the caller knows must be stated: how many requests a call from above may
 * become before it comes here, and the rate for which a bulkhead must suffice.
 *
 * **Example** (explaining a client)
 *
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { Contract, Downstream, Explain, Policy, Transient } from "@failsoft/core"
 *
 * class Stock extends Downstream.Service<Stock>()("@shop/Stock", {
 *   get: Contract.method({
 *     payload: Schema.Struct({ sku: Schema.String }),
 *     success: Schema.Number,
 *     transient: Transient.Transient,
 *     permanent: Schema.Never,
 *     idempotency: "safe",
 *     onOutage: "fail"
 *   })
 * }, {
 *   criticality: "optional",
 *   owner: "team-stock",
 *   slo: { objective: 0.99, window: "30 days" },
 *   budget: "1 second",
 *   docs: "https://runbooks.example/stock"
 * }) {}
 *
 * const ring = Stock.layer({ get: { policy: Policy.standard() } }).pipe(
 *   Layer.provide(Stock.transport({ get: () => Effect.succeed(3) }))
 * )
 * const program = Effect.map(Stock, (stock) => Explain.format(Explain.explain(stock, { ratePerSecond: 200 })))
 * Effect.runPromise(program.pipe(Effect.provide(ring))).then(console.log)
 * ```
 *
 * @since 0.1.0
 */
import type { Description, MethodDescription, PolicyDescription } from "./Downstream.ts"
import { toMillis } from "./internal/duration.ts"
import { policyInWords, time } from "./internal/picture.ts"
import { describe } from "./internal/ring.ts"
import type { Value } from "./Knob.ts"
import type { Origin } from "./Settings.ts"

/**
 * What only the caller knows. A number holds for all methods, a record for those
 * that it names.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How many requests one call from above may become before it comes here, by retries there. Default 1. */
  readonly upstreamLoad?: number
  /** Calls per second for which the bulkheads must suffice. */
  readonly ratePerSecond?: number | Readonly<Record<string, number>>
  /** How long a call takes, in milliseconds. Default: the mean that was observed. */
  readonly latencyMillis?: number | Readonly<Record<string, number>>
}

/**
 * One value in force.
 *
 * @category models
 * @since 0.1.0
 */
export interface ExplainedSetting {
  readonly name: string
  readonly value: Value
  readonly origin: Origin
}

/**
 * One method: its picture (outermost first), its values, its worst case, and
 * warnings in a sentence each.
 *
 * @category models
 * @since 0.1.0
 */
export interface ExplainedMethod {
  readonly name: string
  readonly idempotency: MethodDescription["idempotency"]
  readonly onOutage: MethodDescription["onOutage"]
  readonly picture: string
  readonly steps: ReadonlyArray<string>
  readonly settings: ReadonlyArray<ExplainedSetting>
  /** The longest that a call may take; `null` without a bound. */
  readonly worstLatencyMillis: number | null
  /** How many requests one call may become, as a mean over many in the worst case, with those from above. */
  readonly worstLoad: number
  /** Requests per second beside it: what budgets grant to each process at a constant rate. */
  readonly worstExtraPerSecond: number
  readonly warnings: ReadonlyArray<string>
}

/**
 * A whole downstream.
 *
 * @category models
 * @since 0.1.0
 */
export interface Explanation {
  readonly name: string
  readonly criticality: Description["info"]["criticality"]
  readonly budgetMillis: number
  readonly methods: ReadonlyArray<ExplainedMethod>
}

const isDescription = (of: object): of is Description => "methods" in of && Array.isArray(of.methods) && "info" in of

const nothing: Description = {
  name: "no ring",
  info: { criticality: "optional", owner: "", slo: { objective: 1, window: "1 day" }, budget: 0, docs: "" },
  methods: []
}

/**
 * Explains a client that a ring made, or its description. An object that no ring
 * made has no methods to explain.
 *
 * @category constructors
 * @since 0.1.0
 */
export const explain = (of: object, options: Options = {}): Explanation => {
  const { name, info, methods } = describe(of) ?? (isDescription(of) ? of : nothing)
  return {
    name,
    criticality: info.criticality,
    budgetMillis: toMillis(info.budget),
    methods: methods.map((method) => explained(name, method, options))
  }
}

const explained = (downstream: string, method: MethodDescription, options: Options): ExplainedMethod => {
  const steps = [...method.policies.map(policyInWords), downstream]
  const fallbacks = method.fallback.map(
    ({ kind, quality, knobs }) => `${kind} (${quality})${knobs["enabled"] === false ? " [off]" : ""}`
  )
  const cached = method.cache === undefined ? [] : [policyInWords(method.cache)]
  const upstream = options.upstreamLoad ?? 1
  return {
    name: method.name,
    idempotency: method.idempotency,
    onOutage: method.onOutage,
    picture: [...(fallbacks.length > 0 ? [`fallback ${fallbacks.join(", ")}`] : []), ...cached, ...steps].join(" > "),
    steps,
    settings: [...method.policies, ...method.fallback, ...(method.cache === undefined ? [] : [method.cache])].flatMap(
      ({ address, knobs, origins }) =>
        Object.entries(knobs).map(([knob, value]) => ({
          name: `${address}.${knob}`,
          value,
          origin: origins[knob] ?? "code"
        }))
    ),
    worstLatencyMillis: Number.isFinite(method.worstLatencyMillis) ? method.worstLatencyMillis : null,
    worstLoad: upstream * method.worstLoad,
    worstExtraPerSecond: method.worstExtraPerSecond,
    warnings: [
      ...method.warnings,
      ...amplification(method, upstream),
      ...tooSmall(method, options),
      ...withoutFallback(method),
      ...withoutStore(method)
    ]
  }
}

/** A `degrade` method always keeps a step that answers. */
const withoutFallback = ({ cache, fallback, onOutage }: MethodDescription): ReadonlyArray<string> =>
  onOutage === "degrade-or-fail" && !servesStale(cache) && fallback.every(({ knobs }) => knobs["enabled"] === false)
    ? ["every step of the fallback is off: an outage fails the calls"]
    : []

const servesStale = (cache: MethodDescription["cache"]): boolean =>
  cache !== undefined && cache.knobs["mode"] === "on" && Number(cache.knobs["staleIfErrorMillis"]) > 0

/** A cache that is asked to keep what it holds beyond the process, and has nowhere to. */
const withoutStore = ({ cache }: MethodDescription): ReadonlyArray<string> =>
  cache?.knobs["durable"] === true && cache.state["store"] === "none"
    ? [`${cache.name} is durable and has no store: it is kept in memory only; provide Cache.layerStore to the ring`]
    : []

const retries = ({ policies }: MethodDescription): ReadonlyArray<PolicyDescription> =>
  policies.filter(({ kind, knobs }) => kind === "retry" && Number(knobs["times"]) > 0)

const round = (value: number) => Math.round(value * 100) / 100

/** Retries in two layers multiply, wherever the other layer is. */
const amplification = (method: MethodDescription, upstream: number): ReadonlyArray<string> => {
  const own = retries(method)
  const [first] = own
  if (first === undefined) return []
  const names = own.map(({ name }) => name).join(" and ")
  const total = round(upstream * method.worstLoad)
  return [
    ...(own.length > 1
      ? [`${names} stand in one stack: their attempts multiply to ${round(attempts(own))}; keep one of them`]
      : []),
    ...(upstream > 1
      ? [
          `a call from above may become ${upstream} calls here and ${total} requests to the downstream: retry in one layer only, the lowest`
        ]
      : []),
    ...(method.nestedRetries > 0
      ? [
          `${method.nestedRetries} calls came here from a retry of another ring: retries in two layers multiply; retry in one of them only, the lowest`
        ]
      : []),
    ...own
      .filter(({ knobs }) => knobs["budget"] !== true && !method.warnings.some((of) => of.includes("budget")))
      .map(({ name, knobs }) => {
        const times = Number(knobs["times"])
        return `${name} has no budget: in an outage the downstream gets ${times + 1} times its load; give it RetryBudget.make()`
      })
  ]
}

const attempts = (of: ReadonlyArray<PolicyDescription>) =>
  of.reduce((product, { knobs }) => product * (1 + Number(knobs["times"])), 1)

const stated = (of: Options["ratePerSecond"], method: string): number | undefined =>
  typeof of === "number" ? of : of !== undefined && Object.hasOwn(of, method) ? of[method] : undefined

/** Little's law: as many calls are under way as arrive in the time that one takes. */
const tooSmall = (method: MethodDescription, options: Options): ReadonlyArray<string> => {
  const rate = stated(options.ratePerSecond, method.name)
  const latency = stated(options.latencyMillis, method.name) ?? method.meanMillis
  if (rate === undefined || latency === undefined) return []
  const underWay = (rate * latency) / 1000
  return method.policies.flatMap(({ kind, name, knobs }) => {
    const knob = limits[kind]
    const value = knob === undefined ? Number.POSITIVE_INFINITY : Number(knobs[knob])
    if (value >= underWay) return []
    return [
      `${name}.${knob} (${value}) is below Little's law: ${rate} calls per second of ${round(latency)} ms each are ${round(underWay)} at once; give it ${Math.ceil(underWay * 1.5)}`
    ]
  })
}

/** The knob that says how many may run at once. */
const limits: Readonly<Record<string, string>> = { bulkhead: "permits", adaptiveLimit: "limitMax" }

/**
 * An explanation as a text for a terminal.
 *
 * @category converting
 * @since 0.1.0
 */
export const format = (of: Explanation): string =>
  [`${of.name} (${of.criticality}, budget ${time(of.budgetMillis)})`, ...of.methods.flatMap(formatMethod)].join("\n")

const extra = (perSecond: number): string => (perSecond > 0 ? ` and ${round(perSecond)} a second` : "")

const formatMethod = (method: ExplainedMethod): ReadonlyArray<string> => {
  const worst = method.worstLatencyMillis === null ? "without a bound" : `at most ${time(method.worstLatencyMillis)}`
  const changed = method.settings.filter(({ origin }) => origin !== "code")
  return [
    "",
    `  ${method.name}: ${method.idempotency}, ${method.onOutage} in an outage`,
    `    ${method.picture}`,
    `    worst case: ${worst}, ${round(method.worstLoad)} requests per call${extra(method.worstExtraPerSecond)}`,
    ...changed.map(({ name, value, origin }) => `    ${name} = ${String(value)} (${origin})`),
    ...method.warnings.map((warning) => `    ! ${warning}`)
  ]
}
