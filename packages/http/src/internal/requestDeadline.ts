/**
 * How much time a request's own headers grant: `grpc-timeout` (gRPC over HTTP/2)
 * and `x-envoy-expected-rq-timeout-ms`. Relative times only, since clocks differ.
 */

const unitMillis: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 }

/** The least of the recognised headers in milliseconds, `Infinity` for none; a sentence for a malformed one. */
export const grantedMillis = (headers: Readonly<Record<string, string | undefined>>): number | string => {
  let granted = Infinity
  const grpc = headers["grpc-timeout"]
  if (grpc !== undefined) {
    const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(grpc) ?? []
    if (digits === undefined || unit === undefined) {
      return "the header grpc-timeout must be at most eight digits and a unit (H, M, S, m, u or n), such as 250m"
    }
    granted = Number(digits) * (unitMillis[unit] ?? 1)
  }
  const envoy = headers["x-envoy-expected-rq-timeout-ms"]
  if (envoy !== undefined) {
    if (!/^\d{1,9}$/.test(envoy)) {
      return "the header x-envoy-expected-rq-timeout-ms must be a whole number of milliseconds"
    }
    // Envoy means "none" by 0.
    if (Number(envoy) > 0) granted = Math.min(granted, Number(envoy))
  }
  return granted
}
