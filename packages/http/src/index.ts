/**
 * Failsoft over HTTP: transports below, the service edge above.
 *
 * @since 0.1.0
 */
export * as Admin from "./Admin.ts"
export * as Caching from "./Caching.ts"
export * as Degraded from "./Degraded.ts"
export * as Drain from "./Drain.ts"
export * as Edge from "./Edge.ts"
export * as Health from "./Health.ts"
export * as HttpTransport from "./HttpTransport.ts"
export * as IdempotencyKey from "./IdempotencyKey.ts"
export * as LoadShedding from "./LoadShedding.ts"
export * as Modes from "./Modes.ts"
export * as Problem from "./Problem.ts"
export * as RateLimits from "./RateLimits.ts"
export * as Route from "./Route.ts"
export * as Server from "./Server.ts"
