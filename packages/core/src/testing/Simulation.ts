/**
 * Searches a composition for faults, timings and interleavings that break what it
 * promises.
 *
 * **Details**
 *
 * You give the composition (a layer of rings, and what stands on them), fakes for its
 * transports, the traffic, a deadline and a time for recovery. {@link test} runs the
 * cases that were kept, the traffic without faults, every downstream with every single
 * fault, and then random plans. It throws {@link PromiseBroken} with a readable story of
 * the smallest case that it found.
 *
 * Environment: `SIM_RUNS` says how many random plans, `SIM_SEED` which first,
 * `SIM_REPLAY` which kept case alone, `SIM_CHECK_DETERMINISM=1` runs each case twice and
 * compares.
 *
 * **Gotchas**
 *
 * The layer is built anew for each run, so keep state out of modules. Leave
 * `Signal.layer` and `Settings.layer` out: the simulator provides them.
 *
 * **Example** (a page that may not break)
 *
 * ```ts
 * import { Schema } from "effect"
 * import { Contract, Downstream, Fallback, Policy, Transient } from "@failsoft/core"
 * import { Fake, Simulation, Traffic } from "@failsoft/core/testing"
 *
 * class Stock extends Downstream.Service<Stock>()("@shop/Stock", {
 *   get: Contract.method({
 *     payload: Schema.Struct({ sku: Schema.String }),
 *     success: Schema.Int,
 *     transient: Transient.Transient,
 *     permanent: Schema.Never,
 *     idempotency: "safe",
 *     onOutage: "degrade"
 *   })
 * }, {
 *   criticality: "optional",
 *   owner: "team-stock",
 *   slo: { objective: 0.99, window: "30 days" },
 *   budget: "1 second",
 *   docs: "https://runbooks.example/stock"
 * }) {}
 *
 * Simulation.test({
 *   name: "product page",
 *   layer: Stock.layer({ get: { policy: Policy.standard(), fallback: Fallback.value(0) } }),
 *   fakes: [Fake.make(Stock)],
 *   traffic: [Traffic.make("GET /stock", ({ nth }) => Stock.use((stock) => stock.get({ sku: `sku-${nth}` })))],
 *   deadline: "1 second",
 *   recovery: "10 seconds",
 *   runs: 10
 * })
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Case from "./Case.ts"
import * as Check from "./Check.ts"
import type { Fake } from "./Fake.ts"
import type { Fault, Plan } from "./Fault.ts"
import * as Host from "./Host.ts"
import { arrivals } from "./internal/arrivals.ts"
import * as campaign from "./internal/campaign.ts"
import * as cells from "./internal/matrix.ts"
import * as reports from "./internal/report.ts"
import { run as runCase, type Setup } from "./internal/run.ts"
import type { Trace } from "./Trace.ts"
import type { Traffic } from "./Traffic.ts"

export type { Found, Outcome } from "./internal/campaign.ts"
export type { Cell } from "./internal/matrix.ts"

/**
 * The transport that a fake provides.
 *
 * @category models
 * @since 0.1.0
 */
export type TransportOf<F> = F extends Fake<infer T> ? T : never

