/** Charges, each once per idempotency key. */
import * as Schema from "effect/Schema"
import * as Ledger from "./ledger.ts"
import { type Applied, type Downstream, decoded, problem, type Reply } from "./Operation.ts"

const Charge = Schema.Struct({ amount: Schema.Int, currency: Schema.String, card: Schema.String })

const Line = Schema.Struct({
  at: Schema.Int,
  key: Schema.String,
  fingerprint: Schema.String,
  amount: Schema.Int,
  status: Schema.Literals(["captured", "declined"])
})

const declinedCard = "4000-0000-0000-0002"

const replyOf = (line: typeof Line.Type): Reply =>
  line.status === "captured"
    ? { status: 201, body: { chargeId: `charge-${line.key}`, status: "captured" } }
    : problem(402, "CARD_DECLINED", "the card was declined")

/** Makes the payments downstream; with a folder its charges survive a kill. */
export const make = (folder: string | undefined): Downstream => {
  const ledger = Ledger.open(Line, folder, "payments")
  const byKey = new Map(ledger.lines.map((line) => [line.key, line]))
  return {
    applied: () =>
      ledger.lines
        .filter((line) => line.status === "captured")
        .map((line): Applied => ({ at: line.at, operation: "charge", idempotencyKey: line.key, amount: line.amount })),
    operations: [
      {
        serves: ["charge"],
        method: "POST",
        path: /^\/charges$/,
        run: ({ body, idempotencyKey: key }) => {
          if (key === undefined) return problem(400, "MISSING_KEY", "the header Idempotency-Key is required")
          return decoded(Charge, body, (charge) => {
            const known = byKey.get(key)
            const fingerprint = JSON.stringify(charge)
            if (known !== undefined) {
              return known.fingerprint === fingerprint
                ? replyOf(known)
                : problem(422, "KEY_REUSED", "this Idempotency-Key was used with another payload")
            }
            const line = {
              at: Date.now(),
              key,
              fingerprint,
              amount: charge.amount,
              status: charge.card === declinedCard ? "declined" : "captured"
            } as const
            ledger.append(line)
            byKey.set(key, line)
            return replyOf(line)
          })
        }
      },
      {
        serves: ["status"],
        method: "GET",
        path: /^\/charges\/([^/]+)$/,
        run: ({ params: [key = ""] }) => {
          const known = byKey.get(key)
          return known === undefined
            ? problem(404, "NEVER_CHARGED", "no charge has this key")
            : { status: 200, body: { status: known.status } }
        }
      }
    ]
  }
}
