import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { type Entry, Timers } from "../src/internal/timers.ts"
import { choices } from "./history.ts"

/** How often the due times of entries were looked at. */
let looks = 0

class Alarm implements Entry {
  below: Entry | undefined = undefined
  next: Entry | undefined = undefined
  previous: Entry | undefined = undefined
  listed: Entry["listed"] = "no"
  /** When it rang. */
  rang: number | undefined = undefined
  private moment = 0
  private readonly now: () => number

  constructor(now: () => number) {
    this.now = now
  }

  get at(): number {
    looks++
    return this.moment
  }

  set at(moment: number) {
    this.moment = moment
  }

  due(): void {
    this.rang = this.now()
  }
}

const settingOf = (fiber: Fiber.Fiber<unknown, unknown>) => {
  const clock = fiber.getRef(Clock.Clock)
  const timers = new Timers()
  const now = () => clock.currentTimeMillisUnsafe()
  return {
    timers,
    now,
    alarm: (millis: number) => {
      const alarm = new Alarm(now)
      timers.add(alarm, fiber, clock, now(), millis)
      return alarm
    }
  }
}

const setting = Effect.withFiber((fiber) => Effect.succeed(settingOf(fiber)))

describe("timers", () => {
  it.effect("ring each at its time and never once removed, whatever the order of their durations", () =>
    Effect.gen(function* () {
      const { alarm, now, timers } = yield* setting
      const of = choices(1)
      const set = new Map<Alarm, number>()
      const removed = new Set<Alarm>()
      for (let step = 0; step < 3000; step++) {
        const roll = of.next()
        if (roll < 0.6) {
          const millis = of.between(1, 500)
          set.set(alarm(millis), now() + millis)
        } else if (roll < 0.9) {
          const pending = [...set.keys()].filter((some) => some.rang === undefined && !removed.has(some))
          const some = pending[of.between(0, pending.length - 1)]
          if (some === undefined) continue
          timers.remove(some)
          removed.add(some)
        } else yield* TestClock.adjust(of.between(1, 50))
      }
      yield* TestClock.adjust("1 second")
      for (const [alarm, at] of set) assert.strictEqual(alarm.rang, removed.has(alarm) ? undefined : at)
      assert.isAbove(removed.size, 500)
    })
  )

  it.effect("sleep for at most a second at once, so that a removed one keeps no program from its end", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const sleeps: Array<number> = []
      const watched: Clock.Clock = {
        ...clock,
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
        sleep: (duration) => {
          sleeps.push(Duration.toMillis(duration))
          return clock.sleep(duration)
        }
      }
      const fiber = yield* Effect.forkChild(Effect.provideService(Effect.never, Clock.Clock, watched))
      yield* Effect.yieldNow
      const { alarm, timers } = settingOf(fiber)
      const kept = alarm(2500)
      yield* TestClock.adjust("2 seconds")
      const removed = alarm(60_000)
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(kept.rang, 2500)
      timers.remove(removed)
      yield* TestClock.adjust("60 seconds")
      assert.deepEqual(sleeps, [1000, 1000, 500, 1000], "the last wakes to nothing, and sleeps no more")
    })
  )

  it.effect("do not search: many of unequal durations cost each a few looks", () =>
    Effect.gen(function* () {
      const { alarm, timers } = yield* setting
      const of = choices(2)
      const durations = {
        equal: () => 1000,
        falling: (nth: number) => 1_000_000 - nth,
        random: () => of.between(1, 1_000_000)
      }
      for (const [name, millis] of Object.entries(durations)) {
        looks = 0
        const alarms = Array.from({ length: 10_000 }, (_, nth) => alarm(millis(nth)))
        for (const set of alarms) timers.remove(set)
        assert.isBelow(looks / alarms.length, 60, name)
      }
    })
  )
})
