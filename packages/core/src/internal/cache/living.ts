/**
 * A living cache: what it answers, when it loads, and what becomes of a load.
 *
 * Each decision is one synchronous block; what a caller waits for is a flight, a load
 * in a fiber of its own, which lives as long as anybody waits for it.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type { Demand } from "../../Cache.ts"
import type { Said } from "../../cache/said.ts"
import { Deadline } from "../../Deadline.ts"
import type * as Fallback from "../../Fallback.ts"
import type { Facts } from "../../Policy.ts"
import type { Signal } from "../../Signal.ts"
import type { Unavailable } from "../../Unavailable.ts"
import { digest } from "../digest.ts"
import { forkBeside } from "../fork.ts"
import { requestKey } from "../requestKey.ts"
import { Entries } from "./entries.ts"
import {
  type CacheRow,
  type Entry,
  freshMillisOf,
  type Outcome,
  type Use,
  useOf,
  utf8Bytes,
  type Values
} from "./entry.ts"
import { ageOf, type Limits, limitsOf, longestMillis } from "./limits.ts"
import type { Mirror } from "./mirror.ts"
import { read, write } from "./record.ts"
import { holdsSecret } from "./secrets.ts"
import { Ticket } from "./ticket.ts"

/** How a load ended, and what the downstream said of keeping it. */
export type Loaded =
  | (Outcome & Pick<Entry, "asOf" | "cameAt"> & { readonly said?: Said | undefined })
  | { readonly kind: "failed"; readonly failure: Unavailable }

/** What a caller gets, and what the edge tells of it. */
export type Found =
  | (Outcome & {
      readonly asOf: number
      readonly cameAt: number
      readonly from: "hit" | "load" | "collapsed" | "bypass"
      /** How old a loaded answer was on its arrival, in milliseconds: it comes from a cache below. */
      readonly belowMillis?: number
      /** What is left of its fresh lifetime, in milliseconds. */
      readonly ttlMillis?: number
      /** Why it is stale; nothing while it counts as fresh. */
      readonly stale?: { readonly reason: string; readonly on: "revalidating" | "error"; readonly step: "cache" }
    })
  | { readonly kind: "failed"; readonly failure: Unavailable }

/** One call as the cache sees it. */
export interface Ask {
  readonly row: CacheRow
  readonly request: Fallback.Request
  readonly demand: Demand
  /** Whether an answer of these times is not older than what the session was shown; without `cameAt`, one on its way. */
  readonly mayShow: (asOf: number, cameAt?: number) => boolean
  /** A load for the same request, in the fiber that runs it. */
  readonly load: Effect.Effect<Loaded>
  /** Why there is no answer: the caller's own time is over, or nothing that is known is good enough for him. */
  readonly refuse: (reason: Refusal) => Unavailable
  /** Whether what was read at that time at the latest is certainly older than what the session was shown. */
  readonly isOlder: (cameAt: number) => boolean
  /** What was loaded, as of that time, is older than what the session was shown. */
  readonly tooOld: (asOf: number) => void
}

export type Refusal = "DEADLINE_EXCEEDED" | "NOT_CACHED" | "READ_TOO_OLD"

/** What an entry gets from the load that brought it. */
type As = Pick<Entry, "asOf" | "cameAt" | "jitter">

/** What the code says of a cache beside its knobs. */
export interface Rules {
  readonly tagsOf: (payload: unknown, value: unknown) => ReadonlyArray<string>
  readonly isNegative: (error: unknown) => boolean
  /** Whether what the downstream says of keeping an answer binds. */
  readonly obeyDownstream: boolean
}

/** A load under way. */
interface Flight {
  readonly key: string
  /** Later than anything where it waits for another one's end. */
  startedAt: number
  /** Another load of the key was under way when it began: a third waits for its end. */
  readonly second: boolean
  /** The load for whose end it waits. */
  after: Flight | undefined
  readonly ticket: Ticket
  readonly done: Deferred.Deferred<Loaded>
  /** A refresh that nobody waits for goes on all the same. */
  readonly background: boolean
  waiters: number
  fiber: Fiber.Fiber<unknown, unknown> | undefined
}

