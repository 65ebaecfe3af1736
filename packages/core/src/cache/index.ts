/**
 * Caches: answers that are asked for once and given many times.
 *
 * @since 0.1.0
 */
export * from "../Cache.ts"
export * from "./client.ts"
export * from "./events.ts"
export * from "./said.ts"
export * from "./store.ts"
