/** Settings from the variables of the environment. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { fromVariable, toVariable } from "../internal/settingNames.ts"
import type { SettingsSource } from "./source.ts"

const prefixDefault = "FAILSOFT_"

/**
 * The variable of a setting: `payments/charge/timeout.limitMillis` is
 * `FAILSOFT_payments__charge__timeout__limitMillis`. Downstream, method, policy and
 * knob stand between double underscores; any character but a letter or a digit is
 * written as its code, so that `catalog.eu` is `catalog_x2e_eu`.
 *
 * @category converting
 * @since 0.1.0
 */
export const variable = (name: string, prefix: string = prefixDefault): string => toVariable(prefix, name)

/**
 * The settings of an environment, read once: it cannot change while a process
 * runs. Variables with the prefix and without a double underscore are none.
 *
 * @category sources
 * @since 0.1.0
 */
export const environment = (
  env: Readonly<Record<string, string | undefined>>,
  options: { readonly prefix?: string } = {}
): SettingsSource => {
  const prefix = options.prefix ?? prefixDefault
  return {
    source: "environment",
    by: "environment",
    initial: Effect.sync(() => ({
      _tag: "Values",
      values: Object.fromEntries(
        Object.entries(env).flatMap(([name, value]) => {
          if (value === undefined || !name.startsWith(prefix) || !name.includes("__")) return []
          // One that cannot be read stays under its own name, and is reported as unknown.
          return [[fromVariable(name.slice(prefix.length)) ?? name, value]]
        })
      )
    })),
    changes: Stream.empty
  }
}
