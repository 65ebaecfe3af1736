/** Second attempts beside slow ones. */
import { Policy } from "@failsoft/core"
import type { Scenario } from "../scenario.ts"
import { finagle, grpc, polly } from "../sources.ts"
import { stack } from "../stacks.ts"

/** A delay that is fixed, and a budget that does not stop them. */
const hedge = (delay: number, hedgesMax: number) =>
  [`hedge(delay: ${delay}, hedgesMax: ${hedgesMax})`, Policy.hedge({ delay, hedgesMax, budgetPerSecond: 10 })] as const

export const hedges: ReadonlyArray<Scenario> = [
  stack(
    "a quick answer is not hedged",
    polly.hedgingPage("Latency: happy path"),
    hedge(2000, 1),
    "ok 1000; ok",
    "0, answered at 1000"
  ),
  stack(
    "a slow one is, and the quicker answer is taken",
    polly.hedgingPage("Latency: unhappy path"),
    hedge(2000, 1),
    "hang; ok 100",
    "0 2000, answered at 2100"
  ),
  stack(
    "four attempts, half a second apart",
    grpc.retries("Hedging Policy: maxAttempts 4, hedgingDelay 0.5 s"),
    hedge(500, 3),
    "hang; hang; hang; ok 100",
    "0 500 1000 1500, answered at 1600"
  ),
  stack(
    "none after that",
    grpc.retries("Hedging Policy: up to maxAttempts"),
    ["deadline(9000) > hedge(delay: 500, hedgesMax: 3)", Policy.stack(Policy.deadline(9000), hedge(500, 3)[1])],
    "hang",
    "0 500 1000 1500, DEADLINE_EXCEEDED at 9000"
  ),
  stack(
    "the original may still win",
    finagle.backupTest("cancels backup when original wins"),
    hedge(100, 1),
    "ok 150; hang",
    "0 100, answered at 150",
    { differs: "there the original answers before its backup is sent" }
  ),
  stack(
    "the deadline spans them all",
    grpc.retries("Hedging Policy: call deadlines apply to the entire chain"),
    ["deadline(1200) > hedge(delay: 500, hedgesMax: 3)", Policy.stack(Policy.deadline(1200), hedge(500, 3)[1])],
    "hang",
    "0 500 1000, DEADLINE_EXCEEDED at 1200"
  ),
  stack(
    "a final word ends the race",
    grpc.retries("Summary of Retry and Hedging Logic: fatal status code"),
    hedge(500, 1),
    "hang; permanent 10",
    "0 500, permanent at 510"
  ),
  stack(
    "a hedge that fails does not end it",
    grpc.retries("Hedging Policy: non-fatal status codes"),
    hedge(500, 1),
    "ok 900; fail 100",
    "0 500, answered at 900"
  ),
  stack(
    "all of them fail",
    polly.hedgingPage("Latency mode: unhappy path"),
    hedge(500, 1),
    "fail 900; fail 700",
    "0 500, failed at 1200",
    { differs: "Polly returns the first attempt's failure, here the last one" }
  ),
  stack(
    "a failure before the delay",
    grpc.retries("Hedging Policy: a non-fatal status shortcuts the delay"),
    hedge(500, 1),
    "fail 100; ok",
    "0, failed at 100",
    { differs: "gRPC and Polly send the next attempt at once, here that is for a retry to decide" }
  ),
  stack(
    "no budget, no hedge",
    grpc.retries("Throttling Retry Attempts and Hedged RPCs"),
    [
      "hedge(delay: 100, budgetRatio: 0, budgetPerSecond: 0)",
      Policy.hedge({ delay: 100, budgetRatio: 0, budgetPerSecond: 0 })
    ],
    "ok 900; ok",
    "0, answered at 900"
  )
]
