/**
 * Failsoft's test kit: deterministic simulation, faults, fakes.
 *
 * @since 0.1.0
 */
export * as Case from "./Case.ts"
export * as Check from "./Check.ts"
export * as Draw from "./Draw.ts"
export * as Fake from "./Fake.ts"
export * as Fault from "./Fault.ts"
export * as Host from "./Host.ts"
export * as Player from "./Player.ts"
export * as Pump from "./Pump.ts"
export * as Repeat from "./Repeat.ts"
export * as Scripted from "./Scripted.ts"
export * as Simulation from "./Simulation.ts"
export * as Trace from "./Trace.ts"
export * as Traffic from "./Traffic.ts"
export * as Workers from "./Workers.ts"
