/** What a downstream process is told to play: a plan, the seed of its draws, and when it began. */
import { Draw, Fault as Kit, Player } from "@failsoft/core/testing/faults"
import * as Schema from "effect/Schema"
import type { Fault } from "./Fault.ts"

/** A plan that is played; `startedAt` in milliseconds since 1970, the same for all processes. */
export const Played = Schema.Struct({ plan: Kit.Plan, seed: Schema.Int, startedAt: Schema.Int })

/** A plan that is played. */
export type Played = typeof Played.Type

/** As long as a plan may be. */
const dayMillis = 86_400_000

/** A fault that was set by hand, as a plan. Each downstream has luck of its own. */
export const byHand = (downstream: string, fault: Fault, startedAt: number): Played => {
  const { forMillis, ...kind } = fault
  return {
    plan: { faults: [{ ...kind, target: downstream, from: 0, until: forMillis ?? dayMillis }] },
    seed: Math.floor(Draw.draw(downstream) * 0x8000_0000),
    startedAt
  }
}

/** Whether nothing of it is left. */
export const isOver = ({ plan, startedAt }: Played, now: number): boolean => now - startedAt >= Player.endOf(plan)
