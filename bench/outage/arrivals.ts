/** When requests come: Poisson, and a burst of eight about every second. Nobody waits for an answer before he asks. */
import { exponential, randomFrom } from "./random.ts"
import { capacityPerSecond, skus } from "./settings.ts"

export interface Arrival {
  /** Milliseconds from the start of the trace. */
  readonly at: number
  readonly sku: string
}

const burst = 8
const burstsPerSecond = 0.7

/** The arrivals of a trace, in order. */
export const arrivals = (load: number, untilMillis: number, seed: number): ReadonlyArray<Arrival> => {
  const random = randomFrom(seed)
  const single = load * capacityPerSecond - burst * burstsPerSecond
  const all: Array<Arrival> = []
  const series = (perSecond: number, size: number) => {
    for (
      let at = exponential(random, 1000 / perSecond);
      at < untilMillis;
      at += exponential(random, 1000 / perSecond)
    ) {
      for (let nth = 0; nth < size; nth++) all.push({ at, sku: `sku-${Math.floor(random() * skus)}` })
    }
  }
  series(single, 1)
  series(burstsPerSecond, burst)
  return all.sort((one, other) => one.at - other.at)
}
