/** Every build by its name, and the rows of the table. */
import type { Build } from "../settings.ts"
import { build as bare } from "./bare.ts"
import { build as bareEffect } from "./bareEffect.ts"
import { build as cockatiel } from "./cockatiel.ts"
import { build as effectIdiomatic } from "./effect.ts"
import * as failsoft from "./failsoft.ts"
import { build as opossum } from "./opossum.ts"
import * as ring from "./ring.ts"

export const builds: Readonly<Record<string, Build>> = {
  "failsoft stack, any effect": failsoft.effect,
  "failsoft stack, promise leaf": failsoft.promise,
  "failsoft ring, any effect": ring.effect,
  "failsoft ring, promise leaf": ring.promise,
  "failsoft ring, promise leaf, signals heard": ring.listenedPromise,
  cockatiel,
  opossum,
  "Effect, idiomatic": effectIdiomatic,
  "bare effect": bareEffect,
  "bare await": bare
}
