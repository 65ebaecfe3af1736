/** The same settings for every build, and what a build is. */

/** The knobs that every build has. */
export const settings = {
  timeoutMillis: 1000,
  windowCalls: 128,
  failureRate: 0.5,
  minimumCalls: 20,
  permits: 100,
  retries: 2,
  backoffMillis: 1
} as const

/** The timeout of the call that takes the only permit of a full bulkhead: it must not give it back. */
export const hungMillis = 3_600_000

/** What a page gets where nothing else answers. */
export const fallback = -1

/**
 * So many calls run at once in the scenario that waits for backoffs: all first attempts fail, and more than
 * `windowCalls` of them at once would open the circuit, so that refusals would be measured.
 */
export const flakyAtOnce = 60

/** So many calls, one after another; for the scenario that waits for backoffs, some at once. */
export type Batch = (calls: number) => Promise<void>

/**
 * The scenarios:
 *
 * - `closed`: the downstream answers after one turn of the promise queue;
 * - `failing`: the first attempt of each call fails, the second answers; some calls run at once, since they wait;
 * - `open`: the circuit is open, each call is refused and falls back;
 * - `full`: all permits are taken by calls that hang, each further one is refused and falls back.
 */
export const scenarios = ["closed", "failing", "open", "full"] as const

export type Scenario = (typeof scenarios)[number]

/**
 * One protected call in one style. `hang` starts so many calls that do not end, and
 * resolves once they are in flight: for the memory of a call in flight.
 */
export interface Build {
  readonly scenarios: Partial<Readonly<Record<Scenario, () => Promise<Batch>>>>
  readonly hang?: (calls: number) => Promise<void>
}

/** Answers after one turn of the promise queue. */
export const down = async (): Promise<number> => 1

/** Never answers. */
export const never = (): Promise<number> => new Promise(() => {})

/** Fails the first time, answers the second, for each call that is made of it. */
export const flaky = () => {
  let asked = 0
  return async (): Promise<number> => {
    if (asked++ === 0) throw new Flaw("down")
    return 1
  }
}

/** What the downstream fails with: without a stack, which would cost more than all that is measured. */
export class Flaw {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}
