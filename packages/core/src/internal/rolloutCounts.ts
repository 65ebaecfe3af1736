/** What a rollout counts by variant. */
import type { Counts, DarkResult, SideCounts } from "../Flag.ts"

class SideCounter {
  private answered = 0
  private withoutAnswer = 0
  private millis = 0

  answers(millis: number): void {
    this.answered++
    this.millis += millis
  }

  hasNone(): void {
    this.withoutAnswer++
  }

  shown(): SideCounts {
    const { answered, withoutAnswer } = this
    return { answered, withoutAnswer, meanMillis: answered === 0 ? undefined : this.millis / answered }
  }
}

/** Counters of a living flag; whoever rolls out by it counts here. */
export class RolloutCounts {
  readonly stable = new SideCounter()
  readonly candidate = new SideCounter()
  private readonly dark: Record<DarkResult, number> = {
    same: 0,
    different: 0,
    "stable-only": 0,
    "candidate-only": 0,
    failed: 0,
    skipped: 0
  }

  compared(result: DarkResult): void {
    this.dark[result]++
  }

  shown(): Counts {
    return { stable: this.stable.shown(), candidate: this.candidate.shown(), dark: { ...this.dark } }
  }
}