type Chance = Pick<typeof Random.Random.Service, "nextDoubleUnsafe">

/** More tags than this are a mistake. */
const tagsMax = 100

const noTags: ReadonlyArray<string> = []

export class LivingCache {
  readonly counts = { hits: 0, staleHits: 0, misses: 0, collapsed: 0, dropped: 0, forbidden: 0, refreshesFailed: 0 }
  private readonly values: Values
  private readonly rules: Rules
  private readonly mirror: Mirror | undefined
  private readonly entries = new Entries()
  /** The loads that a caller may join, by key. */
  private readonly flights = new Map<string, Flight>()
  private readonly fibers = new Set<Fiber.Fiber<unknown, unknown>>()
  /** Digests of keys whose last answer was for its caller only: nobody waits for another's load. */
  private readonly alone = new Set<string>()
  /** All that is on its way in, also what nobody may join any more. */
  private readonly tickets = new Set<Ticket>()

  constructor(values: Values, rules: Rules, mirror: Mirror | undefined) {
    this.values = values
    this.rules = rules
    this.mirror = mirror
  }

  state(): Facts {
    return {
      entries: this.entries.size,
      bytes: this.entries.bytes,
      loading: this.fibers.size,
      ...this.counts,
      store: this.mirror === undefined ? "none" : this.mirror.isFailing ? "failing" : "well"
    }
  }

  /** Bounds and lifetimes were turned. */
  changed(now: number): void {
    this.evicted(this.entries.trim(this.values), now, "full")
  }

  /** Answers a call from what is known, or by a load. */
  ask(ask: Ask): Effect.Effect<Found> {
    return Effect.withFiber((fiber) => {
      const key = this.values.mode === "off" ? undefined : requestKey(ask.request)
      const now = nowOf(fiber)
      if (key === undefined || this.values.mode !== "on") {
        if (ask.demand === "cached") return Effect.succeed({ kind: "failed", failure: ask.refuse("NOT_CACHED") })
        if (key !== undefined && this.values.mode === "dark") return this.dark(ask, key, fiber, now)
        return Effect.map(ask.load, (loaded) => found(ask, loaded, "bypass"))
      }
      const entry = ask.demand === "live" ? undefined : this.entries.use(key)
      const use = this.useFor(ask, entry, now)
      if (entry !== undefined && use === "fresh") return Effect.succeed(this.hit(ask, entry, now))
      if (entry !== undefined && use === "while-revalidate" && (ask.demand === "any" || ask.demand === "cached")) {
        if (ask.demand === "any" && !this.flights.has(key)) this.begin(ask, key, fiber, now, { background: true })
        return Effect.succeed(
          this.staleHit(ask, entry, now, { reason: entry.refreshFailed ?? "REVALIDATING", on: "revalidating" })
        )
      }
      if (ask.demand === "cached") return Effect.succeed({ kind: "failed", failure: ask.refuse("NOT_CACHED") })
      // Who has no time left asks nobody.
      return fiber.getRef(Deadline) <= now
        ? Effect.succeed(this.onFailure(ask, key, ask.refuse("DEADLINE_EXCEEDED"), now))
        : this.join(ask, key, entry, this.isAlone(key))
    })
  }

  /** For what an entry may serve this caller: one that is too old for a session is as good as none. */
  private useFor(ask: Ask, entry: Entry | undefined, now: number): Use {
    return entry === undefined || !ask.mayShow(entry.asOf, entry.cameAt) ? "expired" : useOf(entry, this.values, now)
  }

  /** Forgets a key, also what is on its way to it. */
  private invalidateKey(key: string): void {
    for (const ticket of this.tickets) ticket.voidKey(key)
    this.flights.delete(key)
    this.forget(key)
  }

