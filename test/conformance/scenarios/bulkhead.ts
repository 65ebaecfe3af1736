/** Permits and their queue. */
import { bulkhead } from "../gates.ts"
import type { Scenario } from "../scenario.ts"
import { cockatiel, dotnet, envoy, failsafe, opossum, others, r4j, recalled } from "../sources.ts"

export const bulkheads: ReadonlyArray<Scenario> = [
  bulkhead(
    "two at once, the third is refused without a wait",
    r4j.bulkheadTest("testBulkhead"),
    { permits: 2, queueMax: 0 },
    "begin a; begin b; rejects; end a ok; begin c; rejects"
  ),
  bulkhead(
    "a call that ends makes room",
    dotnet.concurrencyTest("CanAcquireResource"),
    { permits: 1, queueMax: 0 },
    "begin a; rejects; end a ok; begin b"
  ),
  bulkhead(
    "however it ends",
    opossum.circuit("fire: released by a timeout, an answer, a rejection and a throw"),
    { permits: 1, queueMax: 0 },
    "begin a; end a fail; begin b; end b abort; begin c; end c die; begin d; end d inner-refusal; begin e; rejects"
  ),
  bulkhead(
    "a queue behind the permits",
    dotnet.concurrencyTest("QueueAvailableAfterQueueLimitHitAndResources_BecomeAvailable"),
    { permits: 1, queueMax: 1 },
    "begin a; queues b; rejects; end a ok; runs b; queues c"
  ),
  bulkhead(
    "two run, two wait, the fifth is refused",
    cockatiel.bulkheadTest("queues requests, and rejects after queue limit"),
    { permits: 2, queueMax: 2 },
    "begin a; begin b; queues c; queues d; rejects; end a ok; runs c; end b ok; runs d"
  ),
  bulkhead(
    "the queue is served in order of arrival",
    dotnet.concurrencyTest("CanAcquireResourceAsync_QueuesAndGrabsOldest"),
    { permits: 1, queueMax: 3 },
    "begin a; queues b; queues c; queues d; end a ok; runs b; end b ok; runs c; end c ok; runs d"
  ),
  bulkhead(
    "or the latest first",
    dotnet.concurrencyTest("CanAcquireResourceAsync_QueuesAndGrabsNewest"),
    { permits: 1, queueMax: 3, order: "lifo" },
    "begin a; queues b; queues c; queues d; end a ok; runs d; end d ok; runs c; end c ok; runs b"
  ),
  bulkhead(
    "the latest first, and no room",
    dotnet.concurrencyTest("DropsOldestWhenQueuingMoreThanLimit_NewestFirst"),
    { permits: 1, queueMax: 1, order: "lifo" },
    "begin a; queues b; rejects; end a ok; runs b",
    { differs: ".NET drops the oldest when the queue is full, here the newcomer is refused" }
  ),
  bulkhead(
    "the latest first while the queue is long, in order when it is short again",
    others.lifoQueue("take, after Maurer's Fail at Scale"),
    { permits: 1, queueMax: 4, order: "adaptive" },
    "begin a; queues b; queues c; queues d; end a ok; runs d; end d ok; runs b; end b ok; runs c"
  ),
  bulkhead(
    "who waits no longer is passed over",
    cockatiel.bulkheadTest("links parent abort signal"),
    { permits: 1, queueMax: 2 },
    "begin a; queues b; queues c; leaves b; end a ok; runs c"
  ),
  bulkhead(
    "who waits no longer frees its place at once",
    cockatiel.readme("bulkhead.execute: the signal is checked when it is submitted and when it dequeues"),
    { permits: 1, queueMax: 1 },
    "begin a; queues b; rejects; leaves b; queues c; rejects",
    { differs: "cockatiel keeps the place of an aborted waiter until it would be its turn" }
  ),
  bulkhead(
    "a wait has its limit",
    failsafe.bulkheadTest("TestAcquirePermitWithMaxWaitTime"),
    { permits: 1, queueMax: 1, waitMax: 100 },
    "begin a; queues b 100"
  ),
  bulkhead(
    "who has waited for too long is gone",
    r4j.bulkheadTest("testTryEnterWithTimeout"),
    { permits: 1, queueMax: 1, waitMax: 50 },
    "begin a; queues b 50; wait 50; leaves b; end a ok; begin c"
  ),
  bulkhead(
    "a capacity of one",
    opossum.test("CircuitBreaker semaphore rate limiting"),
    { permits: 1, queueMax: 0 },
    "begin a; rejects; end a ok; 1 ok"
  ),
  bulkhead(
    "concurrent and pending requests are limited apart",
    envoy.limitsPage("Cluster maximum requests, maximum pending requests"),
    { permits: 2, queueMax: 1 },
    "begin a; begin b; queues c; rejects; end b ok; runs c; queues d; rejects"
  ),
  bulkhead(
    "a permit passes on directly: a newcomer does not overtake the queue",
    dotnet.concurrencyTest("CannotAcquireResourcesWithAcquireAsyncWithQueuedItemsIfOldestFirst"),
    { permits: 1, queueMax: 2 },
    "begin a; queues b; end a ok; runs b; queues c; end b ok; runs c"
  ),
  bulkhead(
    "more permits take effect at once",
    r4j.bulkheadTest("changePermissionsCountWhileOneThreadIsRunningWithThisPermission, more"),
    { permits: 1, queueMax: 2 },
    "begin a; queues b; queues c; rejects; set permits=3; runs b; runs c"
  ),
  bulkhead(
    "fewer permits take effect as calls end",
    r4j.bulkheadTest("changePermissionsCountWhileOneThreadIsRunningWithThisPermission, fewer"),
    { permits: 2, queueMax: 0 },
    "begin a; begin b; set permits=1; end a ok; rejects; end b ok; begin c; rejects",
    { differs: "in resilience4j whoever turns it down waits until a call has ended, here the knob is turned at once" }
  ),
  bulkhead(
    "dark lets pass",
    recalled("Finagle", "admission control: dark mode first"),
    { permits: 1, queueMax: 0, mode: "dark" },
    "begin a; begin b; begin c; end a ok; end b ok; end c ok; set mode=on; begin d; rejects"
  )
]
