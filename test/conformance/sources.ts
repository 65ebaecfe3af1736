/**
 * Where the scenarios are known from. What was opened is named by its repository, path and commit, or by the package
 * that is installed here; what was not is `recalled`, and the table says so.
 */

/** A file or page of another project. */
export interface Place {
  readonly project: string
  readonly name: string
  /** Repository, path and commit, or the package; nothing where it was not opened. */
  readonly where: string | undefined
}

/** A place, and where in it: the test, the section, the field. */
export interface Source {
  readonly place: Place
  readonly at: string
}

type At = (at: string) => Source

const opened = (project: string, name: string, where: string): At => {
  const place = { project, name, where }
  return (at) => ({ place, at })
}

const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1)

const file = (project: string, repository: string) => (path: string, commit: string) =>
  opened(project, nameOf(path), `${repository}, ${path} at ${commit}`)

const packaged = (project: string, version: string, path: string) =>
  opened(project, nameOf(path), `${project} ${version} as published, ${path}`)

/** Commonly described, and not read again for this table. */
export const recalled = (project: string, at: string): Source => ({
  place: { project, name: "", where: undefined },
  at
})

/** One line: the project, the file, and where in it. */
export const cited = ({ at, place }: Source): string =>
  [place.project, place.name === "" ? at : `${place.name}: ${at}`].join(", ")

const resilience4j = file("resilience4j", "resilience4j/resilience4j")
const breakerOf = "resilience4j-circuitbreaker/src/%/java/io/github/resilience4j/circuitbreaker/"
const main4j = breakerOf.replace("%", "main")
const test4j = breakerOf.replace("%", "test")
const core4j = "resilience4j-core/src/test/java/io/github/resilience4j/core/metrics/"
const guide4j = "resilience4j-documentation/src/docs/asciidoc/core_guides/"
export const r4j = {
  config: resilience4j(`${main4j}CircuitBreakerConfig.java`, "027f1a9"),
  machine: resilience4j(`${main4j}internal/CircuitBreakerStateMachine.java`, "06b25fb"),
  measures: resilience4j(`${main4j}internal/CircuitBreakerMetrics.java`, "06b25fb"),
  machineTest: resilience4j(`${test4j}internal/CircuitBreakerStateMachineTest.java`, "06b25fb"),
  metricsTest: resilience4j(`${test4j}internal/CircuitBreakerMetricsTest.java`, "1759cbd"),
  resultTest: resilience4j(`${test4j}internal/CircuitBreakerResultHandlingTest.java`, "2a945cb"),
  countTest: resilience4j(`${core4j}FixedSizeSlidingWindowMetricsTest.java`, "03bf3a7"),
  timeTest: resilience4j(`${core4j}SlidingTimeWindowMetricsTest.java`, "0b5648d"),
  bulkheadTest: resilience4j(
    "resilience4j-bulkhead/src/test/java/io/github/resilience4j/bulkhead/internal/SemaphoreBulkheadTest.java",
    "03bf3a7"
  ),
  retryTest: resilience4j(
    "resilience4j-retry/src/test/java/io/github/resilience4j/retry/internal/SupplierRetryTest.java",
    "03ae297"
  ),
  retryGuide: resilience4j(`${guide4j}retry.adoc`, "0f147be"),
  timeGuide: resilience4j(`${guide4j}timelimiter.adoc`, "5b6a62a"),
  rateGuide: resilience4j(`${guide4j}ratelimiter.adoc`, "3d860a1"),
  rateTest: resilience4j(
    "resilience4j-ratelimiter/src/test/java/io/github/resilience4j/ratelimiter/internal/AtomicRateLimiterTest.java",
    "09d9d1f"
  )
}