  /** Forgets everything with one of these tags, also what is on its way. */
  invalidateTags(tags: ReadonlyArray<string>): void {
    for (const tag of tags) for (const ticket of this.tickets) ticket.voidTag(tag)
    // Nobody knows the tags of what is on its way: those who come from now on ask anew.
    this.flights.clear()
    for (const tag of tags) for (const key of this.entries.tagged(tag)) this.forget(key)
  }

  invalidateAll(): void {
    for (const ticket of this.tickets) ticket.voidAll()
    this.flights.clear()
    for (const key of this.entries.keys()) this.forget(key)
  }

  /** Puts the answer that a write confirmed in the place of what was known. */
  update(
    row: CacheRow,
    request: Fallback.Request,
    value: unknown,
    asOf: number,
    now: number,
    said: Said | undefined
  ): void {
    const key = requestKey(request)
    if (key === undefined) return
    this.invalidateKey(key)
    const as = { asOf: asOf - ageOf(said), cameAt: now - ageOf(said), jitter: 0 }
    const limits = this.allowed(row, said, as, now)
    if (limits === "forbidden") this.counts.forbidden++
    else this.keep(row, request, key, { kind: "answer", value }, { ...as, limits }, now, undefined)
  }

  /** Forgets what is known for a request. */
  invalidate(request: Fallback.Request): void {
    const key = requestKey(request)
    if (key !== undefined) this.invalidateKey(key)
  }

  /** Waits until the durable level has what was changed, a second at most. */
  get flush(): Effect.Effect<void> {
    return this.mirror?.flush ?? Effect.void
  }

  /** Brings back what a row kept beyond the process. */
  restore(row: CacheRow, clock: Clock.Clock): Effect.Effect<void> {
    const { mirror } = this
    if (mirror === undefined) return Effect.void
    const ticket = new Ticket()
    this.tickets.add(ticket)
    const prefix = placePrefix(row)
    return mirror
      .readAll(prefix, this.values.entriesMax, (place, text) => {
        const now = clock.currentTimeMillisUnsafe()
        const entry = this.restored(row, place, text, now)
        if (entry === undefined) {
          mirror.remove(place)
          this.dropped(row, now, "undecodable")
        } else if (entry === "foreign") return
        else if (!ticket.keeps(entry.key, entry.tags) || useOf(entry, this.values, now) === "expired")
          mirror.remove(place)
        else if (this.entries.get(entry.key) === undefined) {
          this.evicted(this.entries.put(entry, this.values), now, "full")
        }
      })
      .pipe(Effect.ensuring(Effect.sync(() => this.tickets.delete(ticket))))
  }

  /** Everything that is still on its way ends with the ring. */
  close(): void {
    for (const fiber of this.fibers) fiber.interruptUnsafe()
  }

  private hit({ row }: Ask, entry: Entry, now: number): Found {
    this.counts.hits++
    const ageMillis = now - entry.asOf
    this.tell(row, { _tag: "CacheHit", at: now, ageMillis, kind: entry.kind, dark: false })
    const { asOf, cameAt, kind, value } = entry
    return { kind, value, asOf, cameAt, from: "hit", ttlMillis: freshMillisOf(entry, this.values) - ageMillis }
  }

  private staleHit(
    { row }: Ask,
    entry: Entry,
    now: number,
    why: { readonly reason: string; readonly on: "revalidating" | "error" }
  ): Found {
    this.counts.staleHits++
    const ageMillis = Math.max(0, now - entry.asOf)
    this.tell(row, { _tag: "CacheStaleHit", at: now, ageMillis, on: why.on, reason: why.reason })
    const { asOf, cameAt, kind, value } = entry
    return {
      kind,
      value,
      asOf,
      cameAt,
      from: "hit",
      ttlMillis: freshMillisOf(entry, this.values) - ageMillis,
      stale: { ...why, step: "cache" }
    }
  }

