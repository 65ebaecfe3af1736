/**
 * The load on one build: open-loop, so a request is sent when its time has come, whatever
 * became of the ones before. All times are from the intended arrival: a generator that is
 * late, or a caller who would have had to wait for a connection, is no excuse.
 */
import { Pool } from "undici"
import type { Arrival } from "./arrivals.ts"
import { deadlineMillis, type Page, type Quality, skus, weights } from "./settings.ts"

/** How one request ended. */
export interface Outcome {
  /** When it was meant to come, in milliseconds from the start of the trace. */
  readonly at: number
  /** From then to the last byte of the answer; infinite where none came. */
  readonly millis: number
  /** What it was worth within the deadline, 0 to 1. */
  readonly weight: number
  /** Each part was the downstream's own word, in time. */
  readonly full: boolean
  /** What the service says of its degraded parts, where it does: the header `Degradation`. */
  readonly why: string
}

/** Who has no answer by now goes away; it failed long before. */
const giveUpMillis = 3000

const worth = (quality: ReadonlyArray<Quality>): number => quality.reduce((product, of) => product * weights[of], 1)

/** Asks for these pages, and ends when all have been answered or given up. */
export const load = async (
  url: string,
  arrivals: ReadonlyArray<Arrival>,
  startAt: number
): Promise<ReadonlyArray<Outcome>> => {
  const pool = new Pool(url, { headersTimeout: giveUpMillis, bodyTimeout: giveUpMillis })
  const outcomes: Array<Outcome> = []
  const origin = performance.now() + (startAt - Date.now())
  const now = () => performance.now() - origin

  const ask = async ({ at, sku }: Arrival): Promise<void> => {
    let outcome: Outcome = { at, millis: Number.POSITIVE_INFINITY, weight: 0, full: false, why: "" }
    try {
      const { body, headers, statusCode } = await pool.request({ method: "GET", path: `/page/${sku}` })
      const text = await body.text()
      const millis = now() - at
      const answered = statusCode === 200 || statusCode === 404
      // The body is a page of a build's own.
      const quality = answered ? (JSON.parse(text) as Page).quality : []
      const inTime = answered && millis <= deadlineMillis
      outcome = {
        at,
        millis,
        weight: inTime ? worth(quality) : 0,
        full: inTime && quality.every((of) => weights[of] === 1),
        why: answered ? String(headers["degradation"] ?? "") : `status ${statusCode}`
      }
    } catch {
      // No answer: it stays what it was.
    }
    outcomes.push(outcome)
  }

  const asked: Array<Promise<void>> = []
  await new Promise<void>((resolve) => {
    let next = 0
    const due = () => {
      for (let arrival = arrivals[next]; arrival !== undefined && arrival.at <= now(); arrival = arrivals[++next]) {
        asked.push(ask(arrival))
      }
      const following = arrivals[next]
      if (following === undefined) resolve()
      else setTimeout(due, Math.max(0, following.at - now()))
    }
    due()
  })
  const patience = new Promise((resolve) => setTimeout(resolve, giveUpMillis).unref())
  await Promise.race([Promise.all(asked), patience])
  await pool.destroy()
  await Promise.all(asked)
  return outcomes
}

/**
 * A few at a time, before the first trace: code that is not compiled yet
 * takes ten times as long, and a service that meets an outage has run for days.
 */
const warmUpClients = 6

/** Asks a build so many times, until its code is warm. */
export const warmUp = async (url: string, requests: number): Promise<void> => {
  const pool = new Pool(url, { connections: warmUpClients })
  let asked = 0
  const client = async () => {
    while (asked < requests) {
      const { body } = await pool.request({ method: "GET", path: `/page/sku-${asked++ % skus}` })
      await body.dump()
    }
  }
  await Promise.all(Array.from({ length: warmUpClients }, client))
  await pool.close()
}
