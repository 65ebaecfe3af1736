/** Who a token belongs to. */
import * as Schema from "effect/Schema"
import { type Downstream, decoded, problem } from "./Operation.ts"

const customers = new Map([
  ["demo-alice", "alice"],
  ["demo-bob", "bob"]
])

/** Makes the identity downstream. */
export const make = (): Downstream => ({
  applied: () => [],
  operations: [
    {
      serves: ["verify"],
      method: "POST",
      path: /^\/verify$/,
      run: ({ body }) =>
        decoded(Schema.Struct({ token: Schema.String }), body, ({ token }) => {
          const customerId = customers.get(token)
          return customerId === undefined
            ? problem(401, "INVALID_TOKEN", "nobody has this token")
            : { status: 200, body: { customerId } }
        })
    }
  ]
})
