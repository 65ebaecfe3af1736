/** Every server by the name of its case. */
import type { Start } from "../settings.ts"
import * as failsoft from "./failsoft.ts"
import * as fastify from "./fastify.ts"
import * as raw from "./raw.ts"

export const servers: Readonly<Record<string, Start>> = {
  "raw node:http": raw.bare,
  fastify: fastify.edge,
  "failsoft edge, all on": failsoft.edge,
  "failsoft edge, shedding": failsoft.shedding,
  "raw + undici": raw.withUndici,
  "raw + undici + cockatiel": raw.withCockatiel,
  "raw + undici + opossum": raw.withOpossum,
  "failsoft, all on, the peers' knobs": failsoft.sameHop,
  "failsoft, all on, Policy.standard": failsoft.standardHop
}
