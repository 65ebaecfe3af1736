/** What one client may ask of the storefront. */
import { RateLimits, Route } from "@failsoft/http"

/** Far more than a person clicks, and little enough that one client cannot crowd out the others. */
export const limits: ReadonlyArray<RateLimits.Options> = [
  {
    name: "client",
    permits: 1000,
    window: "1 second",
    algorithm: "token-bucket",
    key: RateLimits.except(["/livez", "/readyz", "/health"])
  },
  {
    name: "orders",
    permits: 3000,
    window: "1 minute",
    key: RateLimits.only(Route.matching("POST", "/orders"), RateLimits.header("authorization"))
  }
]
