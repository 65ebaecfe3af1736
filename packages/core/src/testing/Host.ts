/**
 * What a campaign needs of the world around it: the environment, a place for its
 * cases, somebody who reads its progress.
 *
 * **Details**
 *
 * The engine imports no platform. Without a host a campaign keeps no cases; the one of
 * `@failsoft/core/testing/node` keeps them in a folder `__sim__` beside the test.
 *
 * **Gotchas**
 *
 * A host is asked outside of the pump only.
 *
 * **Example** (progress on the console)
 *
 * ```ts
 * import { Host } from "@failsoft/core/testing"
 *
 * const loud: Host.Host = { ...Host.none, progress: (line) => console.log(line) }
 * void loud
 * ```
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"

/**
 * The world around a campaign.
 *
 * @category models
 * @since 0.1.0
 */
export interface Host {
  /** A variable of the environment. */
  readonly variable: (name: string) => string | undefined
  /** Tells how far it is; each line takes the place of the one before. */
  readonly progress: (line: string) => void
  /** The cases that were kept under a name, as JSON. */
  readonly cases: (name: string) => ReadonlyArray<{ readonly file: string; readonly text: string }>
  /** Reads a case by what `SIM_REPLAY` says. */
  readonly read: (file: string) => string | undefined
  /** Keeps a file; where it is, or nothing where there is no place. */
  readonly keep: (name: string, file: string, text: string) => string | undefined
  /** Versions, the commit: what belongs to a report. */
  readonly facts: () => Readonly<Record<string, string>>
  /** The command that runs this test. */
  readonly command: string | undefined
}

/** The environment of a platform that has one; nothing is imported for it. */
const environment = (name: string): string | undefined => {
  const process: unknown = Reflect.get(globalThis, "process")
  if (!Predicate.hasProperty(process, "env") || !Predicate.hasProperty(process.env, name)) return undefined
  const value = process.env[name]
  return typeof value === "string" && value !== "" ? value : undefined
}

/**
 * No place for cases and nobody who listens; the environment where there is one.
 *
 * @category hosts
 * @since 0.1.0
 */
export const none: Host = {
  variable: environment,
  progress: () => {},
  cases: () => [],
  read: () => undefined,
  keep: () => undefined,
  facts: () => ({}),
  command: undefined
}
