/**
 * The resilience ring: raw calls below, typed client above.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Cache from "../Cache.ts"
import { InvalidComposition, problemsOf, problemsOfBudget } from "../Composition.ts"
import type * as Contract from "../Contract.ts"
import type * as Fallback from "../Fallback.ts"
import * as Policy from "../Policy.ts"
import { make as makeReadMarks, ReadMarks } from "../ReadMarks.ts"
import { type RegisteredRow, Registry, type SettingsRegistry } from "../Settings.ts"
import * as Signal from "../Signal.ts"
import type { CacheRow } from "./cache/entry.ts"
import { attach, Caches } from "./cache/handle.ts"
import { problemsOfCache } from "./cache/judge.ts"
import { canonical } from "./canonical.ts"
import { describeMethod } from "./describeMethod.ts"
import type { Description, MethodDescription } from "./description.ts"
import { toMillis } from "./duration.ts"
import { type MethodOf, requestOf, start } from "./logicalCall.ts"
import { Observations } from "./observations.ts"
import { Classifier, type RawCall } from "./rawCall.ts"
import { regionCount } from "./regions.ts"
import type { Build } from "./shared.ts"
import { problemsOfScope, problemsOfSteps } from "./steps.ts"

/** A row as the ring sees it; the types of the table hold before it comes here. */
interface TableRow {
  readonly policy: Policy.Policy
  readonly fallback?: Fallback.Fallback<unknown, never>
  /** Its payload is the method's own. */
  readonly key?: (payload: never) => string
  readonly cache?: Cache.Cache
  readonly writes?: (payload: never, answer: never) => ReadonlyArray<object>
}

const descriptions = Symbol.for("@failsoft/core/description")

/** What the client was built from, for those who show it. */
export const describe = (client: object): Description | undefined => {
  const own: unknown = Reflect.get(client, descriptions)
  return typeof own === "function" ? own() : undefined
}

/** Builds the client of a contract from its raw calls and its table. */
export const make = <M extends Contract.Methods, I>(
  contract: Contract.Contract<M>,
  transport: Context.Key<I, Contract.RawCalls<M>>,
  table: Readonly<Record<string, TableRow>>
): Effect.Effect<Contract.Client<M>, InvalidComposition, I | Build> =>
  Effect.gen(function* () {
    const problems = Object.keys(contract.methods).flatMap((name) => problemsOfRow(contract, name, table[name]))
    if (problems.length > 0) return yield* new InvalidComposition({ problems })

    // The transport's methods have the contract's types; here they are one of many.
    const raw = (yield* transport) as Readonly<Record<string, RawCall>>
    const bus = yield* Signal.Bus
    const settings = yield* Registry
    const marks = monotonic(contract) ? ((yield* ReadMarks) ?? makeReadMarks()) : undefined
    const methods: Array<(registered: string) => MethodDescription> = []
    const rows: Array<RegisteredRow> = []
    const client: Record<string, unknown> = {}
    const caches = new Caches()
    for (const [name, method] of Object.entries(contract.methods)) {
      const row = { downstream: contract.name, method: name, bus, regions: regionCount(raw) }
      const of = demand(table[name], name)
      const budgetMillis = toMillis(contract.info.budget)
      const built = yield* makeMethod(
        transport.key,
        row,
        method,
        demand(raw[name], name),
        of,
        budgetMillis,
        settings,
        caches,
        method.reads === "monotonic" ? marks : undefined
      )
      client[name] = built.call
      methods.push(built.describe)
      rows.push(built.registered)
    }
    // Before the first call, so that it meets what a file or the environment says.
    const registered = yield* settings.register(rows)
    Object.defineProperty(client, descriptions, {
      value: (): Description => ({
        name: contract.name,
        info: contract.info,
        methods: methods.map((of) => of(registered))
      })
    })
    attach(client, caches)
    // Each of its methods was made from the contract's method of the same name.
    return client as Contract.Client<M>
  })

/** How a cache writes and reads what a method says. */
const rowOfCache = (id: string, row: Policy.Row, method: Contract.Method): CacheRow => {
  const codecs = {
    answer: Schema.toCodecJson(method.success),
    permanent: Schema.toCodecJson(method.permanent)
  }
  const encodes = {
    answer: Schema.encodeUnknownSync(codecs.answer),
    permanent: Schema.encodeUnknownSync(codecs.permanent)
  }
  const decodes = {
    answer: Schema.decodeUnknownSync(codecs.answer),
    permanent: Schema.decodeUnknownSync(codecs.permanent)
  }
  return {
    row,
    prefix: `${id}/${row.method} `,
    ownersOnly: method.scope === "principal",
    encode: ({ kind, value }) => canonical(encodes[kind](value)),
    decode: (kind, text) => decodes[kind](text === "undefined" ? undefined : JSON.parse(text))
  }
}

