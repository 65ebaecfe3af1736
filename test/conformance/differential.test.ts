/**
 * Random histories through our breaker and those of Effect, cockatiel and opossum, each around its own time limit, on
 * one fake clock. A plain machine with switches must predict each of them at every step; where a peer differs from us,
 * the smallest set of switches that explains it is looked for and counted. A difference that no switch explains fails,
 * and so does a switch that is never needed. How often each was needed is a row of the documentation.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Draw } from "@failsoft/core/testing"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { Machine, type Outcome, ours, type Status, type Switches } from "./machine.ts"
import { type Ending, makeOurs, type Peer, peers, type Subject } from "./subjects.ts"

type Op =
  | { readonly does: "begin" }
  | { readonly does: "end"; readonly nth: number; readonly outcome: Outcome }
  | { readonly does: "abort"; readonly nth: number }
  | { readonly does: "pass"; readonly millis: number }

/** An open circuit whose probe is cut while nobody else asks, and is asked half a second later. */
const hungProbe: ReadonlyArray<Op> = [
  { does: "pass", millis: 4700 },
  { does: "pass", millis: 10_000 },
  ...Array.from(
    { length: 3 },
    (): ReadonlyArray<Op> => [{ does: "begin" }, { does: "end", nth: 99, outcome: "fail" }]
  ).flat(),
  { does: "pass", millis: 1500 },
  { does: "begin" },
  { does: "pass", millis: 3500 },
  { does: "begin" }
]

const history = (of: Draw.Choices): ReadonlyArray<Op> => {
  const [final, aborts, overlap] = [of.pick([0, 0.2]), of.pick([0, 0.1]), of.pick([0.1, 0.5, 0.9])]
  const ops: Array<Op> = []
  for (let length = of.between(15, 60); ops.length < length; ) {
    ops.push({ does: "begin" })
    if (!of.chance(overlap)) {
      const outcome: Outcome = of.chance(final) ? "permanent" : of.pick(["ok", "fail"])
      ops.push(of.chance(aborts) ? { does: "abort", nth: 99 } : { does: "end", nth: 99, outcome })
    }
    if (of.chance(overlap)) ops.push({ does: "end", nth: of.between(0, 9), outcome: of.pick(["ok", "ok", "fail"]) })
    if (of.chance(0.3)) ops.push({ does: "pass", millis: of.pick([100, 400, 1000, 1000, 1500, 4000, 4700]) })
  }
  return of.chance(0.2) ? [...ops, ...hungProbe] : ops
}

/** Not a whole second, so that buckets that begin with the breaker are others than those of the clock. */
const start = 1_700_000_000_300

