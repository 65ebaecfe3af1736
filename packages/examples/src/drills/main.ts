/** `npm run drill -- <plan>`: breaks a running storefront by a plan, under traffic, and says whether its promises held. */
import { writeFileSync } from "node:fs"
import { type ParseArgsOptionsConfig, parseArgs } from "node:util"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as drill from "./drill.ts"
import * as plans from "./plans.ts"
import * as shop from "./shop.ts"
import * as target from "./target.ts"

const usage = `npm run drill -- <plan> [options]

  <plan>            ${Object.keys(plans.plans).join(", ")}, or a file
  --url --admin     the ports of a storefront that runs; else one is started for the drill
  --rate 20         requests per second
  --seed 1          which products and orders are asked for, and whom a share of faults meets
  --most 120        seconds after which it ends in any case
  --abort 0.95      it ends where so large a share failed ...
  --abort-for 10    ... for so many seconds in a row
  --recovery 10     seconds after the faults within which all must be fresh again
  --json <file>     where to write the result, in JSON
  --allow-remote    also against another machine`

const options = {
  url: { type: "string" },
  admin: { type: "string" },
  rate: { type: "string", default: "20" },
  seed: { type: "string", default: "1" },
  most: { type: "string", default: "120" },
  abort: { type: "string", default: "0.95" },
  "abort-for": { type: "string", default: "10" },
  recovery: { type: "string", default: "10" },
  json: { type: "string" },
  "allow-remote": { type: "boolean", default: false }
} satisfies ParseArgsOptionsConfig

const given = Effect.try({
  try: () => parseArgs({ options, allowPositionals: true }),
  catch: (error) =>
    new plans.InvalidPlan({ message: `${error instanceof Error ? error.message : String(error)}\n\n${usage}` })
})

const number = (name: string, text: string, least: number, most: number) => {
  const value = Number(text)
  return value >= least && value <= most
    ? Effect.succeed(value)
    : Effect.fail(
        new plans.InvalidPlan({ message: `--${name} must be a number from ${least} to ${most}, but is '${text}'.` })
      )
}

const program = Effect.gen(function* () {
  const { positionals, values } = yield* given
  const [name] = positionals
  if (name === undefined) return yield* new plans.InvalidPlan({ message: usage })
  const plan = yield* plans.find(name)
  const settings = {
    plan,
    perSecond: yield* number("rate", values.rate, 1, 500),
    seed: yield* number("seed", values.seed, 0, 1e9),
    mostMillis: 1000 * (yield* number("most", values.most, 1, 3600)),
    abortShare: yield* number("abort", values.abort, 0.01, 1),
    abortSeconds: yield* number("abort-for", values["abort-for"], 1, 3600),
    recoveryMillis: 1000 * (yield* number("recovery", values.recovery, 1, 600)),
    print: (line: string) => console.log(line)
  }
  const { admin, url } = values
  if ((url === undefined) !== (admin === undefined)) {
    return yield* new plans.InvalidPlan({ message: "Give both --url and --admin, or neither." })
  }
  if (url === undefined) console.log("starting a storefront of its own")
  const at =
    url === undefined || admin === undefined ? target.started : target.running(url, admin, values["allow-remote"])
  const outcome = yield* Effect.flatMap(at, (of) => drill.run(shop.at(of, process.env["ADMIN_TOKEN"]), settings))
  console.log(`\nThe drill ${outcome.ended}.`)
  for (const { detail, kept, promise } of outcome.findings)
    console.log(`${kept ? "kept  " : "BROKEN"} ${promise}: ${detail}`)
  const kept = outcome.findings.every((of) => of.kept) && outcome.ended === "ran to its end"
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ plan, ...outcome }, null, 2)}\n`)
  process.exitCode = kept ? 0 : 1
}).pipe(
  Effect.scoped,
  Effect.catchTags({
    InvalidPlan: ({ message }) => said(message),
    NoTarget: ({ message }) => said(message)
  })
)

const said = (message: string) =>
  Effect.sync(() => {
    console.error(message)
    process.exitCode = 2
  })

NodeRuntime.runMain(program)
