/**
 * A downstream as a queue before some workers, under open-loop arrivals, in virtual
 * time: what an adaptive policy meets, without fibers, so that a minute of traffic
 * takes milliseconds.
 */
import { Gate, type Policy, Signal } from "@failsoft/core"

/** A seeded source of numbers from 0 to 1 (xorshift). */
export const randomFrom = (seed: number) => {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 0x1_0000_0000
  }
}

/** Exponentially distributed with this mean. */
export const exponential = (random: () => number, mean: number) => -Math.log(1 - random()) * mean

/** Log-normal with this median: the heavy tail of real services. */
export const logNormal = (random: () => number, median: number, sigma: number) =>
  median * Math.exp(sigma * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()))

/** What is simulated; times in milliseconds. */
export interface World {
  readonly gate: Gate.Gate
  readonly row: Policy.Row
  readonly seed: number
  readonly untilMillis: number
  /** Arrivals per second. */
  readonly rate: (now: number) => number
  readonly workers: (now: number) => number
  readonly serviceMillis: (random: () => number, now: number) => number
  /** It has no queue: what comes while all workers are busy is answered "too much" after so long. */
  readonly overloadedMillis?: number
  /** An attempt that takes longer is given up; its work goes on. */
  readonly timeoutMillis?: number
  /** Looked at every so often. */
  readonly look?: { readonly everyMillis: number; readonly at: (now: number) => void }
}

/** One arrival and what became of it. */
export interface Arrival {
  readonly at: number
  ended: "answered" | "timedOut" | "overloaded" | "refused" | "waiting" | "running"
  startedAt: number
  endedAt: number
}

/** Events in the order of their time. */
class Agenda {
  private readonly heap: Array<{ readonly at: number; readonly act: () => void }> = []
  add(at: number, act: () => void) {
    const { heap } = this
    let child = heap.push({ at, act }) - 1
    while (child > 0) {
      const parent = (child - 1) >> 1
      const [p, c] = [heap[parent], heap[child]]
      if (p === undefined || c === undefined || p.at <= c.at) return
      heap[parent] = c
      heap[child] = p
      child = parent
    }
  }
  next() {
    const { heap } = this
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    heap[0] = last
    for (let parent = 0; ; ) {
      let least = parent
      for (const child of [2 * parent + 1, 2 * parent + 2]) {
        if ((heap[child]?.at ?? Number.POSITIVE_INFINITY) < (heap[least]?.at ?? 0)) least = child
      }
      const [p, c] = [heap[parent], heap[least]]
      if (least === parent || p === undefined || c === undefined) return first
      heap[parent] = c
      heap[least] = p
      parent = least
    }
  }
}

/** Runs the world to its end. */
export const simulate = (world: World): ReadonlyArray<Arrival> => {
  const random = randomFrom(world.seed)
  const agenda = new Agenda()
  const arrivals: Array<Arrival> = []
  const queue: Array<() => void> = []
  let now = 0
  let busy = 0

  const serve = () => {
    while (busy < world.workers(now)) {
      const begin = queue.shift()
      if (begin === undefined) return
      busy++
      begin()
    }
  }

  /** Sends a request; `done` is told once it was served. */
  const request = (done: () => void) => {
    queue.push(() =>
      agenda.add(now + world.serviceMillis(random, now), () => {
        busy--
        done()
        serve()
      })
    )
    serve()
  }

  const arrive = () => {
    const arrival: Arrival = { at: now, ended: "waiting", startedAt: -1, endedAt: -1 }
    arrivals.push(arrival)
    const attempt: Gate.Attempt = {
      row: world.row,
      now,
      deadlineAt: Number.POSITIVE_INFINITY,
      key: () => "",
      random,
      outlive: () => {}
    }
    const end = (ended: Arrival["ended"]) => {
      arrival.ended = ended
      arrival.endedAt = now
    }
    const start = (token: number) => {
      arrival.startedAt = now
      arrival.ended = "running"
      const leave = (ended: "answered" | "timedOut" | "overloaded") => {
        if (arrival.ended !== "running") return
        end(ended)
        world.gate.leave(attempt, token, ended, now, arrival.startedAt)
      }
      if (world.overloadedMillis !== undefined && busy >= world.workers(now)) {
        agenda.add(now + world.overloadedMillis, () => leave("overloaded"))
        return
      }
      request(() => leave("answered"))
      if (world.timeoutMillis !== undefined) agenda.add(now + world.timeoutMillis, () => leave("timedOut"))
    }
    const admitted = world.gate.enter(attempt)
    if (typeof admitted === "number") return start(admitted)
    if (!(admitted instanceof Gate.Ticket)) return end("refused")
    admitted.notify = () => start(admitted.token)
    agenda.add(now + admitted.waitMillis, () => {
      if (arrival.ended !== "waiting") return
      world.gate.abandon?.(attempt, admitted, now)
      end("refused")
    })
  }

  const arriveAgain = () => {
    arrive()
    agenda.add(now + exponential(random, 1000 / world.rate(now)), arriveAgain)
  }
  agenda.add(0, arriveAgain)
  const { look } = world
  const lookAgain = () => {
    look?.at(now)
    serve()
    agenda.add(now + (look?.everyMillis ?? 100), lookAgain)
  }
  agenda.add(0, lookAgain)
  for (let event = agenda.next(); event !== undefined && event.at <= world.untilMillis; event = agenda.next()) {
    now = event.at
    event.act()
  }
  return arrivals
}

/** A row whose signals are kept. */
export const rowWith = (signals: Array<Signal.Signal>): Policy.Row => ({
  downstream: "shop",
  method: "get",
  bus: {
    active: true,
    failed: 0,
    emit: (signal) => signals.push(signal),
    subscribe: Signal.Bus.defaultValue().subscribe
  }
})

/** The value below which a share of the numbers lies. */
export const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}