/**
 * A composition, what it stands on, what asks for it, and what it promises.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<R, E, Fakes extends ReadonlyArray<Fake<unknown>>> {
  /** Of the campaign; kept cases stand under it. */
  readonly name: string
  /** The rings, and what stands on them. Needs the transports of the fakes and nothing else. */
  readonly layer: Layer.Layer<R, E, NoInfer<TransportOf<Fakes[number]>>>
  readonly fakes: Fakes
  readonly traffic: ReadonlyArray<Traffic<NoInfer<R>>>
  /** Each request ends within it. */
  readonly deadline: Duration.Input
  /** Full quality is back so long after the last fault, and `recoveryRequests` requests after it. */
  readonly recovery: Duration.Input
  /** Default 20. */
  readonly recoveryRequests?: number
  /** Faults begin and end within it. Default 10 s. */
  readonly faultsWithin?: Duration.Input
  /** How many random plans. Default 100. */
  readonly runs?: number
  /** The first seed. Default 1. */
  readonly seed?: number
  /** How many runs may make a counterexample small. Default 400. */
  readonly shrinkRuns?: number
  /** Whether each single fault comes before the random plans. Default true. */
  readonly matrix?: boolean
  /** Faults that every two downstreams get at once, after the single ones. Default: none. */
  readonly pairs?: ReadonlyArray<Fault["kind"]>
  /** Checks of your own, by the sentence that they keep. */
  readonly checks?: Readonly<Record<string, Check.Check>>
  /** Standard checks that do not hold here, by their sentence. */
  readonly except?: ReadonlyArray<string>
  /** What must happen in at least one run, or the campaign proves nothing. */
  readonly sometimes?: Readonly<Record<string, Check.Sometimes>>
  /** What trapped globals do. Default `throw`. */
  readonly traps?: "throw" | "virtual" | "off"
  /**
   * Whether errors have a stack while requests run, for those who debug. Default: only where
   * a case is replayed (`SIM_REPLAY`); a search is a tenth faster without.
   */
  readonly stacks?: boolean
  /** Where cases are kept and progress is told. */
  readonly host?: Host.Host
}

/**
 * A composition broke a promise; the message is the whole story.
 *
 * @category errors
 * @since 0.1.0
 */
export class PromiseBroken extends Error {
  override readonly name = "PromiseBroken"
  // Private, so that who prints the error sees the story and not all of its data.
  readonly #outcome: campaign.Outcome

  constructor(message: string, outcome: campaign.Outcome) {
    super(message)
    this.#outcome = outcome
  }

  /** How the campaign went. */
  get outcome(): campaign.Outcome {
    return this.#outcome
  }
}

const millis = (input: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(input))

/** After recovery this long, so that there are requests that full quality is owed to. */
const tailMillis = 5000

const setupOf = <R, E, const Fakes extends ReadonlyArray<Fake<unknown>>>(
  options: Options<R, E, Fakes>,
  replay: Case.Case | undefined
): Setup => ({
  // The types of `Options` hold: the fakes are what the layer needs, the layer what the traffic needs.
  layer: options.layer as unknown as Setup["layer"],
  fakes: options.fakes,
  traffic: options.traffic as unknown as Setup["traffic"],
  deadlineMillis: millis(options.deadline),
  traps: options.traps ?? "throw",
  stacks: options.stacks ?? replay !== undefined
})

const whole = (host: Host.Host, name: string, otherwise: number): number => {
  const text = host.variable(name)
  if (text === undefined) return otherwise
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new Error(`${name} must be a whole number of at least 0, but is '${text}'`)
}

const replayOf = (host: Host.Host, name: string): Case.Case | undefined => {
  const of = host.variable("SIM_REPLAY")
  if (of === undefined) return undefined
  const text = of.startsWith("{") ? of : host.read(of)
  if (text === undefined) throw new Error(`SIM_REPLAY names ${of}, which cannot be read`)
  const record = Schema.decodeUnknownSync(Schema.fromJsonString(Case.Case))(text)
  return record.name === name ? record : undefined
}

const campaignOf = <R, E, const Fakes extends ReadonlyArray<Fake<unknown>>>(
  options: Options<R, E, Fakes>
): campaign.Campaign => {
  const host = options.host ?? Host.none
  const replay = replayOf(host, options.name)
  const setup = setupOf(options, replay)
  const faultsMillis = millis(options.faultsWithin ?? "10 seconds")
  const recoveryMillis = millis(options.recovery)
  const except = new Set(options.except)
  return {
    name: options.name,
    setup,
    rules: {
      checks: Object.fromEntries(
        Object.entries({ ...Check.standard, ...options.checks }).filter(([name]) => !except.has(name))
      ),
      promises: {
        deadlineMillis: setup.deadlineMillis,
        recoveryMillis,
        recoveryRequests: options.recoveryRequests ?? 20
      },
      deterministic: host.variable("SIM_CHECK_DETERMINISM") === "1"
    },
    host,
    seed: whole(host, "SIM_SEED", options.seed ?? 1),
    runs: whole(host, "SIM_RUNS", options.runs ?? 100),
    shrinkRuns: options.shrinkRuns ?? 400,
    faultsMillis,
    lengthMillis: faultsMillis + recoveryMillis + tailMillis,
    matrix: options.matrix ?? true,
    pairs: options.pairs ?? [],
    sometimes: {
      ...Check.sometimes,
      ...Object.fromEntries(
        Object.entries(options.sometimes ?? {}).map(([name, seen]) => [name, { needs: undefined, seen }])
      )
    },
    replay
  }
}

