/**
 * Starts every downstream as a process of its own, tells them their faults, and
 * starts them again when they die.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { Fault } from "../faults/Fault.ts"
import { byHand, isOver, type Played } from "../faults/Played.ts"
import { type Name, names } from "./registry.ts"

/** A downstream process could not be started or told something. */
export class DownstreamFailed extends Schema.TaggedError<DownstreamFailed>()("DownstreamFailed", {
  message: Schema.String
}) {}

/** What is known of a fault that was set by hand. */
export interface Active {
  readonly downstream: Name
  readonly fault: Fault
  readonly since: number
}

/** The supervisor's controls. */
export interface Controls {
  readonly url: (name: Name) => string
  /** The process, for those who want to kill it; nothing while it is dead. */
  readonly pid: (name: Name) => number | undefined
  readonly setFault: (name: Name, fault: Fault) => Effect.Effect<void, DownstreamFailed>
  readonly clearFault: (name: Name) => Effect.Effect<void, DownstreamFailed>
  readonly faults: () => ReadonlyArray<Active>
  /** Tells all downstreams to play a plan, from now, instead of what was set by hand; nothing ends the plan. */
  readonly setPlan: (
    plan: Pick<Played, "plan" | "seed"> | undefined
  ) => Effect.Effect<Played | undefined, DownstreamFailed>
  /** The plan that is played now. */
  readonly plan: () => Played | undefined
  /** Kills the process with SIGKILL; it stays dead until {@link Controls.restart}, if so told. */
  readonly kill: (name: Name, options?: { readonly stayDead?: boolean }) => Effect.Effect<void>
  /** Starts a dead process again on its old port. */
  readonly restart: (name: Name) => Effect.Effect<void, DownstreamFailed>
}

/** The supervisor of the storefront's downstreams. */
export class Supervisor extends Context.Service<Supervisor, Controls>()("@failsoft/examples/Supervisor") {}

/** Where the downstreams listen and keep their data. */
export interface Options {
  /** The first port; 0 takes free ones. */
  readonly basePort: number
  readonly folder?: string
  /** How long a dead process stays dead before it is started again. */
  readonly restartMillis?: number
}

const program = fileURLToPath(new URL("./main.ts", import.meta.url))
/** For a process that never comes up: on a loaded machine eight of them at once take their time. */
const startMillis = 40_000
const replyMillis = 5000

const Ready = Schema.Struct({ ready: Schema.Int })
const Failed = Schema.Struct({ failed: Schema.String })
const Done = Schema.Struct({ done: Schema.Int, error: Schema.optionalKey(Schema.String) })

/** One downstream: its process, its port, its fault. */
interface Entry {
  readonly name: Name
  child: ChildProcess | undefined
  port: number
  active: Active | undefined
  stayDead: boolean
}

