/** No policy at all, in a fiber: what an effect around a promise costs. */
import * as Effect from "effect/Effect"
import { type Build, down } from "../settings.ts"
import { oneByOne } from "./loops.ts"

export const build: Build = {
  scenarios: { closed: async () => oneByOne(() => Effect.promise(down)) }
}