const pollyFile = file("Polly", "App-vNext/Polly")
const pollyTest = "test/Polly.Core.Tests/"
export const polly = {
  behaviorTest: pollyFile(`${pollyTest}CircuitBreaker/Controller/AdvancedCircuitBehaviorTests.cs`, "07124ac"),
  controllerTest: pollyFile(`${pollyTest}CircuitBreaker/Controller/CircuitStateControllerTests.cs`, "053deaa"),
  healthTest: pollyFile(`${pollyTest}CircuitBreaker/Health/RollingHealthMetricsTests.cs`, "2606c6a"),
  delayTest: pollyFile(`${pollyTest}Retry/RetryHelperTests.cs`, "07d88c7"),
  timeoutTest: pollyFile(`${pollyTest}Timeout/TimeoutResilienceStrategyTests.cs`, "049bd92"),
  breakerPage: pollyFile("docs/strategies/circuit-breaker.md", "023b054"),
  retryPage: pollyFile("docs/strategies/retry.md", "027c732"),
  hedgingPage: pollyFile("docs/strategies/hedging.md", "1b60751"),
  ratePage: pollyFile("docs/strategies/rate-limiter.md", "1971a75")
}

const dotnetFile = file(".NET", "dotnet/runtime")
const dotnetTest = "src/libraries/System.Threading.RateLimiting/tests/"
export const dotnet = {
  concurrencyTest: dotnetFile(`${dotnetTest}ConcurrencyLimiterTests.cs`, "0c9d83c"),
  tokenTest: dotnetFile(`${dotnetTest}TokenBucketRateLimiterTests.cs`, "03a2886"),
  slidingTest: dotnetFile(`${dotnetTest}SlidingWindowRateLimiterTests.cs`, "0c9d83c")
}

const opossumFile = file("opossum", "nodeshift/opossum")
export const opossum = {
  readme: packaged("opossum", "10.0.0", "README.md"),
  circuit: packaged("opossum", "10.0.0", "lib/circuit.js"),
  volumeTest: opossumFile("test/volume-threshold-test.js", "0039ee1"),
  halfOpenTest: opossumFile("test/half-open-test.js", "03d0b66"),
  filterTest: opossumFile("test/error-filter-test.js", "036ef2e"),
  statusTest: opossumFile("test/status-test.js", "38013d4"),
  enableTest: opossumFile("test/enable-disable-test.js", "016eba5"),
  test: opossumFile("test/test.js", "00d5411")
}

const cockatielFile = file("cockatiel", "connor4312/cockatiel")
export const cockatiel = {
  readme: packaged("cockatiel", "4.0.0", "readme.md"),
  breakerTest: cockatielFile("src/CircuitBreakerPolicy.test.ts", "17f5f3b"),
  countTest: cockatielFile("src/breaker/CountBreaker.test.ts", "5858454"),
  bulkheadTest: cockatielFile("src/BulkheadPolicy.test.ts", "62ad7d1"),
  backoffTest: cockatielFile("src/backoff/ExponentialBackoff.test.ts", "294c090"),
  retryTest: cockatielFile("src/RetryPolicy.test.ts", "132fbff"),
  timeoutTest: cockatielFile("src/TimeoutPolicy.test.ts", "071aaee")
}

export const effect = packaged("Effect", "4.1.0", "src/persistence/CircuitBreaker.ts")

const envoyFile = file("Envoy", "envoyproxy/envoy")
export const envoy = {
  outlierPage: envoyFile("docs/root/intro/arch_overview/upstream/outlier.rst", "0336fd6"),
  limitsPage: envoyFile("docs/root/intro/arch_overview/upstream/circuit_breaking.rst", "0197d3e"),
  slowStartPage: envoyFile("docs/root/intro/arch_overview/upstream/load_balancing/slow_start.rst", "040783c"),
  routerPage: envoyFile("docs/root/configuration/http/http_filters/router_filter.rst", "040783c"),
  adaptivePage: envoyFile("docs/root/configuration/http/http_filters/adaptive_concurrency_filter.rst", "149521d"),
  outlierApi: envoyFile("api/envoy/config/cluster/v3/outlier_detection.proto", "1282f87"),
  limitsApi: envoyFile("api/envoy/config/cluster/v3/circuit_breaker.proto", "01c2c1f"),
  bucketApi: envoyFile("api/envoy/type/v3/token_bucket.proto", "25560af"),
  bucketTest: envoyFile("test/extensions/filters/common/local_ratelimit/local_ratelimit_test.cc", "01f8613")
}

