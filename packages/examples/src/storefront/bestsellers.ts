/** What everybody buys, from a file that is made at night: shown where nobody knows what this customer likes. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Recommended } from "../contracts/Recommendations.ts"

const file = fileURLToPath(new URL("../../data/bestsellers.json", import.meta.url))

const Table = Schema.fromJsonString(Schema.NonEmptyArray(Recommended))

/** The table as the file has it now. It is small, and read in one step: in the simulator no promise settles. */
export const load = Effect.flatMap(
  Effect.try(() => readFileSync(file, "utf8")),
  (text) => Schema.decodeUnknownEffect(Table)(text)
)

/** The same for everybody. */
export const lookup = (table: typeof Table.Type): ReadonlyArray<typeof Recommended.Type> => table
