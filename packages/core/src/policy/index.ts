/**
 * Policies: what makes a call survive. Order is **outermost first**.
 *
 * @since 0.1.0
 */
export * from "../Policy.ts"
export * from "./adaptiveLimit.ts"
export * from "./adaptiveTimeout.ts"
export * from "./bulkhead.ts"
export * from "./circuitBreaker.ts"
export * from "./deadline.ts"
export * from "./flagged.ts"
export * from "./hedge.ts"
export * from "./rateLimit.ts"
export * from "./retry.ts"
export * from "./sharedCircuitBreaker.ts"
export * from "./sharedRateLimit.ts"
export * from "./standard.ts"
export * from "./timeout.ts"