const demand = <A>(value: A | undefined, name: string): A => {
  if (value === undefined) throw new Error(`the method '${name}' is missing; only a cast comes here`)
  return value
}

const problemsOfRow = (contract: Contract.Contract, name: string, row: TableRow | undefined): ReadonlyArray<string> =>
  (row === undefined
    ? ["the table has no row for this method"]
    : [
        ...problemsOf(row.policy),
        ...problemsOfBudget(row.policy, toMillis(contract.info.budget)),
        ...problemsOfScope(contract.methods[name]?.scope, row.fallback?.steps ?? [], row.cache !== undefined),
        ...problemsOfSteps(contract.methods[name]?.onOutage ?? "fail", row.policy.parts, row.fallback?.steps ?? []),
        ...(row.cache === undefined
          ? []
          : problemsOfCache(contract.methods[name]?.onOutage ?? "fail", row.policy.parts, row.cache.part)),
        ...(row.cache !== undefined && contract.methods[name]?.idempotency !== "safe"
          ? ["only safe methods can be cached"]
          : []),
        ...problemsOfReads(contract.methods[name])
      ]
  ).map((problem) => `${contract.name}/${name}: ${problem}`)

const monotonic = ({ methods }: Contract.Contract): boolean =>
  Object.values(methods).some(({ reads }) => reads === "monotonic")

/** Types are gone where a contract was cast, or a sentence of theirs was taken for a word. */
const problemsOfReads = (method: Contract.Method | undefined): ReadonlyArray<string> =>
  method?.reads === undefined || (method.reads === "monotonic" && method.idempotency === "safe")
    ? []
    : [`reads is ${JSON.stringify(method.reads)}, and only a safe method has monotonic reads`]

const makeMethod = (
  id: string,
  row: Policy.Row,
  method: Contract.Method,
  raw: RawCall,
  { policy, fallback, key, cache, writes }: TableRow,
  budgetMillis: number,
  settings: SettingsRegistry,
  caches: Caches,
  marks: ReadMarks | undefined
) =>
  Effect.gen(function* () {
    const built = yield* Policy.build(policy, row)
    const steps = yield* Effect.forEach(fallback?.steps ?? [], (step) => step.build)
    // The JSON codec throws where a payload has no faithful text form; two payloads never share a key.
    const encode = Schema.encodeUnknownSync(Schema.toCodecJson(method.payload))
    const observations = new Observations()
    const cacheRow = cache === undefined ? undefined : rowOfCache(id, row, method)
    const instance = cache === undefined ? undefined : yield* cache.part.build
    const living = instance === undefined || cacheRow === undefined ? undefined : yield* instance.serve(cacheRow)
    const of: MethodOf = {
      id,
      row,
      method,
      raw,
      classifier: new Classifier(row, method),
      intercept: built.intercept,
      steps,
      // The types of the table gave it the payload of its method.
      keyOf: key as ((payload: unknown) => string) | undefined,
      encode,
      observations,
      cache: living === undefined || cacheRow === undefined ? undefined : { living, row: cacheRow },
      writes: writes as MethodOf["writes"],
      caches,
      marks
    }
    if (of.cache !== undefined) {
      caches.add(row.method, {
        cache: of.cache.living,
        row: of.cache.row,
        request: (payload) => requestOf(of, payload)
      })
    }

    const registered: RegisteredRow = {
      row,
      policy,
      budgetMillis,
      parts: built.parts,
      fallback: {
        onOutage: method.onOutage,
        steps: (fallback?.steps ?? []).flatMap((step, nth) => {
          const instance = steps[nth]
          return instance === undefined ? [] : [{ step, instance }]
        })
      },
      ...(cache === undefined || instance === undefined
        ? {}
        : { cache: { onOutage: method.onOutage, part: cache.part, instance } })
    }
    return {
      call: (payload: unknown) => start(of, payload),
      registered,
      describe: (downstream: string) => describeMethod(registered, method, observations, settings, downstream)
    }
  })
