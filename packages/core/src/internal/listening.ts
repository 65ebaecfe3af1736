/**
 * Listens to a region that is asked and never heard.
 *
 * An attempt whose caller takes another one's answer (a hedge, a shorter timeout of the
 * ring) is stopped, and says nothing of its region: one that hangs would be asked for
 * ever. So where a region was not heard for a while, one attempt at a time goes on
 * without its caller until its own timeout, by which its breaker and its health learn
 * how it does.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Attempt, Verdict } from "../Gate.ts"
import * as Policy from "../Policy.ts"
import type { Observations } from "./observations.ts"

/** Whether the caller of an attempt has gone. */
export class Left {
  static readonly Current: Context.Reference<Left | undefined> = Context.Reference<Left | undefined>(
    "@failsoft/core/internal/Left",
    { defaultValue: () => undefined }
  )

  private gone = false

  get isGone(): boolean {
    return this.gone
  }

  leave(): void {
    this.gone = true
  }
}

const listened = 1

/** How an attempt ends of which the region said nothing. */
const silent: ReadonlySet<Verdict> = new Set<Verdict>(["aborted", "refused", "timedOut"])

/** The gate that lets an attempt go on alone for so long, where nothing was heard for `quietMillis`. */
export const listening = (options: {
  readonly observations: Observations
  readonly attemptMillis: number
  readonly quietMillis: number
}): Policy.Policy<"unbounded"> =>
  Policy.fromInstance({
    kind: "listening",
    name: "listening",
    marks: ["unbounded"],
    make: () =>
      Effect.sync(() => {
        const { attemptMillis, observations, quietMillis } = options
        let heardAt = Number.NEGATIVE_INFINITY
        let who: { readonly attempt: Attempt; left: Left | undefined } | undefined
        const heard = (verdict: Verdict, now: number, startedAt: number): void => {
          if (verdict === "answered") observations.good(now, Math.max(0, now - startedAt))
          else if (verdict === "permanent") observations.permanent(now)
          else if (verdict !== "aborted" && verdict !== "refused") observations.bad(now, words[verdict])
        }
        return {
          form: {
            _tag: "Gate",
            gate: {
              enter: (attempt) => {
                // Nobody was asked before: the quiet begins now.
                if (heardAt === Number.NEGATIVE_INFINITY) heardAt = attempt.now
                if (who !== undefined || attempt.now - heardAt < quietMillis) return 0
                who = { attempt, left: undefined }
                attempt.outlive(attemptMillis)
                return listened
              },
              within: (attempt, context) => {
                if (who?.attempt === attempt) who.left = Context.get(context, Left.Current)
                return context
              },
              leave: (_, token, verdict, now, startedAt) => {
                if (!silent.has(verdict)) heardAt = now
                if (token !== listened) return
                // Else its caller is there to note it.
                if (who?.left?.isGone === true) heard(verdict, now, startedAt)
                who = undefined
              }
            }
          },
          state: () => ({})
        }
      })
  })

const words: Readonly<Record<Exclude<Verdict, "answered" | "permanent" | "aborted" | "refused">, string>> = {
  timedOut: "TIMEOUT",
  failed: "TRANSIENT_FAILURE",
  overloaded: "TRANSIENT_FAILURE",
  violated: "CONTRACT_VIOLATION",
  died: "CONTRACT_VIOLATION"
}
