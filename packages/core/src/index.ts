/**
 * Failsoft's core: contracts, policies, answers, fallbacks and signals.
 *
 * @since 0.1.0
 */
export * as Answer from "./Answer.ts"
export * as Attempt from "./Attempt.ts"
export * as Call from "./Call.ts"
export * as CallKey from "./CallKey.ts"
export * as Composition from "./Composition.ts"
export * as Contract from "./Contract.ts"
export * as ContractViolation from "./ContractViolation.ts"
export * as Deadline from "./Deadline.ts"
export * as Downstream from "./Downstream.ts"
export * as Explain from "./Explain.ts"
export * as Fallback from "./fallback/index.ts"
export * as Gate from "./Gate.ts"
export * as Health from "./Health.ts"
export * as Journal from "./Journal.ts"
export * as Knob from "./Knob.ts"
export * as Leaf from "./Leaf.ts"
export * as Policy from "./policy/index.ts"
export * as Refused from "./Refused.ts"
export * as RetryBudget from "./RetryBudget.ts"
export * as Signal from "./Signal.ts"
export * as Settings from "./settings/index.ts"
export * as TimedOut from "./TimedOut.ts"
export * as Transient from "./Transient.ts"
export * as Unavailable from "./Unavailable.ts"