/** Starts the downstreams and stops them with the scope. */
export const layer = (options: Options): Layer.Layer<Supervisor, DownstreamFailed> =>
  Layer.effect(
    Supervisor,
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const run = Effect.runForkWith(yield* Effect.context())
      const entries = new Map<Name, Entry>()
      let stopped = false
      let told = 0
      let played: Played | undefined
      const playing = () => (played === undefined || isOver(played, Date.now()) ? undefined : played)

      const entryOf = (name: Name): Entry => {
        const entry = entries.get(name)
        if (entry === undefined) throw new Error(`no downstream ${name}`)
        return entry
      }

      const spawn = (entry: Entry): Effect.Effect<void, DownstreamFailed> =>
        Effect.callback<void, DownstreamFailed>((resume) => {
          const args = [entry.name, String(entry.port), ...(options.folder === undefined ? [] : [options.folder])]
          const child = fork(program, args, {
            execArgv: ["--conditions=@failsoft/source", "--max-old-space-size=128"],
            stdio: ["ignore", "inherit", "inherit", "ipc"]
          })
          entry.child = child
          const fail = (message: string) => resume(Effect.fail(new DownstreamFailed({ message })))
          child.once("message", (message) => {
            if (Schema.is(Ready)(message)) {
              entry.port = message.ready
              resume(Effect.void)
            } else fail(why(entry, Schema.is(Failed)(message) ? message.failed : "it said something unexpected"))
          })
          child.once("error", (error) => fail(why(entry, error.message)))
          child.once("exit", () => {
            if (entry.child === child) entry.child = undefined
            fail(why(entry, "it ended while starting"))
            if (!stopped && !entry.stayDead)
              run(Effect.forkIn(Effect.delay(revive(entry), options.restartMillis ?? 1000), scope))
          })
        }).pipe(
          Effect.timeoutOrElse({
            duration: startMillis,
            orElse: () =>
              Effect.fail(new DownstreamFailed({ message: why(entry, `it did not start in ${startMillis} ms`) }))
          })
        )

      const tell = (entry: Entry, play: Played | null): Effect.Effect<void, DownstreamFailed> =>
        Effect.callback<void, DownstreamFailed>((resume) => {
          const { child } = entry
          // A dead process is told when it lives again.
          if (child === undefined || !child.connected) return resume(Effect.void)
          const id = ++told
          const onMessage = (message: unknown) => {
            if (!Schema.is(Done)(message) || message.done !== id) return
            child.off("message", onMessage)
            resume(
              message.error === undefined ? Effect.void : Effect.fail(new DownstreamFailed({ message: message.error }))
            )
          }
          child.on("message", onMessage)
          child.send({ id, play })
          return Effect.sync(() => child.off("message", onMessage))
        }).pipe(
          Effect.timeoutOrElse({
            duration: replyMillis,
            orElse: () => Effect.fail(new DownstreamFailed({ message: `${entry.name} did not take its faults` }))
          })
        )

      const revive = (entry: Entry): Effect.Effect<void> =>
        Effect.suspend(() => {
          if (stopped || entry.child !== undefined || entry.stayDead) return Effect.void
          return Effect.ignore(start(entry))
        })

      const start = (entry: Entry) =>
        Effect.andThen(
          spawn(entry),
          Effect.suspend(() => {
            const active = current(entry)
            const play = active === undefined ? playing() : byHand(entry.name, active.fault, active.since)
            return play === undefined ? Effect.void : tell(entry, play)
          })
        )

      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          stopped = true
          for (const { child } of entries.values()) child?.kill("SIGKILL")
        })
      )
      for (const [nth, name] of names.entries()) {
        const port = options.basePort === 0 ? 0 : options.basePort + nth
        entries.set(name, { name, child: undefined, port, active: undefined, stayDead: false })
      }
      yield* Effect.forEach(entries.values(), spawn, { concurrency: "unbounded", discard: true })

      return {
        pid: (name) => entryOf(name).child?.pid,
        url: (name) => `http://127.0.0.1:${entryOf(name).port}`,
        setFault: (name, fault) =>
          Effect.suspend(() => {
            const entry = entryOf(name)
            const since = Date.now()
            entry.active = { downstream: name, fault, since }
            return tell(entry, byHand(name, fault, since))
          }),
        clearFault: (name) =>
          Effect.suspend(() => {
            const entry = entryOf(name)
            entry.active = undefined
            return tell(entry, null)
          }),
        faults: () => [...entries.values()].flatMap((entry) => current(entry) ?? []),
        setPlan: (next) =>
          Effect.suspend(() => {
            if (next === undefined && playing() === undefined) return Effect.undefined
            played = next && { ...next, startedAt: Date.now() }
            const told = played ?? null
            for (const entry of entries.values()) entry.active = undefined
            return Effect.as(
              Effect.forEach(entries.values(), (entry) => tell(entry, told), {
                concurrency: "unbounded",
                discard: true
              }),
              played
            )
          }),
        plan: playing,
        kill: (name, how) =>
          Effect.callback<void>((resume) => {
            const entry = entryOf(name)
            entry.stayDead = how?.stayDead === true
            if (entry.child === undefined) return resume(Effect.void)
            entry.child.once("exit", () => resume(Effect.void))
            entry.child.kill("SIGKILL")
          }),
        restart: (name) =>
          Effect.suspend(() => {
            const entry = entryOf(name)
            entry.stayDead = false
            return entry.child === undefined ? start(entry) : Effect.void
          })
      }
    })
  )

/** The fault of an entry, unless its time is over. */
const current = ({ active }: Entry): Active | undefined =>
  active?.fault.forMillis !== undefined && Date.now() - active.since >= active.fault.forMillis ? undefined : active

const why = ({ name, port }: Entry, reason: string) =>
  /^(EEXIST|ENOTDIR|EACCES|EROFS|ENOENT|EPERM)$/.test(reason)
    ? `DATA_DIR must be a folder that can be written to (${reason}): set it to another, or mend it.`
    : reason === "EADDRINUSE"
      ? `The port ${port} (downstream ${name}) is in use: stop what listens on it, or set DOWNSTREAM_PORT to another first port.`
      : `The downstream ${name} did not start: ${reason}.`
