/** A rollout at work: who is asked, what runs in the dark, and what is counted and told of it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Answer } from "../Answer.ts"
import type { Instance, Request } from "../Fallback.ts"
import type { DarkResult, Side } from "../Flag.ts"
import { Journal } from "../Journal.ts"
import type { SignalBus } from "../Signal.ts"
import type { Unavailable } from "../Unavailable.ts"
import type { RolloutCounts } from "./rolloutCounts.ts"

/** So many candidates run in the dark at once; more are left out and counted. */
const darkMax = 16

type Answered = Option.Option<Answer<unknown>>

/** What a rollout is made of. */
interface Of {
  readonly flag: string
  readonly side: (request: Request) => Side
  readonly counts: RolloutCounts
  readonly bus: SignalBus
  readonly scope: Scope.Scope
  readonly candidates: ReadonlyArray<Instance>
  readonly same: (stable: unknown, candidate: unknown) => boolean
}

export class Rollout {
  private readonly of: Of
  private running = 0

  constructor(of: Of) {
    this.of = of
  }

  /** A step of the candidate: asked for those in the share. */
  candidate(instance: Instance, kind: string, isLast: boolean): Instance["answer"] {
    return (request, failure) =>
      this.of.side(request) === "candidate"
        ? this.counted("candidate", { instance, kind, isLast }, request, failure)
        : Effect.succeedNone
  }

  /** A step of the stable side: asked for the others, and for those for whom the candidate has no answer. */
  stable(instance: Instance, kind: string, isLast: boolean): Instance["answer"] {
    return (request, failure) => {
      const asked = this.counted("stable", { instance, kind, isLast }, request, failure)
      if (this.of.side(request) !== "dark") return asked
      return Effect.tap(asked, (answer) =>
        Option.isSome(answer) || isLast ? this.besideIt(request, failure, answer) : Effect.void
      )
    }
  }

  private counted(
    variant: "stable" | "candidate",
    step: { readonly instance: Instance; readonly kind: string; readonly isLast: boolean },
    request: Request,
    failure: Unavailable
  ): Effect.Effect<Answered> {
    const counter = this.of.counts[variant]
    return Effect.withFiber((fiber) =>
      Effect.onExit(
        Effect.suspend(() => step.instance.answer(request, failure)),
        (exit) =>
          Effect.sync(() => {
            if (Exit.hasInterrupts(exit)) return
            if (Exit.isFailure(exit) || Option.isNone(exit.value)) {
              if (step.isLast) counter.hasNone()
              return
            }
            const now = nowOf(fiber)
            counter.answers(Math.max(0, now - request.now))
            this.evaluated(fiber, variant)
            const { bus, flag } = this.of
            if (!bus.active) return
            const { downstream, method } = failure
            bus.emit({ _tag: "VariantAnswered", at: now, downstream, method, flag, variant, step: step.kind })
          })
      )
    )
  }

  /** As OpenTelemetry calls it, on the caller's span. */
  private evaluated(fiber: Fiber.Fiber<unknown, unknown>, variant: string): void {
    const { span } = fiber.cache
    if (span?._tag !== "Span" || !span.sampled) return
    span.event("feature_flag.evaluation", fiber.getRef(Clock.Clock).currentTimeNanosUnsafe(), {
      "feature_flag.key": this.of.flag,
      "feature_flag.result.variant": variant,
      "feature_flag.provider.name": "failsoft"
    })
  }

  /** Runs the candidate beside the request, which does not wait for it. */
  private besideIt(request: Request, failure: Unavailable, stable: Answered): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      if (this.running >= darkMax) {
        this.compared(failure, "skipped", nowOf(fiber))
        return Effect.void
      }
      this.running++
      const dark = Effect.matchCauseEffect(this.inTheDark(request, failure, stable), {
        onSuccess: (result) => Effect.succeed<DarkResult>(result),
        onFailure: (cause) =>
          Effect.as(Effect.logDebug(`the candidate of ${this.of.flag} ended with a defect`, cause), "failed" as const)
      }).pipe(
        Effect.tap((result) => Effect.sync(() => this.compared(failure, result, nowOf(fiber)))),
        Effect.ensuring(Effect.sync(() => this.running--)),
        // What it calls degrades for nobody.
        Effect.provideService(Journal, undefined)
      )
      return Effect.asVoid(Effect.forkIn(dark, this.of.scope))
    })
  }

  private inTheDark(request: Request, failure: Unavailable, stable: Answered): Effect.Effect<DarkResult> {
    const { candidates, same } = this.of
    return Effect.gen(function* () {
      for (const { answer } of candidates) {
        const found = yield* answer(request, failure)
        if (Option.isNone(found)) continue
        if (Option.isNone(stable)) return "candidate-only"
        return same(stable.value.value, found.value.value) ? "same" : "different"
      }
      return Option.isNone(stable) ? "same" : "stable-only"
    })
  }

  private compared({ downstream, method }: Unavailable, result: DarkResult, now: number): void {
    const { bus, counts, flag } = this.of
    counts.compared(result)
    if (bus.active) bus.emit({ _tag: "DarkCompared", at: now, downstream, method, flag, result })
  }
}

const nowOf = (fiber: Fiber.Fiber<unknown, unknown>): number => fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
