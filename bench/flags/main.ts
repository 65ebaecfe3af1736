/**
 * `npm run bench:flags`: what an evaluation of a flag costs, beside a read of a property
 * and an evaluation by OpenFeature's SDK with its in-memory provider. The cases of a
 * round are taken in turn in one process; ratios are formed within a round. It is the
 * thread's own time, so that a busy machine disturbs little.
 *
 * `BENCH_ROUNDS` (9).
 */
import { Flag } from "@failsoft/core"
import { OpenFeature, TypedInMemoryProvider } from "@openfeature/server-sdk"
import { noop } from "cockatiel"

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 9)

/** As long as the ids of customers are. */
const keys = Array.from({ length: 1024 }, (_, nth) => `customer-${String(nth).padStart(8, "0")}-4f3a-9c1e`)

const keyAt = (nth: number) => keys[nth & 1023] ?? ""

let sink = 0

const living = <Evaluate extends Flag.Evaluator>(
  flag: Flag.Flag<Evaluate>,
  values: Readonly<Record<string, number | string | boolean>>
): Evaluate => {
  const { changed, evaluate } = flag.make(values)
  changed()
  return evaluate
}

const plain = { enabled: true, at: 0 }
const boolean = living(Flag.boolean("boolean"), { enabled: true })
const all = living(Flag.percentage("all"), { percent: 100 })
const share = living(Flag.percentage("share"), { percent: 10 })
const weights = { control: 50, one: 30, other: 20 }
const variant = living(Flag.variant("variant", { weights }), weights)
const off = living(Flag.rollout("off"), { stage: "off", percent: 10, darkPercent: 100 })
const rollout = living(Flag.rollout("rollout"), { stage: "on", percent: 10, darkPercent: 100 })

const counted = (count: number, one: (nth: number) => unknown) => () => {
  for (let nth = 0; nth < count; nth++) if (one(nth) === true) sink++
  return count
}

await OpenFeature.setProviderAndWait(
  new TypedInMemoryProvider({
    boolean: { variants: { on: true, off: false }, defaultVariant: "on", disabled: false }
  })
)
const client = OpenFeature.getClient()

const awaited = (count: number, one: (nth: number) => Promise<unknown>) => async () => {
  for (let nth = 0; nth < count; nth++) if ((await one(nth)) === true) sink++
  return count
}

const many = 2_000_000
const few = 50_000
const cases: Readonly<Record<string, () => number | Promise<number>>> = {
  "a read of a property": counted(many, (nth) => {
    plain.at = nth
    return plain.enabled
  }),
  boolean: counted(many, () => boolean()),
  "percentage, at 100 %": counted(many, (nth) => all(keyAt(nth))),
  "percentage, at 10 %": counted(many, (nth) => share(keyAt(nth))),
  "variant, three of them": counted(many, (nth) => variant(keyAt(nth)) === "one"),
  "rollout, off": counted(many, (nth) => off(keyAt(nth)) === "candidate"),
  "rollout, on at 10 %": counted(many, (nth) => rollout(keyAt(nth)) === "candidate"),
  "cockatiel, a policy that does nothing": awaited(few, () => noop.execute(() => true)),
  "OpenFeature SDK, in memory": awaited(few, (nth) =>
    client.getBooleanValue("boolean", false, { targetingKey: keyAt(nth) })
  )
}

const nanos = async (run: () => number | Promise<number>): Promise<number> => {
  const before = process.threadCpuUsage()
  const count = await run()
  const { system, user } = process.threadCpuUsage(before)
  return ((user + system) * 1000) / count
}

const median = (of: ReadonlyArray<number>) => of.toSorted((a, b) => a - b)[Math.floor(of.length / 2)] ?? Number.NaN

const samples = new Map<string, Array<number>>(Object.keys(cases).map((name) => [name, []]))
for (let round = -1; round < rounds; round++) {
  for (const [name, run] of Object.entries(cases)) {
    const taken = await nanos(run)
    // The first round warms up.
    if (round >= 0) samples.get(name)?.push(taken)
  }
}

const [base = []] = samples.values()
const openFeature = samples.get("OpenFeature SDK, in memory") ?? []
console.log(`Node ${process.version}, ${rounds} rounds, median (lowest–highest)\n`)
console.log("| evaluation | ns | beside a read | OpenFeature takes |")
console.log("| --- | --- | --- | --- |")
for (const [name, of] of samples) {
  const beside = median(of.map((taken, nth) => taken / (base[nth] ?? Number.NaN)))
  const times = median(of.map((taken, nth) => (openFeature[nth] ?? Number.NaN) / taken))
  const spread = `${Math.min(...of).toFixed(1)}–${Math.max(...of).toFixed(1)}`
  console.log(`| ${name} | ${median(of).toFixed(1)} (${spread}) | ${beside.toFixed(1)} × | ${times.toFixed(1)} × |`)
}
if (sink === 0) throw new Error("nothing was on: nothing was measured")
await OpenFeature.close()
