/** A clock that goes slower: time for a busy machine, with all times of a service in proportion. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** One second of it takes `times` seconds. */
export const slowClock = (times: number): Clock.Clock => {
  const wall = Date.now()
  const begun = process.hrtime.bigint()
  const nanos = () => Number(process.hrtime.bigint() - begun) / times
  const currentTimeMillisUnsafe = () => Math.floor(wall + nanos() / 1e6)
  const currentTimeNanosUnsafe = () => BigInt(wall) * 1_000_000n + BigInt(Math.floor(nanos()))
  return {
    currentTimeMillisUnsafe,
    currentTimeNanosUnsafe,
    monotonicTimeNanosUnsafe: () => BigInt(Math.floor(nanos())),
    currentTimeMillis: Effect.sync(currentTimeMillisUnsafe),
    currentTimeNanos: Effect.sync(currentTimeNanosUnsafe),
    monotonicTimeNanos: Effect.sync(() => BigInt(Math.floor(nanos()))),
    sleep: (duration) =>
      Effect.callback((resume) => {
        const millis = Duration.toMillis(duration)
        if (millis === Infinity) return
        const timer = setTimeout(() => resume(Effect.void), millis * times)
        return Effect.sync(() => clearTimeout(timer))
      })
  }
}

/** Runs all of an effect by it. */
export const slowly = (times: number) => Effect.provideService(Clock.Clock, slowClock(times))
