/**
 * The world around a campaign on Node: cases in a folder, progress on the terminal.
 *
 * @since 0.1.0
 */
export * from "./host.ts"
