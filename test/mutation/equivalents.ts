/** The mutants that no test can tell from the original, each with its reason. An entry that fits none is an error. */
import type { Equivalent } from "./runner.ts"

const policy = (name: string) => `packages/core/src/policy/${name}.ts`

/** Marks stand in the types only (docs/writing-a-downstream.md): the type tests look at them. */
const marks = (name: string, line: string, original: string): Equivalent => ({
  file: policy(name),
  line,
  change: [original, "[]"],
  reason: "nothing reads a mark while it runs; the type tests look at it"
})

const unbounded = [
  "adaptiveLimit",
  "bulkhead",
  "circuitBreaker",
  "rateLimit",
  "sharedCircuitBreaker",
  "sharedRateLimit"
]

export const equivalents: ReadonlyArray<Equivalent> = [
  ...unbounded.map((name) => marks(name, 'marks: ["unbounded"],', '["unbounded"]')),
  marks("hedge", 'marks: ["replays", "unbounded"],', '["replays", "unbounded"]'),
  marks("retry", 'make(options, ["replays", "unbounded"], false)', '["replays", "unbounded"]'),
  marks("retry", 'make(options, ["resends", "unbounded"], true)', '["resends", "unbounded"]'),
  {
    file: policy("adaptiveLimit"),
    line: 'if (bus.active) bus.emit({ _tag: "LimitMoved", at, downstream, method, policy, from, to })',
    change: ["bus.active", "true"],
    reason: "what is told to a bus without listeners is heard by nobody; asking first saves the signal"
  },
  {
    file: policy("sharedCircuitBreaker"),
    line: "if (!bus.active) return",
    change: ["!bus.active", "false"],
    reason: "what is told to a bus without listeners is heard by nobody; asking first saves the signal"
  },
  {
    file: policy("sharedRateLimit"),
    line: 'const where = attemptOf(fiber, row, "")',
    change: ['""', '"mutant"'],
    reason: "only the row and the times of it are read: the refusal has its key already"
  },
  {
    file: policy("adaptiveTimeout"),
    line: "if (deadlineAt === Number.POSITIVE_INFINITY) return limit.millis",
    change: ["deadlineAt === Number.POSITIVE_INFINITY", "false"],
    reason: "a share of an endless rest is endless too, so the limit is the least; asking first saves the sum"
  },
  {
    file: policy("retry"),
    line: "if (row.bus.active) {",
    change: ["row.bus.active", "true"],
    reason: "what is told to a bus without listeners is heard by nobody; asking first saves the signal"
  },
  {
    file: policy("circuitBreaker"),
    line: "const resized = sized !== size()",
    change: ["sized !== size()", "true"],
    reason: "a window that is copied into one of its own size holds what it held; comparing saves the copy"
  },
  {
    file: policy("circuitBreaker"),
    line: "if (resized) circuit.resize()",
    change: ["resized", "true"],
    reason: "a window that is copied into one of its own size holds what it held; comparing saves the copy"
  },
  ...["if (bus.active) {", 'if (bus.active) bus.emit({ _tag: "HedgeWon", at, downstream, method })'].map((line) => ({
    file: policy("hedge"),
    line,
    change: ["bus.active", "true"] as const,
    reason: "what is told to a bus without listeners is heard by nobody; asking first saves the signal"
  })),
  {
    file: policy("bulkhead"),
    line: "if (keyed.size === 0) return",
    change: ["keyed.size === 0", "false"],
    reason: "where there is no key, none is found; asking first saves the look-up"
  },
  ...["true", "keyed.size >= 0"].map((replacement) => ({
    file: policy("circuitBreaker"),
    line: "if (keyed.size > 0) keyed.find(attempt.key())?.leave(attempt, token, verdict, now, startedAt)",
    change: ["keyed.size > 0", replacement] as const,
    reason: "where there is no key, none is found; asking first saves the look-up"
  }))
]
