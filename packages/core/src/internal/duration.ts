import * as Duration from "effect/Duration"

/** Milliseconds of a duration as it stands in an option; `Infinity` stays. */
export const toMillis = (input: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(input))
