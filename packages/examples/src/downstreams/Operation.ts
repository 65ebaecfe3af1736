/** What a downstream can be asked for, apart from sockets and faults. */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** A request whose body has arrived. */
export interface Asked {
  readonly params: ReadonlyArray<string>
  readonly query: URLSearchParams
  readonly body: unknown
  readonly idempotencyKey: string | undefined
}

/** An answer: a status, and JSON unless it is empty. */
export interface Reply {
  readonly status: number
  readonly body?: unknown
}

/** An answer, now or when it is made. */
export type Answering = Reply | Effect.Effect<Reply>

/** An effect that really took place. */
export interface Applied {
  readonly at: number
  readonly operation: string
  readonly idempotencyKey?: string
  readonly amount?: number
}

/** One operation: its method, its path as an expression whose groups are the parameters, and what it does. */
export interface Operation {
  /** The methods of the contract that ask for it, as plans of faults name them; several make the same request. */
  readonly serves: readonly [string, ...ReadonlyArray<string>]
  readonly method: string
  readonly path: RegExp
  readonly run: (asked: Asked) => Answering
}

/** The operations of a downstream, and the effects that it applied. */
export interface Downstream {
  readonly operations: ReadonlyArray<Operation>
  readonly applied: () => ReadonlyArray<Applied>
}

/** A problem body. */
export const problem = (status: number, reason: string, detail: string): Reply => ({
  status,
  body: { type: "about:blank", status, title: detail, detail, reason, retryable: status === 503 || status === 429 }
})

/** Decodes a body and runs `f`, or answers 400 with the field and what was expected. */
export const decoded = <A>(schema: Schema.Codec<A, unknown>, body: unknown, f: (value: A) => Answering): Answering => {
  const result = Schema.decodeUnknownResult(schema)(body)
  return result._tag === "Success" ? f(result.success) : problem(400, "MALFORMED_BODY", String(result.failure.message))
}

/** The skus that exist: sku-1 to sku-500. */
export const skuNumber = (sku: string): number | undefined => {
  const number = Number(/^sku-(\d{1,3})$/.exec(sku)?.[1] ?? Number.NaN)
  return number >= 1 && number <= 500 && sku === `sku-${number}` ? number : undefined
}