/** Lets all that is ready run: the fibers and the promises, not the timers. */
const settle = async () => {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** One breaker of the race, with what its callers saw. */
class Runner {
  readonly statuses = new Map<number, Status>()
  private readonly endings = new Map<number, (word: Ending) => void>()
  private readonly subject: Subject

  constructor(subject: Subject) {
    this.subject = subject
  }

  begin(id: number): void {
    this.statuses.set(id, "waits")
    const run = () => {
      this.statuses.set(id, "passes")
      return new Promise<Ending>((resolve) => this.endings.set(id, resolve))
    }
    const over = () => {
      if (this.statuses.get(id) !== "passes") this.statuses.set(id, "refused")
    }
    this.subject.ask(id, run).then(over, over)
  }

  end(id: number, word: Ending): void {
    this.endings.get(id)?.(word)
  }

  abort(id: number): void {
    if (this.subject.abort === undefined) this.end(id, "aborted")
    else this.subject.abort(id)
  }

  close(): void {
    this.subject.close()
  }
}

/** The calls that may be ended: those that began, and have not ended. */
const pick = (open: Array<number>, nth: number, keep: boolean): number | undefined => {
  const at = nth === 99 ? open.length - 1 : nth % Math.max(1, open.length)
  return keep ? open[at] : open.splice(at, 1)[0]
}

/** Applies the same history to anything that begins, ends and aborts. */
const replay = function* (ops: ReadonlyArray<Op>) {
  const open: Array<number> = []
  const gone = new Set<number>()
  let now = start
  let next = 0
  for (const op of ops) {
    if (op.does === "pass") now += op.millis
    if (op.does === "begin") open.push(next++)
    const chosen =
      op.does === "begin" ? next - 1 : op.does === "pass" ? undefined : pick(open, op.nth, op.does === "abort")
    if (op.does === "abort" && chosen !== undefined) {
      if (gone.has(chosen)) continue
      gone.add(chosen)
    }
    yield { op, id: chosen, now }
  }
}

const apply = (
  { id, now, op }: { readonly op: Op; readonly id: number | undefined; readonly now: number },
  to: {
    readonly begin: (id: number, now: number) => void
    readonly end: (id: number, outcome: Outcome, now: number) => void
    readonly abort: (id: number, now: number) => void
  }
): void => {
  if (id === undefined) return
  if (op.does === "begin") to.begin(id, now)
  if (op.does === "end") to.end(id, op.outcome, now)
  if (op.does === "abort") to.abort(id, now)
}

const line = (statuses: ReadonlyMap<number, Status>) => [...statuses].map(([id, status]) => `${id} ${status}`).join()

/** What the machine predicts after the given number of steps. */
const predicted = (ops: ReadonlyArray<Op>, steps: number, of: Switches, windowCalls: number): string => {
  const machine = new Machine(of, windowCalls, start)
  let step = 0
  for (const each of replay(ops)) {
    if (step++ > steps) break
    machine.pass(each.now)
    apply(each, machine)
  }
  return line(machine.seen())
}

/** What each of the living did after each step. The machines say when to look: whenever a call is cut. */
const lived = async (ops: ReadonlyArray<Op>, subjects: ReadonlyArray<Subject>, machines: ReadonlyArray<Machine>) => {
  const runners = subjects.map((subject) => new Runner(subject))
  const log: Array<ReadonlyArray<string>> = []
  let before = start
  for (const each of replay(ops)) {
    while (before < each.now) {
      const next = Math.min(each.now, ...machines.map((machine) => machine.nextCut()))
      vi.advanceTimersByTime(next - before)
      before = next
      if (next < each.now) await settle()
      for (const machine of machines) machine.pass(next)
    }
    await settle()
    for (const to of [...runners, ...machines]) apply(each, to)
    await settle()
    log.push(runners.map(({ statuses }) => line(statuses)))
  }
  for (const runner of runners) runner.close()
  return log
}

/** The smallest set of a peer's switches that turns our prediction into what the peer did. */
const explained = (
  ops: ReadonlyArray<Op>,
  step: number,
  peer: Peer,
  did: string
): ReadonlyArray<string> | undefined => {
  const names = Object.entries(peer.switches).filter(([name, value]) => Object(ours)[name] !== value)
  const subsets = Array.from({ length: 2 ** names.length }, (_, bits) => names.filter((_, nth) => (bits >> nth) & 1))
  subsets.sort((a, b) => a.length - b.length)
  return subsets
    .find((set) => predicted(ops, step, { ...ours, ...Object.fromEntries(set) }, peer.windowCalls) === did)
    ?.map(([name]) => name)
}

const histories = 400

const page = readFileSync(fileURLToPath(new URL("../../docs/conformance-differences.md", import.meta.url)), "utf8")

beforeEach(() => {
  vi.useFakeTimers({ now: start, toFake: ["Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval"] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe.each(peers.map((peer) => [peer.name, peer] as const))("our breaker beside the one of %s", (_name, peer) => {
  it("differs by what is documented and by nothing else", async () => {
    const counts = new Map<string, number>()
    let same = 0
    let cut = 0
    for (let seed = 1; seed <= histories; seed++) {
      vi.setSystemTime(start)
      const ops = history(Draw.choices(seed))
      const machines = [ours, peer.switches].map((of) => new Machine(of, peer.windowCalls, start))
      const log = await lived(ops, [makeOurs(peer.windowCalls), peer.make()], machines)
      for (const [step, [mine, theirs]] of log.entries()) {
        assert.strictEqual(mine, predicted(ops, step, ours, peer.windowCalls), `seed ${seed}, step ${step}: ours`)
        assert.strictEqual(
          theirs,
          predicted(ops, step, peer.switches, peer.windowCalls),
          `seed ${seed}, step ${step}: ${peer.name}`
        )
      }
      cut += machines[0]?.cut ?? 0
      const first = log.findIndex(([mine, theirs]) => mine !== theirs)
      if (first < 0) {
        same++
        continue
      }
      const why = explained(ops, first, peer, log[first]?.[1] ?? "")
      assert.isDefined(why, `seed ${seed}: a difference that is not in the list`)
      for (const name of why ?? []) counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    const expected = Object.entries(peer.switches).flatMap(([name, value]) =>
      Object(ours)[name] === value ? [] : [name]
    )
    assert.deepEqual(
      [...counts.keys()].sort(),
      expected.sort(),
      `${same} of ${histories} the same; ${JSON.stringify([...counts])}`
    )
    assert.isAbove(same, 5, "and where nothing of it comes up they are the same")
    assert.isAbove(cut, 100, "calls are cut by their time limit")
    for (const name of expected) assert.match(page, new RegExp(`\\| \`${name}\` +\\|`))
    const why = [...counts].sort(([a, m], [b, n]) => n - m || a.localeCompare(b)).map(([name, n]) => `\`${name}\` ${n}`)
    const row = [peer.name, same, histories - same, why.join(", "), cut].join(" | ")
    assert.include(page.replaceAll(/ +/g, " "), `| ${row} |`, `the page must have this row:\n| ${row} |\n`)
  }, 120_000)
})
