/**
 * Builds an error without capturing a stack: a stack costs about a hundred times
 * the rest of the error, and an expected outcome (a refusal, a timeout) is told
 * by its fields, not by where it was made.
 */
export const stackless = <E extends Error>(make: () => E): E => {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return make()
  } finally {
    Error.stackTraceLimit = limit
  }
}
