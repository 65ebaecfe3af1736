/** Time limits: of an attempt, of a call, and of a call whose caller has a deadline. */
import { Policy } from "@failsoft/core"
import type { Scenario } from "../scenario.ts"
import { stack } from "../stacks.ts"

const timeout = (millis: number) => [`timeout(${millis})`, Policy.timeout(millis)] as const
const deadline = (millis: number) => [`deadline(${millis})`, Policy.deadline(millis)] as const

export const times: ReadonlyArray<Scenario> = [
  stack(
    "an attempt that takes longer",
    "Polly, TimeoutResilienceStrategyTests: times out",
    timeout(1000),
    "hang",
    "0, timed out at 1000"
  ),
  stack(
    "an attempt that is quick enough",
    "Polly, TimeoutResilienceStrategyTests: returns in time",
    timeout(1000),
    "ok 999",
    "0, answered at 999"
  ),
  stack(
    "a failure in time stays what it is",
    "resilience4j, TimeLimiter guide",
    timeout(1000),
    "fail 10",
    "0, failed at 10"
  ),
  stack(
    "each attempt has the limit to itself, and a slow one is asked again",
    "Envoy, retry policy: per_try_timeout",
    [
      "retry(times: 2, base: 10, backoff: exponential) > timeout(100)",
      Policy.stack(Policy.retry({ times: 2, base: 10, backoff: "exponential" }), Policy.timeout(100))
    ],
    "hang; hang; ok 50",
    "0 110 230, answered at 280"
  ),
  stack(
    "the whole has its own",
    "Envoy, router: the route's timeout spans all retries",
    [
      "deadline(250) > retry(times: 5, base: 10, backoff: exponential) > timeout(100)",
      Policy.stack(
        Policy.deadline(250),
        Policy.retry({ times: 5, base: 10, backoff: "exponential" }),
        Policy.timeout(100)
      )
    ],
    "hang",
    "0 110 230, DEADLINE_EXCEEDED at 250"
  ),
  stack(
    "a timeout outside of a retry spans all attempts",
    "cockatiel, README: wrap(timeout, retry)",
    [
      "timeout(100) > retry(times: 5, base: 40, backoff: exponential)",
      Policy.stack(Policy.timeout(100), Policy.retry({ times: 5, base: 40, backoff: "exponential" }))
    ],
    "fail",
    "0 40, timed out at 100"
  ),
  stack(
    "the caller's deadline holds where it is earlier",
    "gRPC, deadlines guide: propagation",
    deadline(1000),
    "hang",
    "0, DEADLINE_EXCEEDED at 300",
    { callerDeadline: 300 }
  ),
  stack(
    "and its own where that is earlier",
    "gRPC, deadlines guide: propagation",
    deadline(200),
    "hang",
    "0, DEADLINE_EXCEEDED at 200",
    { callerDeadline: 300 }
  ),
  stack(
    "a spent deadline sends nothing",
    "Finagle, DeadlineFilterTest: an exceeded deadline is rejected",
    deadline(1000),
    "ok",
    "DEADLINE_EXCEEDED at 0",
    { callerDeadline: 0 }
  ),
  stack(
    "an answer at the last moment",
    "Finagle, TimeoutFilterTest: responds before the timeout",
    deadline(200),
    "ok 199",
    "0, answered at 199"
  )
]
