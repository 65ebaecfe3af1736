/**
 * A fault that a downstream is given by hand: the kinds of the test kit, in the same
 * words, with `forMillis` after which it ends by itself.
 */
import { Fault as Kinds } from "@failsoft/core/testing/faults"
import * as Schema from "effect/Schema"

/** Every kind of fault, by its `kind`; `forMillis` ends it by itself. */
export const Fault = Kinds.withFields({
  forMillis: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 600_000 })))
})

/** Every kind of fault, by its `kind`. */
export type Fault = typeof Fault.Type