const finagleFile = file("Finagle", "twitter/finagle")
const finagleTest = "finagle-core/src/test/scala/com/twitter/finagle/"
export const finagle = {
  accrualTest: finagleFile(`${finagleTest}liveness/FailureAccrualPolicyTest.scala`, "1e8497e"),
  factoryTest: finagleFile(`${finagleTest}liveness/FailureAccrualFactoryTest.scala`, "06ace3b"),
  budgetTest: finagleFile(`${finagleTest}service/RetryBudgetTest.scala`, "3416798"),
  budget: finagleFile("finagle-core/src/main/scala/com/twitter/finagle/service/RetryBudget.scala", "0e26b57"),
  deadlineTest: finagleFile(`${finagleTest}service/DeadlineFilterTest.scala`, "0e26b57"),
  timeoutTest: finagleFile(`${finagleTest}service/TimeoutFilterTest.scala`, "02704ce"),
  backupTest: finagleFile("finagle-exp/src/test/scala/com/twitter/finagle/exp/BackupRequestFilterTest.scala", "1b9fe8d")
}

const failsafeFile = file("failsafe-go", "failsafe-go/failsafe-go")
export const failsafe = {
  closedTest: failsafeFile("circuitbreaker/closedstate_test.go", "469c47f"),
  halfOpenTest: failsafeFile("circuitbreaker/halfopenstate_test.go", "4c4215c"),
  countTest: failsafeFile("circuitbreaker/countingcircuitstats_test.go", "2c449f7"),
  timeTest: failsafeFile("circuitbreaker/timedcircuitstats_test.go", "1bf7edb"),
  bulkheadTest: failsafeFile("bulkhead/bulkhead_test.go", "03ae1be"),
  retryTest: failsafeFile("test/retrypolicy_test.go", "0e32a1f")
}

export const grpc = {
  retries: file("gRPC", "grpc/proposal")("A6-client-retries.md", "0070717"),
  deadlines: file("gRPC", "grpc/grpc.io")("content/en/docs/guides/deadlines.md", "2d5dcd0")
}

export const aws = {
  backoff: file("AWS", "aws-samples/aws-arch-backoff-simulator")("src/backoff_simulator.py", "095a076"),
  quotaTest: file("AWS", "aws/aws-sdk-js-v3")("packages/middleware-retry/src/defaultRetryQuota.spec.ts", "107863f")
}

const limitsTest = "concurrency-limits-core/src/test/java/com/netflix/concurrency/limits/limit/"
export const netflix = {
  vegasTest: file("Netflix", "Netflix/concurrency-limits")(`${limitsTest}VegasLimitTest.java`, "290f069"),
  aimdTest: file("Netflix", "Netflix/concurrency-limits")(`${limitsTest}AIMDLimitTest.java`, "043fafe")
}

export const others = {
  aip194: file("Google", "aip-dev/google.aip.dev")("aip/general/0194.md", "016c47f"),
  lifoQueue: file("HBase", "apache/hbase")(
    "hbase-server/src/main/java/org/apache/hadoop/hbase/ipc/AdaptiveLifoCoDelCallQueue.java",
    "0ba50f4"
  ),
  guavaTest: file("Guava", "google/guava")(
    "guava-tests/test/com/google/common/util/concurrent/RateLimiterTest.java",
    "0959427"
  ),
  bucket4j: file("Bucket4j", "bucket4j/bucket4j")("asciidoc/src/main/docs/asciidoc/basic/concepts.adoc", "4e6ca3f"),
  nginx: opened(
    "nginx",
    "limit_req burst and nodelay tuning",
    "netdata.cloud/guides/nginx/nginx-limit-req-burst-tuning, its first part"
  )
}
