import { assert, describe, it } from "@effect/vitest"
import { Policy, Settings, Signal } from "@failsoft/core"
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as PlatformError from "effect/PlatformError"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"

const policy = Policy.stack(Policy.deadline("1 second"), Policy.bulkhead({ permits: 4 }), Policy.timeout("250 millis"))
const timeout = "shop/get/timeout.limitMillis"

const register = Effect.gen(function* () {
  const settings = yield* Settings.Registry
  const row = { downstream: "shop", method: "get", bus: yield* Signal.make }
  const built = yield* Policy.build(policy, row)
  yield* settings.register([{ row, policy, budgetMillis: 2000, parts: built.parts }])
  return settings
})

const inFile = (settings: Settings.SettingsRegistry) => {
  const of = settings.get(timeout)
  return `${of?.value} ${of?.origin}`
}

/** A file in memory whose folder tells of changes by hand, and the warnings that were logged. */
const disk = Effect.gen(function* () {
  const state: { text: string | undefined; reads: number } = { text: undefined, reads: 0 }
  const events = yield* Queue.unbounded<FileSystem.WatchEvent>()
  const missing = PlatformError.systemError({ _tag: "NotFound", module: "FileSystem", method: "readFileString" })
  const present = <A>(of: (text: string) => A) =>
    Effect.suspend(() => (state.text === undefined ? Effect.fail(missing) : Effect.succeed(of(state.text))))
  const none = Option.none<never>()
  const layer = FileSystem.layerNoop({
    stat: () =>
      present((text) => ({
        type: "File",
        size: ByteSize.bytes(text.length),
        mtime: none,
        atime: none,
        birthtime: none,
        dev: 0n,
        ino: none,
        mode: 0,
        nlink: none,
        uid: none,
        gid: none,
        rdev: none,
        blksize: none,
        blocks: none
      })),
    readFileString: () =>
      present((text) => {
        state.reads++
        return text
      }),
    watch: () => Stream.fromQueue(events)
  })
  const warnings: Array<string> = []
  const logger = Logger.layer([Logger.make(({ message }) => void warnings.push(String(message)))])
  return {
    layer: Layer.mergeAll(layer, logger),
    warnings,
    write: (text: string | undefined) => {
      state.text = text
    },
    tell: Queue.offer(events, { _tag: "Update", path: "settings.json" }),
    reads: () => state.reads
  }
})

describe("the environment", () => {
  it("writes every name so that it is read back, and as a variable that a shell can set", () => {
    const names = [
      "payments/charge/timeout.limitMillis",
      "catalog.eu/show/bulkhead#2.permits",
      "a_b/c-d/e__f.g",
      "a_/_b/_x2e_._",
      "ä/ö/ü.ß"
    ]
    for (const name of names) {
      const variable = Settings.variable(name)
      assert.match(variable, /^[A-Za-z_][A-Za-z0-9_]*$/)
      const said = Effect.runSync(Settings.environment({ [variable]: "1" }).initial)
      assert.deepEqual(said, { _tag: "Values", values: { [name]: "1" } })
    }
    assert.strictEqual(Settings.variable(names[0] ?? ""), "FAILSOFT_payments__charge__timeout__limitMillis")
  })

  it("takes none of the other variables", () => {
    const env = { PATH: "a__b", FAILSOFT_ROOT: "/", OTHER_a__b__c__d: "1", FAILSOFT_a__b__c__d: undefined }
    assert.deepEqual(Effect.runSync(Settings.environment(env).initial), { _tag: "Values", values: {} })
  })

  it.effect("applies texts as what the knob holds, and reports the others once the rings are built", () =>
    Effect.gen(function* () {
      const { warnings, layer } = yield* disk
      const env = {
        FAILSOFT_shop__get__timeout__limitMillis: "0.1 seconds",
        FAILSOFT_shop__get__bulkhead__permits: "7",
        FAILSOFT_shop__get__bulkhead__mode: "dark",
        FAILSOFT_shop__get__bulkhead__queueMax: "many",
        FAILSOFT_shop__get__timeout__limitMilis: "5",
        FAILSOFT_shop__get__x: "5"
      }
      yield* Effect.gen(function* () {
        const settings = yield* register
        assert.strictEqual(inFile(settings), "100 environment")
        assert.strictEqual(settings.get("shop/get/bulkhead.permits")?.value, 7)
        assert.strictEqual(settings.get("shop/get/bulkhead.mode")?.value, "dark")
        yield* TestClock.adjust("1 second")
        assert.deepEqual(warnings, [])
        yield* TestClock.adjust("1 second")
        assert.strictEqual(warnings.length, 3, warnings.join("\n"))
        assert.include(warnings.join("\n"), `did you mean ${timeout}`)
        assert.include(warnings.join("\n"), "there is no setting 'FAILSOFT_shop__get__x'")
        assert.include(warnings.join("\n"), "shop/get/bulkhead.queueMax must be a whole number of at least 0")
      }).pipe(Effect.provide(Layer.provideMerge(Settings.layerOf(Settings.environment(env)), layer)))
    }).pipe(Effect.scoped)
  )
})

