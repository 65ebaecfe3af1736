/** The work that a server does: by its workers, as slow as the plan says, and counted. */
import type { ServerResponse } from "node:http"
import { Player, type Workers } from "@failsoft/core/testing/faults"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** What a server has done since its start; times in milliseconds. */
export interface Done {
  /** Requests that came, except those aside. */
  readonly received: number
  /** The time that its answers took to make, */
  readonly workMillis: number
  /** and that of it whose answer nobody waited for any more. */
  readonly wastedMillis: number
}

export class Labour {
  private received = 0
  private workMillis = 0
  private wastedMillis = 0
  private readonly workers: Workers.Workers | undefined

  constructor(workers: Workers.Workers | undefined) {
    this.workers = workers
  }

  readonly done = (): Done => {
    const { received, wastedMillis, workMillis } = this
    return { received, workMillis, wastedMillis }
  }

  onReceived(): void {
    this.received++
  }

  /** The work for a call, by a worker where there are some; it fails where their queue is full. */
  of<A, E>(
    work: Effect.Effect<A, E>,
    response: ServerResponse,
    met: Player.Met,
    elapsedMillis: () => number
  ): Effect.Effect<A, E | Workers.QueueFull> {
    const counted = Effect.flatMap(Clock.monotonicTimeNanos, (from) =>
      Effect.onExit(Player.slowed(work, met, elapsedMillis), () =>
        Effect.map(Clock.monotonicTimeNanos, (to) => this.count(Number(to - from) / 1e6, response.destroyed))
      )
    )
    return this.workers === undefined ? counted : this.workers.work(counted)
  }

  private count(millis: number, isWasted: boolean): void {
    this.workMillis += millis
    if (isWasted) this.wastedMillis += millis
  }
}
