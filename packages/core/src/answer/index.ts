/**
 * Answers that say how good they are, one or many of them.
 *
 * @since 0.1.0
 */
export * from "../Answer.ts"
export * from "./all.ts"
export * from "./collect.ts"
