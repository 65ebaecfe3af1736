/**
 * Servers that fail on purpose, by the same plans as the simulator.
 *
 * @since 0.1.0
 */
export * as FaultProxy from "./FaultProxy.ts"
export * as FaultServer from "./FaultServer.ts"
