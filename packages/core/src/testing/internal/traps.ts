/**
 * The globals that bring real time and real chance into a program, replaced for
 * exactly as long as the pump runs.
 *
 * Code of one's own that reaches for them throws, with the place in its stack;
 * libraries get virtual ones. Who asks is told by the first frame of the stack.
 */
import type { SimClock } from "./clock.ts"

/** What becomes of a call: an error, a virtual value, or (`off`) the real thing. */
export type Mode = "throw" | "virtual" | "off"

/** A call of a trapped global by the program's own code. */
export interface Trapped {
  readonly name: string
  readonly site: string
}

/** Time or chance that the simulator does not control. */
export class UncontrolledTime extends Error {
  override readonly name = "UncontrolledTime"
}

const advice: Readonly<Record<string, string>> = {
  "Math.random": "Random",
  "crypto.randomUUID": "Random",
  setTimeout: "Effect.sleep",
  setInterval: "Schedule",
  setImmediate: "Effect.yieldNow"
}

const here = import.meta.url

/** The first frame of the stack that is not one of this file. */
const site = (): string => {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 12
  const { stack = "" } = new Error()
  Error.stackTraceLimit = stackTraceLimit
  const frames = stack
    .split("\n")
    .slice(1)
    .map((line) => line.trim().replace(/^at /, ""))
  const own = here.replace(/^file:\/\//, "")
  return frames.find((frame) => !frame.includes(own)) ?? "an unknown place"
}

const isLibrary = (frame: string): boolean => /[\\/]node_modules[\\/]|\bnode:/.test(frame)

type Anything = (...args: ReadonlyArray<unknown>) => unknown

/** The replacements of one pump; made once, put in and taken out with each of its runs. */
export class Traps {
  /** What one's own code reached for, the first 100. */
  readonly trapped: Array<Trapped> = []
  private readonly clock: SimClock
  private readonly mode: Mode
  private readonly next: () => number
  private readonly timers = new Map<number, () => void>()
  private timerId = 0

  constructor(clock: SimClock, mode: Mode, next: () => number) {
    this.clock = clock
    this.mode = mode
    this.next = next
  }

  /** Puts the replacements in place; the function that takes them out. */
  install(): () => void {
    if (this.mode === "off") return () => {}
    const restores = [
      replace(globalThis, "Date", this.date()),
      replace(performance, "now", () => this.virtual("performance.now", () => this.clock.elapsed)),
      replace(Math, "random", () => this.virtual("Math.random", this.next)),
      replace(globalThis.crypto, "randomUUID", () => this.virtual("crypto.randomUUID", () => uuid(this.next))),
      replace(globalThis, "setTimeout", this.timer("setTimeout", false)),
      replace(globalThis, "setInterval", this.timer("setInterval", true)),
      replace(globalThis, "setImmediate", (run: Anything, ...args: ReadonlyArray<unknown>) =>
        this.virtual("setImmediate", () => this.set(run, 0, false, args))
      ),
      replace(globalThis, "clearTimeout", (id: unknown) => this.clear(id)),
      replace(globalThis, "clearInterval", (id: unknown) => this.clear(id)),
      replace(globalThis, "clearImmediate", (id: unknown) => this.clear(id))
    ]
    return () => {
      for (const restore of restores.reverse()) restore()
    }
  }

  private virtual<A>(name: string, value: () => A): A {
    if (this.mode === "virtual") return value()
    const of = site()
    if (isLibrary(of)) return value()
    if (this.trapped.length < 100) this.trapped.push({ name, site: of })
    throw new UncontrolledTime(
      `${name} was called at ${of}: the simulator does not control it; use Effect's ${advice[name] ?? "Clock"}, or traps: "virtual" for code that cannot`
    )
  }

  private date(): DateConstructor {
    const now = () => this.virtual("Date", () => Math.floor(this.clock.currentTimeMillisUnsafe()))
    return new Proxy(Date, {
      apply: (real) => new real(now()).toString(),
      construct: (real, args, target) => Reflect.construct(real, args.length === 0 ? [now()] : args, target),
      get: (real, key, receiver) => (key === "now" ? now : Reflect.get(real, key, receiver))
    })
  }

  private timer(name: string, repeats: boolean) {
    return (run: Anything, millis: unknown, ...args: ReadonlyArray<unknown>) =>
      this.virtual(name, () => this.set(run, Math.max(1, Number(millis) || 1), repeats, args))
  }

  private set(run: Anything, millis: number, repeats: boolean, args: ReadonlyArray<unknown>): unknown {
    const id = ++this.timerId
    const arm = () => {
      const forget = this.clock.after(millis, () => {
        this.timers.delete(id)
        if (repeats) arm()
        run(...args)
      })
      this.timers.set(id, forget)
    }
    arm()
    const handle = {
      ref: () => handle,
      unref: () => handle,
      hasRef: () => true,
      refresh: () => handle,
      [Symbol.toPrimitive]: () => id
    }
    return handle
  }

  private clear(id: unknown): void {
    const key = Number(id)
    this.timers.get(key)?.()
    this.timers.delete(key)
  }
}

const replace = (on: object, name: string, value: unknown): (() => void) => {
  const own = Object.getOwnPropertyDescriptor(on, name)
  Object.defineProperty(on, name, { value, configurable: true, writable: true, enumerable: own?.enumerable ?? false })
  return () => {
    if (own === undefined) Reflect.deleteProperty(on, name)
    else Object.defineProperty(on, name, own)
  }
}

const uuid = (next: () => number): string => {
  const hex = Array.from({ length: 32 }, (_, at) =>
    at === 12 ? "4" : at === 16 ? "89ab".charAt(Math.floor(next() * 4)) : Math.floor(next() * 16).toString(16)
  ).join("")
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5")
}
