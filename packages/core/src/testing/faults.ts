/**
 * Faults without the simulator: all that a server which misbehaves on purpose needs, at
 * half of the time and memory to load.
 *
 * @since 0.1.0
 */
export * as Draw from "./Draw.ts"
export * as Fault from "./Fault.ts"
export * as Player from "./Player.ts"
export * as Workers from "./Workers.ts"
