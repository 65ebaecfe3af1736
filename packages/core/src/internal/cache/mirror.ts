/**
 * The durable level: a copy of what a cache holds, written behind the calls, which
 * never wait for it. A store that fails or hangs costs what it would have kept, and
 * nothing else.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { KeyValueStore } from "effect/persistence/KeyValueStore"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

/** So long one step of the store may take. */
const stepMillis = 1000
/** A store that failed is left alone for so long. */
const restMillis = 1000
/** So long somebody waits until all is written. */
const flushMillis = 1000
/** The most changes that wait to be written. */
const waitingMax = 100_000

/** Nothing: the record is to be removed. */
type Change = string | undefined

export class Mirror {
  private readonly store: KeyValueStore
  private readonly waiting = new Map<string, Change>()
  private readonly prefixes = new Set<string>()
  private readonly wake: Queue.Queue<void>
  private idle: Deferred.Deferred<void> | undefined = undefined
  /** Changes were lost: what is there may be what should have gone. */
  private lost = false
  private failed = false

  private constructor(store: KeyValueStore, wake: Queue.Queue<void>) {
    this.store = store
    this.wake = wake
  }

  /** Writes for as long as the scope lasts, and what is left at its end. */
  static make(store: KeyValueStore): Effect.Effect<Mirror, never, Scope.Scope> {
    return Effect.gen(function* () {
      const mirror = new Mirror(store, yield* Queue.dropping<void>(1))
      // The writer is forked before, so it is still there while the finalizer waits.
      yield* Effect.forkScoped(mirror.writes)
      yield* Effect.addFinalizer(() => mirror.flush)
      return mirror
    })
  }

  /** Whether the store did not do what it was last asked for. */
  get isFailing(): boolean {
    return this.failed
  }

  set(place: string, text: string): void {
    this.change(place, text)
  }

  remove(place: string): void {
    this.change(place, undefined)
  }

  /** Waits until all changes are written, at most a second. */
  get flush(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.idle === undefined
        ? Effect.void
        : Effect.asVoid(Effect.timeoutOption(Deferred.await(this.idle), flushMillis))
    )
  }

  /** Everything under a prefix, which is this cache's own from now on; `use` is given each text with its place. */
  readAll(prefix: string, most: number, use: (place: string, text: string) => void): Effect.Effect<void> {
    this.prefixes.add(prefix)
    return this.step(this.store.keys).pipe(
      Effect.map((keys) => keys.filter((key) => key.startsWith(prefix))),
      Effect.tap((keys) =>
        Effect.sync(() => {
          for (const key of keys.slice(most)) this.remove(key)
        })
      ),
      Effect.flatMap((keys) =>
        Effect.forEach(
          keys.slice(0, most),
          (key) =>
            Effect.map(this.step(this.store.get(key)), (text) => {
              if (text !== undefined && !this.waiting.has(key)) use(key, text)
            }),
          { concurrency: 8, discard: true }
        )
      ),
      Effect.catchCause((cause) => this.complains(cause))
    )
  }

  private change(place: string, change: Change): void {
    if (this.waiting.size >= waitingMax && !this.waiting.has(place)) {
      this.waiting.clear()
      this.lost = true
    }
    this.waiting.set(place, change)
    this.idle ??= Deferred.makeUnsafe()
    Queue.offerUnsafe(this.wake, undefined)
  }

  private get writes(): Effect.Effect<never> {
    const round = Effect.suspend(() => this.drain).pipe(
      Effect.catchCause((cause) =>
        Effect.andThen(
          this.complains(cause),
          Effect.as(Effect.sleep(restMillis), Queue.offerUnsafe(this.wake, undefined))
        )
      )
    )
    return Effect.forever(Effect.andThen(Queue.take(this.wake), round))
  }

  private readonly drain = Effect.gen({ self: this }, function* () {
    if (this.lost) {
      for (const prefix of this.prefixes) yield* this.step(this.store.clearPrefix(prefix))
      this.lost = false
    }
    for (;;) {
      const [first] = this.waiting
      if (first === undefined) break
      const [place, text] = first
      yield* this.step(text === undefined ? this.store.remove(place) : this.store.set(place, text))
      // What was changed while it was written is written again.
      if (this.waiting.get(place) === text) this.waiting.delete(place)
    }
    if (this.failed) yield* Effect.logInfo("the store of a cache is well again")
    this.failed = false
    const { idle } = this
    this.idle = undefined
    if (idle !== undefined) Deferred.doneUnsafe(idle, Effect.void)
  })

  private step<A, E>(of: Effect.Effect<A, E>) {
    return Effect.timeout(of, stepMillis)
  }

  private complains(cause: unknown): Effect.Effect<void> {
    return Effect.suspend(() => {
      const first = !this.failed
      this.failed = true
      return first ? Effect.logWarning("the store of a cache fails; the cache goes on without it", cause) : Effect.void
    })
  }
}