  /** Waits for the load of a key, which is begun where there is none; `alone` waits for nobody else's. */
  private join(ask: Ask, key: string, entry: Entry | undefined, alone: boolean): Effect.Effect<Found> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.withFiber((fiber) => {
        const now = nowOf(fiber)
        const known = alone || ask.demand === "live" ? undefined : this.flights.get(key)
        // What was asked for before the session's last answer may be older than that.
        const running = known !== undefined && ask.mayShow(known.startedAt) ? known : undefined
        const flight = running ?? this.begin(ask, key, fiber, now, { background: false, known, alone })
        flight.waiters++
        this.counts[running === undefined ? "misses" : "collapsed"]++
        this.tell(ask.row, {
          _tag: "CacheMiss",
          at: now,
          why: entry === undefined ? "absent" : !ask.mayShow(entry.asOf, entry.cameAt) ? "too-old" : "expired",
          collapsed: running !== undefined
        })
        return restore(waitFor(flight, ask, fiber, now)).pipe(
          Effect.onExit(() => Effect.sync(() => this.leave(flight))),
          Effect.flatMap((loaded) => {
            // It belongs to who asked for it: the others each ask for themselves.
            if (running !== undefined && this.isForOne(ask.row, loaded)) return restore(this.again(ask, key, entry))
            const got = found(ask, loaded, running === undefined ? "load" : "collapsed")
            return Effect.succeed(got.kind === "failed" ? this.onFailure(ask, key, got.failure, nowOf(fiber)) : got)
          })
        )
      })
    )
  }

  /** A load of one's own, after that of another was not to be shared. */
  private again(ask: Ask, key: string, entry: Entry | undefined): Effect.Effect<Found> {
    return Effect.withFiber((fiber) => {
      const now = nowOf(fiber)
      return fiber.getRef(Deadline) <= now
        ? Effect.succeed(this.onFailure(ask, key, ask.refuse("DEADLINE_EXCEEDED"), now))
        : this.join(ask, key, entry, true)
    })
  }

  private isAlone(key: string): boolean {
    return this.alone.size > 0 && this.alone.has(digest(key))
  }

  private isForOne(row: CacheRow, loaded: Loaded): boolean {
    return loaded.kind !== "failed" && this.limits(row, loaded.said) === "forbidden"
  }

  private limits(row: CacheRow, said: Said | undefined): Limits | undefined | "forbidden" {
    return this.rules.obeyDownstream ? limitsOf(said, row.ownersOnly) : undefined
  }

  /** The same, and what can serve nobody after its arrival is not kept either. */
  private allowed(
    row: CacheRow,
    said: Said | undefined,
    { asOf }: Pick<As, "asOf">,
    now: number
  ): Limits | undefined | "forbidden" {
    const limits = this.limits(row, said)
    return limits === "forbidden" || now - asOf >= longestMillis(limits) ? "forbidden" : limits
  }

  private leave(flight: Flight): void {
    flight.waiters--
    if (flight.waiters > 0 || flight.background || Deferred.isDoneUnsafe(flight.done)) return
    // Nobody waits any more, and nobody may join what is given up.
    if (this.flights.get(flight.key) === flight) {
      const { after } = flight
      if (after === undefined || Deferred.isDoneUnsafe(after.done)) this.flights.delete(flight.key)
      else this.flights.set(flight.key, after)
    }
    flight.fiber?.interruptUnsafe()
  }

  /** A failing load never destroys a good entry: it serves as long as it may. */
  private onFailure(ask: Ask, key: string, failure: Unavailable, now: number): Found {
    const entry = ask.demand === "any" ? this.entries.use(key) : undefined
    const use = this.useFor(ask, entry, now)
    if (entry === undefined || use === "expired") return { kind: "failed", failure }
    // Somebody else has put one there meanwhile.
    if (use === "fresh") return this.hit(ask, entry, now)
    return this.staleHit(ask, entry, now, { reason: failure.reason, on: "error" })
  }

  /**
   * Begins a load beside the `known` one, which may be too old for who asks. A third waits
   * for the second's end, and all who come until then wait with it: whatever their marks
   * say, two loads of a key run for those who ask.
   */
  private begin(
    ask: Ask,
    key: string,
    fiber: Fiber.Fiber<unknown, unknown>,
    now: number,
    {
      alone = false,
      background,
      known
    }: { readonly background: boolean; readonly known?: Flight | undefined; readonly alone?: boolean }
  ): Flight {
    const after = known?.second === true ? known : undefined
    const flight: Flight = {
      key,
      startedAt: after === undefined ? now : Number.POSITIVE_INFINITY,
      second: known !== undefined,
      after,
      ticket: new Ticket(),
      done: Deferred.makeUnsafe(),
      background,
      waiters: 0,
      fiber: undefined
    }
    if (!alone) this.flights.set(key, flight)
    this.tickets.add(flight.ticket)
    const random = fiber.getRef(Random.Random)
    // It must not end with the time of the first who wanted it: the policies bound it.
    const context = Context.add(fiber.context, Deadline, Number.POSITIVE_INFINITY)
    const clock = fiber.getRef(Clock.Clock)
    const begun = () => {
      // It has ended, and holds what it brought: a chain of them would never be let go on a key that is always asked.
      flight.after = undefined
      flight.startedAt = clock.currentTimeMillisUnsafe()
      return ask.load
    }
    const load = after === undefined ? ask.load : Effect.flatMap(Effect.exit(Deferred.await(after.done)), begun)
    const loading = forkBeside(
      context,
      Effect.onExit(load, (exit) =>
        Effect.sync(() => this.landed(ask, flight, exit, random, clock.currentTimeMillisUnsafe()))
      )
    )
    flight.fiber = loading
    this.fibers.add(loading)
    loading.addObserver(() => this.fibers.delete(loading))
    return flight
  }

  private landed(ask: Ask, flight: Flight, exit: Exit.Exit<Loaded>, random: Chance, now: number): void {
    if (this.flights.get(flight.key) === flight) this.flights.delete(flight.key)
    this.tickets.delete(flight.ticket)
    if (exit._tag === "Success") {
      this.arrived(ask, flight.key, exit.value, this.chance(exit.value, random), now, flight.ticket)
    }
    Deferred.doneUnsafe(flight.done, exit)
  }

  private arrived(
    { row, request }: Ask,
    key: string,
    loaded: Loaded,
    jitter: number,
    now: number,
    ticket: Ticket
  ): void {
    if (loaded.kind === "failed") {
      this.counts.refreshesFailed++
      const entry = this.entries.get(key)
      if (entry !== undefined) entry.refreshFailed = loaded.failure.reason
      return
    }
    this.noteAlone(key, this.isForOne(row, loaded))
    const as = { asOf: loaded.asOf, cameAt: loaded.cameAt, jitter }
    const kept = loaded.kind === "answer" || (this.values.negativeMillis > 0 && this.isNegative(loaded.value))
    const limits = this.allowed(row, loaded.said, as, now)
    if (kept && limits !== "forbidden") {
      this.keep(row, request, key, loaded, { ...as, limits }, now, ticket)
      return
    }
    if (kept) this.counts.forbidden++
    if (!ticket.keeps(key, noTags)) return
    const known = this.entries.get(key)
    // What the downstream says now is newer than what is known, also where it must not be kept.
    if (known !== undefined && !isNewer(known, as, now)) this.forget(key)
  }

  /** Bounded like the entries; who is forgotten waits for another's load once more. */
  private noteAlone(key: string, alone: boolean): void {
    if (!alone && this.alone.size === 0) return
    const word = digest(key)
    this.alone.delete(word)
    if (!alone) return
    this.alone.add(word)
    for (const oldest of this.alone) {
      if (this.alone.size <= this.values.entriesMax) break
      this.alone.delete(oldest)
    }
  }

  /** An entry's share of the jitter; nothing is drawn for what has no fresh lifetime. */
  private chance({ kind }: Loaded, random: Chance): number {
    const { freshMillis, jitter, negativeMillis } = this.values
    const lifetime = kind === "answer" ? freshMillis : kind === "permanent" ? negativeMillis : 0
    return jitter > 0 && lifetime > 0 ? random.nextDoubleUnsafe() : 0
  }

  private isNegative(error: unknown): boolean {
    try {
      return this.rules.isNegative(error)
    } catch {
      return false
    }
  }

  private keep(
    row: CacheRow,
    request: Fallback.Request,
    key: string,
    { kind, value }: Outcome,
    as: As & Pick<Entry, "limits">,
    now: number,
    ticket: Ticket | undefined
  ): void {
    if (this.values.mode === "off") return
    const made = this.entryOf(row, request, key, { kind, value }, as)
    if (typeof made === "string") {
      if (ticket?.keeps(key, noTags) !== false) this.forget(key)
      this.dropped(row, now, made)
      return
    }
    const { entry, text } = made
    if (ticket?.keeps(key, entry.tags) === false) return
    // Of two loads the one that began later knows better.
    const known = this.entries.get(key)
    if (known !== undefined && isNewer(known, entry, now)) return
    this.evicted(this.entries.put(entry, this.values), now, "full")
    if (this.mirror === undefined || this.entries.get(key) !== entry) return
    if (holdsSecret(request.payload) || holdsSecret(value)) this.mirror.remove(place(entry))
    else this.mirror.set(place(entry), write(entry, text))
  }

  /** The entry of an outcome with its text, or why there is none. */
  private entryOf(
    row: CacheRow,
    request: Fallback.Request,
    key: string,
    outcome: Outcome,
    as: As & Pick<Entry, "limits">
  ): { readonly entry: Entry; readonly text: string } | "unencodable" | "too-large" | "too-many-tags" {
    try {
      const text = row.encode(outcome)
      const tags = outcome.kind === "answer" ? [...new Set(this.rules.tagsOf(request.payload, outcome.value))] : []
      const bytes = utf8Bytes(key) + utf8Bytes(text)
      if (bytes > this.values.bytesMax) return "too-large"
      if (tags.length > tagsMax) return "too-many-tags"
      return { entry: { row, key, ...outcome, ...as, tags, bytes, refreshFailed: undefined }, text }
    } catch {
      return "unencodable"
    }
  }

  private restored(row: CacheRow, at: string, text: string, now: number): Entry | "foreign" | undefined {
    const record = read(text)
    if (record._tag === "None") return undefined
    const { key, asOf, cameAt = now, jitter, tags, kind } = record.value
    const limits = this.rules.obeyDownstream ? record.value.limits : undefined
    if (!key.startsWith(row.prefix)) return "foreign"
    if (place({ row, key }) !== at) return undefined
    try {
      const value = row.decode(kind, record.value.text)
      const bytes = utf8Bytes(key) + utf8Bytes(record.value.text)
      return { row, key, asOf, cameAt, jitter, limits, tags, kind, value, bytes, refreshFailed: undefined }
    } catch {
      return undefined
    }
  }

  /** Asks the downstream as if there were no cache, and tells what the cache would have answered. */
  private dark(ask: Ask, key: string, fiber: Fiber.Fiber<unknown, unknown>, now: number): Effect.Effect<Found> {
    const entry = this.entries.use(key)
    const use = entry === undefined ? "expired" : useOf(entry, this.values, now)
    const ticket = new Ticket()
    this.tickets.add(ticket)
    const random = fiber.getRef(Random.Random)
    return ask.load.pipe(
      Effect.map((loaded) => {
        if (entry !== undefined && (use === "fresh" || use === "while-revalidate")) {
          const differs = loaded.kind === "failed" ? undefined : differ(ask.row, entry, loaded)
          const ageMillis = now - entry.asOf
          this.tell(ask.row, {
            _tag: "CacheHit",
            at: nowOf(fiber),
            ageMillis,
            kind: entry.kind,
            dark: true,
            ...(differs === undefined ? {} : { differs })
          })
        }
        this.arrived(ask, key, loaded, this.chance(loaded, random), nowOf(fiber), ticket)
        return found(ask, loaded, "bypass")
      }),
      Effect.ensuring(Effect.sync(() => this.tickets.delete(ticket)))
    )
  }

  private forget(key: string): void {
    const entry = this.entries.remove(key)
    if (entry !== undefined) this.mirror?.remove(place(entry))
  }

  private evicted(gone: ReadonlyArray<Entry>, now: number, why: "full"): void {
    for (const entry of gone) {
      this.mirror?.remove(place(entry))
      this.dropped(entry.row, now, why)
    }
  }

  private dropped(row: CacheRow, at: number, why: Dropped["why"]): void {
    this.counts.dropped++
    this.tell(row, { _tag: "CacheDropped", at, why })
  }

  private tell({ row }: CacheRow, signal: Untold): void {
    const { bus, downstream, method } = row
    if (bus.active) bus.emit({ ...signal, downstream, method })
  }
}

