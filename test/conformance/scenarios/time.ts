/** Time limits: of an attempt, of a call, and of a call whose caller has a deadline. */
import { Policy } from "@failsoft/core"
import type { Scenario } from "../scenario.ts"
import { cockatiel, envoy, finagle, grpc, polly } from "../sources.ts"
import { stack } from "../stacks.ts"

const timeout = (millis: number) => [`timeout(${millis})`, Policy.timeout(millis)] as const
const deadline = (millis: number) => [`deadline(${millis})`, Policy.deadline(millis)] as const

export const times: ReadonlyArray<Scenario> = [
  stack(
    "an attempt that takes longer",
    polly.timeoutTest("Execute_Timeout"),
    timeout(2000),
    "ok 4000",
    "0, timed out at 2000"
  ),
  stack(
    "one that does not listen is left alone",
    cockatiel.timeoutTest("properly aggressively cancels"),
    timeout(2),
    "ok 3",
    "0, timed out at 2"
  ),
  stack(
    "an attempt that is quick enough",
    cockatiel.timeoutTest("works when no timeout happens"),
    timeout(1000),
    "ok 999",
    "0, answered at 999"
  ),
  stack(
    "another end in time stays what it is",
    polly.timeoutTest("Execute_Cancelled_EnsureNoTimeout"),
    timeout(1000),
    "fail 10",
    "0, failed at 10"
  ),
  stack(
    "each attempt has the limit to itself, and a slow one is asked again",
    envoy.routerPage("x-envoy-upstream-rq-per-try-timeout-ms"),
    [
      "retry(times: 2, base: 10, backoff: exponential) > timeout(100)",
      Policy.stack(Policy.retry({ times: 2, base: 10, backoff: "exponential" }), Policy.timeout(100))
    ],
    "hang; hang; ok 50",
    "0 110 230, answered at 280"
  ),
  stack(
    "the whole has its own",
    envoy.routerPage("x-envoy-max-retries: the route timeout includes all retries"),
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
    "of three seconds the first attempt takes 2.7, and its successor has the rest",
    envoy.routerPage("x-envoy-max-retries: the example of 3 s"),
    [
      "deadline(3000) > retry(times: 1, base: 10, backoff: exponential)",
      Policy.stack(Policy.deadline(3000), Policy.retry({ times: 1, base: 10, backoff: "exponential" }))
    ],
    "fail 2700; hang",
    "0 2710, DEADLINE_EXCEEDED at 3000"
  ),
  stack(
    "a timeout outside of a retry spans all attempts",
    cockatiel.readme("wrap(...policies): the first is the outermost"),
    [
      "timeout(100) > retry(times: 5, base: 40, backoff: exponential)",
      Policy.stack(Policy.timeout(100), Policy.retry({ times: 5, base: 40, backoff: "exponential" }))
    ],
    "fail",
    "0 40, timed out at 100"
  ),
  stack(
    "the caller's deadline holds where it is earlier",
    finagle.timeoutTest("deadlines, finite timeout"),
    deadline(1000),
    "hang",
    "0, DEADLINE_EXCEEDED at 200",
    { callerDeadline: 200 }
  ),
  stack(
    "and its own where that is earlier",
    grpc.deadlines("Deadlines on the Client"),
    deadline(200),
    "hang",
    "0, DEADLINE_EXCEEDED at 200",
    { callerDeadline: 300 }
  ),
  stack(
    "a spent deadline sends nothing",
    finagle.deadlineTest("the deadline is exceeded and the reject token bucket contains sufficient tokens"),
    deadline(1000),
    "ok",
    "DEADLINE_EXCEEDED at 0",
    { callerDeadline: 0, differs: "Finagle rejects no more than a share of such requests, here all" }
  ),
  stack(
    "an answer at the last moment",
    finagle.timeoutTest("request succeeds when the service succeeds"),
    deadline(200),
    "ok 199",
    "0, answered at 199"
  )
]
