/**
 * Fallbacks: what answers in an outage, and how good that is.
 *
 * @since 0.1.0
 */
export * from "../Fallback.ts"
export * from "./chain.ts"
export * from "./compute.ts"
export * from "./flagged.ts"
export * from "./optimistic.ts"
export * from "./precomputed.ts"
export * from "./rollout.ts"
export * from "./stale.ts"
export * from "./value.ts"
export * from "./when.ts"
