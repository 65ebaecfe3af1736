/** The mode of a service as it stands: looked at when somebody asks, told when it has changed. */
import type { Facts, Row } from "../Policy.ts"
import * as Refused from "../Refused.ts"
import type { Access, Dependent, Mode, ServiceMode, State } from "../ServiceMode.ts"
import { type Judged, judge } from "./modeJudge.ts"

/** The knobs, as they are now. */
export interface ModeValues {
  readonly switch: "auto" | Mode
  readonly settleMillis: number
  readonly enforce: "operator" | "observed"
  readonly trialMillis: number
  readonly retryAfterMillis: number
}

/** The downstreams are looked at so often, at most: it costs more than a request should. */
const lookMillis = 250

export class ModeWatch implements ServiceMode {
  private readonly row: Row
  private readonly dependents: () => ReadonlyArray<Dependent>
  private values: ModeValues
  private judged: Judged = { mode: "full", causes: [] }
  private lookedAt = Number.NEGATIVE_INFINITY
  private told: Mode = "full"
  private triedAt = Number.NEGATIVE_INFINITY

  constructor(row: Row, dependents: () => ReadonlyArray<Dependent>, values: ModeValues) {
    this.row = row
    this.dependents = dependents
    this.values = values
  }

  /** Reads its knobs from these live values. */
  follow(values: ModeValues): void {
    this.values = values
  }

  at(now: number): State {
    // A clock that was set back must not keep an old judgement.
    if (now - this.lookedAt >= lookMillis || now < this.lookedAt) {
      this.lookedAt = now
      this.judged = judge(this.dependents(), now, this.values.settleMillis)
    }
    const state = this.state
    if (state.mode !== this.told) this.tell(state, now)
    return state
  }

  refuses(access: Access, now: number): Refused.Refused | undefined {
    const { by, mode } = this.at(now)
    if (by === "observed") {
      if (mode !== "read-only" || access === "read" || this.values.enforce !== "observed") return undefined
      if (this.tries(now)) return undefined
    } else if (mode !== "unavailable" && (mode !== "read-only" || access === "read")) return undefined
    return Refused.make({
      policy: "mode",
      reason: mode === "read-only" ? "READ_ONLY" : "OUT_OF_SERVICE",
      retryAfterMillis: this.values.retryAfterMillis,
      state: { mode, by, lost: this.judged.causes.join(", ") }
    })
  }

  /** What an operator sees: as of the last look. */
  get shown(): Facts {
    const { by, causes, mode } = this.state
    return { mode, by, lost: causes.join(", ") }
  }

  private get state(): State {
    const { mode, causes } = this.judged
    const said = this.values.switch
    return said === "auto" ? { mode, by: "observed", causes } : { mode: said, by: "operator", causes }
  }

  /** Whether this write is the one that may find out. */
  private tries(now: number): boolean {
    if (now - this.triedAt < this.values.trialMillis && now >= this.triedAt) return false
    this.triedAt = now
    return true
  }

  untried(at: number): void {
    // Another may have become the trial since.
    if (this.triedAt === at) this.triedAt = Number.NEGATIVE_INFINITY
  }

  private tell({ by, causes, mode }: State, at: number): void {
    const from = this.told
    this.told = mode
    const { bus, downstream, method } = this.row
    if (bus.active) bus.emit({ _tag: "ModeChanged", at, downstream, method, from, to: mode, by, causes })
  }
}
