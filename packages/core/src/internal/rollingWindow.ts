/**
 * Calls and failures of the last `windowMillis`, in a fixed ring of buckets: a
 * bounded memory, and an error of at most one bucket's length at the old end.
 */

/** How many buckets a window has. */
export const bucketsPerWindow = 10

/** Sums over the window. */
export interface Sums {
  readonly calls: number
  readonly failures: number
}

/** A window that is written and read with the current time in milliseconds. */
export interface RollingWindow {
  readonly record: (now: number, failed: boolean) => void
  readonly sums: (now: number) => Sums
  readonly clear: () => void
}

/** Makes an empty window. */
export const make = (windowMillis: number): RollingWindow => {
  const width = Math.max(1, Math.ceil(windowMillis / bucketsPerWindow))
  const epochs = new Array<number>(bucketsPerWindow).fill(-1)
  const calls = new Array<number>(bucketsPerWindow).fill(0)
  const failures = new Array<number>(bucketsPerWindow).fill(0)

  return {
    record: (now, failed) => {
      const epoch = Math.floor(now / width)
      const at = epoch % bucketsPerWindow
      if (epochs[at] !== epoch) {
        epochs[at] = epoch
        calls[at] = 0
        failures[at] = 0
      }
      calls[at] = (calls[at] ?? 0) + 1
      if (failed) failures[at] = (failures[at] ?? 0) + 1
    },
    sums: (now) => {
      const epoch = Math.floor(now / width)
      let sumCalls = 0
      let sumFailures = 0
      for (let i = 0; i < bucketsPerWindow; i++) {
        const age = epoch - (epochs[i] ?? -1)
        if (epochs[i] === -1 || age < 0 || age >= bucketsPerWindow) continue
        sumCalls += calls[i] ?? 0
        sumFailures += failures[i] ?? 0
      }
      return { calls: sumCalls, failures: sumFailures }
    },
    clear: () => {
      epochs.fill(-1)
    }
  }
}