type CacheSignal = Extract<Signal, { readonly _tag: `Cache${string}` }>
type Dropped = Extract<CacheSignal, { readonly _tag: "CacheDropped" }>
type Untold = CacheSignal extends infer S ? (S extends CacheSignal ? Omit<S, "downstream" | "method"> : never) : never

const nowOf = (fiber: Fiber.Fiber<unknown, unknown>): number => fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()

/** Ages are told in whole seconds: what the session was shown may have been read so much earlier than was told. */
export const ageRoundingMillis = 1000

/** What a caller gets of a load: nothing where a cache below gave what is older than his session was shown. */
const found = (ask: Ask, loaded: Loaded, from: "load" | "collapsed" | "bypass"): Found => {
  if (loaded.kind === "failed") return loaded
  const { asOf, cameAt, kind, said, value } = loaded
  const belowMillis = ageOf(said)
  if (belowMillis > 0 && ask.isOlder(cameAt + ageRoundingMillis)) {
    ask.tooOld(asOf)
    return { kind: "failed", failure: ask.refuse("READ_TOO_OLD") }
  }
  return { kind, value, asOf, cameAt, from, ...(belowMillis > 0 ? { belowMillis } : {}) }
}

/** The end of a load, or the end of the caller's own time. */
const waitFor = (
  { done }: Flight,
  ask: Ask,
  fiber: Fiber.Fiber<unknown, unknown>,
  now: number
): Effect.Effect<Loaded> => {
  const at = fiber.getRef(Deadline)
  return at === Number.POSITIVE_INFINITY
    ? Deferred.await(done)
    : Effect.timeoutOrElse(Deferred.await(done), {
        duration: Math.max(0, at - now),
        orElse: () => Effect.sync((): Loaded => ({ kind: "failed", failure: ask.refuse("DEADLINE_EXCEEDED") }))
      })
}

const placePrefix = ({ row }: CacheRow): string => `cache/${row.downstream}/${row.method}/`

const place = ({ row, key }: Pick<Entry, "row" | "key">): string => `${placePrefix(row)}${digest(key)}`

/** Whether one was asked for later; a time in the future is of a clock that was set back, and says nothing. */
const isNewer = (known: Entry, than: Pick<Entry, "asOf">, now: number): boolean =>
  known.asOf > than.asOf && known.asOf <= now

/** Whether what is known is another thing than what was answered. */
const differ = (row: CacheRow, entry: Entry, loaded: Outcome): boolean => {
  try {
    return entry.kind !== loaded.kind || row.encode(entry) !== row.encode(loaded)
  } catch {
    return true
  }
}
