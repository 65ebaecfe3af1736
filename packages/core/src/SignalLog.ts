/**
 * Signals as structured log lines.
 *
 * **Details**
 *
 * A refusal, a change of a circuit, a degraded answer, a violated contract, a moved
 * limit, a changed setting and a candidate that differs in the dark each become one
 * line with their fields as annotations; a refusal's record is the same as in its
 * error, its span event and its problem body. Lines are written by a fiber of their own behind a bounded buffer, so a slow
 * log loses lines and says how many, and no call waits for it. Under overload a
 * service refuses more than it answers: of refusals alike in downstream, method,
 * policy and reason, at most one a second is written, with the number of those that
 * it stands for. That a circuit opened or closed is a warning, its probes in between
 * are for debugging.
 *
 * **Gotchas**
 *
 * Provide it beside the rings, below the bus that they use.
 *
 * **Example** (a log of what degrades)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { Signal, SignalLog } from "@failsoft/core"
 *
 * export const observed = SignalLog.layer().pipe(Layer.provideMerge(Signal.layer))
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Refused from "./Refused.ts"
import { Bus, type Signal } from "./Signal.ts"
import * as SignalStream from "./SignalStream.ts"

/** At most one line a second for refusals that are alike. */
const quietMillis = 1000

/** Far more than a service has kinds of refusals. */
const kindsMax = 1000

/** Calls and retries are far too many for a log; metrics count them. */
const levels = {
  CallRefused: "Warn",
  RequestShed: "Warn",
  CircuitChanged: "Warn",
  AnswerDegraded: "Warn",
  ContractViolated: "Error",
  CallerUnknown: "Error",
  ReadTooOld: "Info",
  LimitMoved: "Info",
  QuotaSpent: "Warn",
  DarkCompared: "Info",
  CacheDropped: "Info",
  ModeChanged: "Warn",
  SettingChanged: "Info"
} as const

/** A dead downstream is probed about once a second: only that its circuit opened and that it closed is news. */
const levelOf = (signal: Logged) =>
  signal._tag === "CircuitChanged" && signal.from !== "closed" && signal.to !== "closed" ? "Debug" : levels[signal._tag]

type Logged = Extract<Signal, { readonly _tag: keyof typeof levels }>

const isLogged = (signal: Signal): signal is Logged =>
  signal._tag in levels && !(signal._tag === "DarkCompared" && signal.result === "same")

/** The fields of a line: those of the signal, and the record of a refusal. */
const fields = (signal: Logged): Record<string, unknown> => {
  const { _tag, ...rest } = signal
  return {
    signal: _tag,
    ...rest,
    ...("refused" in signal ? { refused: Refused.record(signal.refused) } : {})
  }
}

const kindOf = (signal: Logged): string | undefined =>
  signal._tag === "CallRefused" || signal._tag === "RequestShed"
    ? `${signal.downstream}/${signal.method}/${signal.policy} ${signal.reason} ${signal.dark}`
    : signal._tag === "AnswerDegraded"
      ? `${signal.downstream}/${signal.method} ${signal.quality} ${signal.reason}`
      : signal._tag === "CallerUnknown"
        ? `${signal.downstream}/${signal.method} caller`
        : signal._tag === "ReadTooOld"
          ? `${signal.downstream}/${signal.method} ${signal.step} too old`
          : signal._tag === "DarkCompared"
            ? `${signal.downstream}/${signal.method} ${signal.flag} ${signal.result}`
            : signal._tag === "CacheDropped"
              ? `${signal.downstream}/${signal.method} ${signal.why}`
              : undefined

/** Lets one of those alike pass per second, with the number of those that were held back before it. */
const thinned = () => {
  const seen = new Map<string, { at: number; held: number }>()
  return (signal: Logged): number | undefined => {
    const kind = kindOf(signal)
    if (kind === undefined) return 0
    const known = seen.get(kind)
    if (known !== undefined && signal.at >= known.at && signal.at - known.at < quietMillis) {
      known.held++
      return undefined
    }
    if (seen.size >= kindsMax) seen.clear()
    seen.set(kind, { at: signal.at, held: 0 })
    return known?.held ?? 0
  }
}

/**
 * Logs the signals of the context's bus until the layer's scope closes. `bufferMax`
 * signals wait at most, 1024 by default.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: { readonly bufferMax?: number } = {}): Layer.Layer<never> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { dropped, stream } = yield* SignalStream.make(yield* Bus, options)
      const passes = thinned()
      let lost = 0
      yield* Effect.forkScoped(
        Stream.runForEach(Stream.filter(stream, isLogged), (signal) => {
          const held = passes(signal)
          if (held === undefined) return Effect.void
          const lostNow = dropped() - lost
          lost += lostNow
          return Effect.logWithLevel(levelOf(signal))(`${signal.downstream}/${signal.method}: ${signal._tag}`).pipe(
            Effect.annotateLogs({
              ...fields(signal),
              ...(held > 0 ? { alikeSince: held } : {}),
              ...(lostNow > 0 ? { signalsLost: lostNow } : {})
            })
          )
        })
      )
    })
  )
