/** What the environment says: ports, who may use the admin port, where data and settings live. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/** A variable of the environment is malformed; the message names it and what was expected. */
export class InvalidEnvironment extends Schema.TaggedError<InvalidEnvironment>()("InvalidEnvironment", {
  message: Schema.String
}) {}

/** The settings of a storefront process. */
export interface Settings {
  readonly port: number
  readonly adminPort: number
  readonly adminHost: string
  readonly adminToken: Redacted.Redacted | undefined
  /** Whose requests past the caches are heard; nobody's without one. */
  readonly liveToken?: Redacted.Redacted | undefined
  readonly downstreamPort: number
  readonly dataDir: string
  /** The file of the policies' settings; it need not exist. */
  readonly settingsFile: string
  /** Where the settings of the policies may stand as well. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

const port = (env: NodeJS.ProcessEnv, name: string, absent: number, highest = 65_535) => {
  const text = env[name]
  if (text === undefined || text === "") return Effect.succeed(absent)
  const value = Number(text)
  return /^\d+$/.test(text) && value <= highest
    ? Effect.succeed(value)
    : Effect.fail(new InvalidEnvironment({ message: `${name} must be a port from 0 to ${highest}, but is '${text}'.` }))
}

/** Reads the settings. */
export const fromEnvironment = (env: NodeJS.ProcessEnv): Effect.Effect<Settings, InvalidEnvironment> =>
  Effect.all({
    port: port(env, "PORT", 4000),
    adminPort: port(env, "ADMIN_PORT", 4001),
    adminHost: Effect.succeed(env["ADMIN_HOST"] || "127.0.0.1"),
    adminToken: Effect.succeed(env["ADMIN_TOKEN"] ? Redacted.make(env["ADMIN_TOKEN"]) : undefined),
    liveToken: Effect.succeed(env["LIVE_TOKEN"] ? Redacted.make(env["LIVE_TOKEN"]) : undefined),
    // Six downstreams listen from here up.
    downstreamPort: port(env, "DOWNSTREAM_PORT", 4100, 65_500),
    dataDir: Effect.succeed(env["DATA_DIR"] || ".data"),
    settingsFile: Effect.succeed(env["SETTINGS_FILE"] || `${env["DATA_DIR"] || ".data"}/settings.json`),
    environment: Effect.succeed(env)
  })