describe("the file", () => {
  const watched = Effect.fnUntraced(function* (
    use: (of: {
      readonly settings: Settings.SettingsRegistry
      readonly write: (text: string | undefined) => Effect.Effect<void>
      readonly warnings: ReadonlyArray<string>
      readonly put: (text: string | undefined) => void
      readonly tell: Effect.Effect<unknown>
    }) => Effect.Effect<void>,
    first?: string
  ) {
    const { layer, warnings, write: put, tell } = yield* disk
    put(first)
    yield* Effect.gen(function* () {
      const settings = yield* register
      yield* TestClock.adjust("3 seconds")
      const told = (text: string | undefined) =>
        Effect.gen(function* () {
          put(text)
          yield* tell
          yield* TestClock.adjust("300 millis")
        })
      yield* use({ settings, write: told, warnings, put, tell })
    }).pipe(Effect.provide(Layer.provideMerge(Settings.layerOf(Settings.file("conf/settings.json")), layer)))
  })

  it.effect("gives its values to the ring, and new ones when its folder tells of a change", () =>
    watched(
      ({ settings, write, warnings }) =>
        Effect.gen(function* () {
          assert.strictEqual(inFile(settings), "200 file")
          yield* write(`{"${timeout}": 150}`)
          assert.deepInclude(settings.get(timeout), { value: 150, origin: "file", by: "conf/settings.json" })
          yield* write("{}")
          assert.strictEqual(inFile(settings), "250 code")
          assert.deepEqual(warnings, [])
        }),
      `{"${timeout}": "200 millis"}`
    ).pipe(Effect.scoped)
  )

  it.effect("keeps the last good values while the file is broken, and says so once", () =>
    watched(
      ({ settings, write, warnings }) =>
        Effect.gen(function* () {
          for (const broken of [`{"${timeout}": 1`, "", "[]", `"${"x".repeat(1_100_000)}"`]) {
            yield* write(broken)
            assert.strictEqual(inFile(settings), "200 file")
          }
          assert.strictEqual(warnings.length, 1, warnings.join("\n"))
          assert.include(warnings[0], "conf/settings.json is not valid JSON")
          assert.strictEqual(settings.problems().length, 1)
          yield* write(`{"${timeout}": 100}`)
          assert.strictEqual(inFile(settings), "100 file")
          assert.deepEqual(settings.problems(), [])
          yield* write("{")
          assert.strictEqual(warnings.length, 2)
        }),
      `{"${timeout}": 200}`
    ).pipe(Effect.scoped)
  )

  it.effect("takes its values with it when it is gone, but not where it is replaced in two steps", () =>
    watched(
      ({ settings, write, put, tell }) =>
        Effect.gen(function* () {
          put(undefined)
          yield* tell
          yield* TestClock.adjust("150 millis")
          yield* write(`{"${timeout}": 201}`)
          assert.strictEqual(inFile(settings), "201 file")
          assert.isFalse(settings.audit().some(({ to }) => to === 250))
          yield* write(undefined)
          assert.strictEqual(inFile(settings), "250 code")
        }),
      `{"${timeout}": 200}`
    ).pipe(Effect.scoped)
  )

  it.effect("reads once for a burst of events, and finds by itself what nobody told", () =>
    Effect.gen(function* () {
      const { layer, write, tell, reads } = yield* disk
      write(`{"${timeout}": 200}`)
      yield* Effect.gen(function* () {
        const settings = yield* register
        yield* TestClock.adjust("1 second")
        const before = reads()
        for (let n = 0; n < 20; n++) yield* tell
        yield* TestClock.adjust("1 second")
        assert.strictEqual(reads(), before + 1)
        write(`{"${timeout}": 210}`)
        yield* TestClock.adjust("6 seconds")
        assert.strictEqual(inFile(settings), "210 file")
      }).pipe(Effect.provide(Layer.provideMerge(Settings.layerOf(Settings.file("settings.json")), layer)))
    }).pipe(Effect.scoped)
  )
})

describe("a source of one's own", () => {
  it.effect("such as feature flags, stands above the file and below the admin", () =>
    Effect.gen(function* () {
      const flags = yield* Queue.unbounded<Settings.Said>()
      const source: Settings.SettingsSource = {
        source: "flag",
        by: "flags",
        initial: Effect.succeed({ _tag: "Values", values: {} }),
        changes: Stream.fromQueue(flags)
      }
      const env = Settings.environment({ [Settings.variable(timeout)]: "90" })
      yield* Effect.gen(function* () {
        const settings = yield* register
        yield* Queue.offer(flags, { _tag: "Values", values: { [timeout]: 80 } })
        yield* TestClock.adjust(1)
        assert.strictEqual(inFile(settings), "80 flag")
        yield* Queue.offer(flags, { _tag: "Values", values: {} })
        yield* TestClock.adjust(1)
        assert.strictEqual(inFile(settings), "90 environment")
      }).pipe(Effect.provide(Settings.layerOf(env, source)))
    }).pipe(Effect.scoped)
  )
})
