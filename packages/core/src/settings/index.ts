/**
 * Settings: every knob under one name, its sources, and its changes.
 *
 * @since 0.1.0
 */
export * from "../Settings.ts"
export * from "./environment.ts"
export * from "./file.ts"
export * from "./source.ts"