/**
 * Searches and says what it found; throws only where the options are wrong.
 *
 * @category campaigns
 * @since 0.1.0
 */
export const search = <R, E, const Fakes extends ReadonlyArray<Fake<unknown>>>(
  options: Options<R, E, Fakes>
): campaign.Outcome => campaign.search(campaignOf(options))

/**
 * Searches, and throws {@link PromiseBroken} where a promise is broken or something
 * that must happen sometimes never did.
 *
 * @category campaigns
 * @since 0.1.0
 */
export const test = <R, E, const Fakes extends ReadonlyArray<Fake<unknown>>>(
  options: Options<R, E, Fakes>
): campaign.Outcome => {
  const of = campaignOf(options)
  const outcome = campaign.search(of)
  const { found } = outcome
  if (found !== undefined) {
    const kept = of.host.keep(of.name, `${campaign.fileOf(found.case)}.html`, reports.page(of.name, found, of.host))
    const more = kept === undefined ? "" : `\nas a page: ${kept}`
    throw new PromiseBroken(reports.text(outcome, found, of.host) + more, outcome)
  }
  const never = Object.keys(options.sometimes ?? {}).filter((name) => outcome.sometimes[name] === 0)
  if (never.length > 0 && of.replay === undefined) {
    throw new PromiseBroken(
      `${of.name}: in ${outcome.runs} runs it never happened that ${never.join(", nor that ")}: the campaign proves nothing about it; run more (SIM_RUNS), or give it more traffic`,
      outcome
    )
  }
  return outcome
}

/**
 * The story of a broken promise as text; nothing where none was found.
 *
 * @category rendering
 * @since 0.1.0
 */
export const report = (outcome: campaign.Outcome, host: Host.Host = Host.none): string | undefined =>
  outcome.found && reports.text(outcome, outcome.found, host)

/**
 * The matrix of single faults as Markdown: downstream × fault → what callers get, the
 * most frequent first. Without `shares` it says no percentages and the best comes first,
 * so that a page which is checked for drift changes only where callers get something else.
 *
 * @category rendering
 * @since 0.1.0
 */
export const matrix = (outcome: campaign.Outcome, options: { readonly shares?: boolean } = {}): string =>
  cells.markdown(outcome.matrix, options.shares ?? true, "downstreams")

/**
 * The same for every two downstreams that failed at once (`pairs`): a row for each two.
 *
 * @category rendering
 * @since 0.1.0
 */
export const pairs = (outcome: campaign.Outcome, options: { readonly shares?: boolean } = {}): string =>
  cells.markdown(outcome.pairs, options.shares ?? true, "faults")

/**
 * Runs one plan and returns its trace.
 *
 * @category runs
 * @since 0.1.0
 */
export const run = <R, E, const Fakes extends ReadonlyArray<Fake<unknown>>>(
  options: Options<R, E, Fakes>,
  plan: Plan = { faults: [] },
  how: { readonly seed?: number; readonly preemption?: number; readonly length?: Duration.Input } = {}
): Trace => {
  const { setup, lengthMillis } = campaignOf(options)
  const seed = how.seed ?? options.seed ?? 1
  return runCase(setup, {
    seed,
    salt: 0,
    preemption: how.preemption ?? 0,
    plan,
    arrivals: arrivals(setup.traffic, {
      seed,
      lengthMillis: how.length === undefined ? lengthMillis : millis(how.length),
      deadlineMillis: setup.deadlineMillis
    })
  })
}
