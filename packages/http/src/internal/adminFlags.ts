/** `GET`, `PUT` and `DELETE /admin/flags`: flags by their names, beside the settings that they are. */
import { Flag, type Settings } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Problem from "../Problem.ts"
import * as asked from "./adminRequest.ts"
import * as shown from "./adminShown.ts"

/** The flag as it is shown: its knobs by their own names, and what it says for a key that was asked for. */
const flag = (settings: Settings.SettingsRegistry, of: Flag.Shown, key?: string): shown.Shown => ({
  name: of.name,
  kind: of.kind,
  ...(of.description === undefined ? {} : { description: of.description }),
  values: Object.fromEntries(of.settings.map(({ name, value }) => [knobOf(name), value])),
  settings: of.settings.map(shown.setting),
  ...(of.counts === undefined ? {} : { counts: of.counts }),
  ...(key === undefined ? {} : { for: { key, says: Flag.evaluate(settings, of.name, key) } })
})

const knobOf = (setting: string) => setting.slice(setting.lastIndexOf(".") + 1)

/** A flag of this registry, or the problem that names the others. */
const find = (settings: Settings.SettingsRegistry, name: string) =>
  Effect.suspend(() => {
    const all = Flag.list(settings)
    const found = all.find((of) => of.name === name)
    if (found !== undefined) return Effect.succeed(found)
    const names = all.slice(0, 50).map((of) => of.name)
    return Effect.fail(
      Problem.make({
        status: 404,
        reason: "UNKNOWN_FLAG",
        detail: `there is no flag '${name.slice(0, 100)}'; there are ${names.join(", ") || "none"}`
      })
    )
  })

/** All flags, and what sources say of flags and is not in force. */
export const list = (settings: Settings.SettingsRegistry) =>
  Effect.sync(() => ({
    flags: Flag.list(settings).map((of) => flag(settings, of)),
    problems: settings.problems().filter(({ name, source }) => source === "flag" || name.startsWith("flags/"))
  }))

/** One flag; with `?key=` also what it says for this key. */
export const read = (settings: Settings.SettingsRegistry, name: string) =>
  Effect.gen(function* () {
    const of = yield* find(settings, name)
    const { url } = yield* HttpServerRequest.HttpServerRequest
    return flag(settings, of, new URLSearchParams(url.split("?")[1] ?? "").get("key")?.slice(0, 500))
  })

/** Changes the knobs of a flag together: all or nothing. */
export const set = (settings: Settings.SettingsRegistry, name: string) =>
  Effect.gen(function* () {
    const of = yield* find(settings, name)
    const { values, ...rest } = yield* asked.withValues
    const changes = Object.fromEntries(
      Object.entries(values).map(([knob, value]) => [Flag.setting(of, knob), value ?? undefined])
    )
    const made = yield* settings.change(changes, asked.options(rest))
    return { flag: flag(settings, yield* find(settings, name)), changes: made.map(shown.change) }
  })

/** Takes all that the admin has said of a flag away. */
export const clear = (settings: Settings.SettingsRegistry, name: string) =>
  Effect.gen(function* () {
    const of = yield* find(settings, name)
    const changes = Object.fromEntries(of.settings.map((setting) => [setting.name, undefined]))
    const made = yield* settings.change(changes, asked.options(yield* asked.query))
    return { flag: flag(settings, yield* find(settings, name)), changes: made.map(shown.change) }
  })
