/** Random histories through the registry of settings and through a model that reads all that was said, each time. */
import type { Settings } from "@failsoft/core"
import { assert, describe, it } from "vitest"
import { Registry } from "../src/internal/registry.ts"
import { search } from "./history.ts"
import { Model, type Told } from "./settingsModel.ts"
import { history, living, type Op } from "./settingsWorld.ts"

type Subject = Pick<
  Registry,
  "change" | "load" | "expire" | "register" | "unregister" | "nextExpiry" | "list" | "get" | "audit" | "problems"
>
type Mutant = (of: Subject) => Partial<Subject>

/** The registry with some of its doings replaced. */
const subject = (mutant: Mutant): Subject => {
  const real = new Registry()
  const sound: Subject = {
    change: (...args) => real.change(...args),
    load: (...args) => real.load(...args),
    expire: (now) => real.expire(now),
    register: (...args) => real.register(...args),
    unregister: (...args) => real.unregister(...args),
    nextExpiry: () => real.nextExpiry(),
    list: real.list,
    get: real.get,
    audit: real.audit,
    problems: real.problems
  }
  return { ...sound, ...mutant(sound) }
}

const toldOf = ({ at, by, names, from, to, origin, reason, expiresAt }: Settings.Change): Told => ({
  at,
  by,
  names: [...names].sort().join(),
  from,
  to,
  origin,
  reason,
  until: expiresAt ?? Number.POSITIVE_INFINITY
})

const settingOf = ({ name, value, since, origin, by, reason, expiresAt }: Settings.Setting) => ({
  name,
  value,
  since,
  origin,
  by,
  reason,
  until: expiresAt ?? Number.POSITIVE_INFINITY
})

const text = (of: unknown) =>
  JSON.stringify(of, (_, value: unknown) => (value === Number.POSITIVE_INFINITY ? "for ever" : value))

/** The same as sets: changes of one moment have no order. */
const sorted = (of: ReadonlyArray<unknown>) => of.map(text).sort().join("\n")

/** How often each thing happened, so that green histories in which nothing did would be seen. */
type Seen = Map<string, number>

const differs =
  (mutant: Mutant = () => ({}), seen: Seen = new Map()) =>
  (ops: ReadonlyArray<Op>): string | undefined => {
    const count = (what: string, times = 1) => seen.set(what, (seen.get(what) ?? 0) + times)
    const model = new Model()
    const registry = subject(mutant)
    const rings = new Map<number, ReturnType<Subject["register"]>>()
    let signals = 0
    const told = () => {
      signals++
    }

    const act = (op: Op): string | undefined => {
      switch (op.does) {
        case "change": {
          const asked = { source: op.source, by: op.by, reason: op.reason, expiresAt: op.lasts && model.now + op.lasts }
          const edits = Object.entries(op.edits).map(([name, raw]) => ({ name, raw }))
          const made = registry.change(edits, asked, model.now)
          const real = "problems" in made ? made.reason : undefined
          const expected = model.change(op)
          count(expected ?? "changed")
          return real === expected ? undefined : `${real ?? "it is done"}, but ${expected ?? "it is done"} in the model`
        }
        case "load":
          registry.load(op.source, op.values, "a source", model.now)
          model.load(op)
          return undefined
        case "ring": {
          const registration = rings.get(op.nth)
          rings.delete(op.nth)
          if (registration !== undefined) registry.unregister(registration, model.now)
          else rings.set(op.nth, registry.register(living(op.nth, told), model.now))
          model.ring(op.nth)
          return undefined
        }
        case "wait": {
          const end = model.now + op.millis
          // As its alarm does: at each moment at which something expires.
          for (let next = model.nextExpiry(); next !== undefined && next <= end; next = model.nextExpiry()) {
            count("expired")
            model.wait(next)
            registry.expire(next)
            const wrong = compare()
            if (wrong !== undefined) return `at ${next} ms ${wrong}`
          }
          model.wait(end)
          return undefined
        }
      }
    }

    const compare = (): string | undefined => {
      const pairs: ReadonlyArray<readonly [string, string, string]> = [
        ["the settings", sorted(registry.list().map(settingOf)), sorted(model.list())],
        ["the changes", sorted(registry.audit().map(toldOf)), sorted(model.audit)],
        [
          "the problems",
          sorted(registry.problems().map(({ name, source }) => `${source} ${name}`)),
          sorted(model.problems())
        ],
        ["the next expiry", text(registry.nextExpiry()), text(model.nextExpiry())],
        ["the number of signals", text(signals), text(model.audit.filter(({ from, to }) => from !== to).length)]
      ]
      const wrong = pairs.find(([, real, expected]) => real !== expected)
      if (wrong !== undefined) return `${wrong[0]} are\n${wrong[1]}\nbut in the model\n${wrong[2]}`
      const deaf = [...rings.values()].flatMap(({ rows }) =>
        rows.flatMap(({ cells }) =>
          cells.filter(({ names, of, knobName }) => registry.get(names[0] ?? "")?.value !== of.values[knobName])
        )
      )
      return deaf.length > 0 ? `${deaf[0]?.names[0]} is not what the policy has` : undefined
    }

    for (const [nth, op] of ops.entries()) {
      const wrong = act(op) ?? compare()
      if (wrong !== undefined) return `step ${nth} (${op.does}): ${wrong}`
    }
    count("pinned", model.audit.filter(({ from, to }) => from === to).length)
    count("refused by a source", model.problems().length)
    return undefined
  }

describe("the registry of settings against its model", () => {
  it("agrees over 2000 random histories", () => {
    const seen: Seen = new Map()
    assert.isUndefined(search(2000, history, differs(undefined, seen)))
    for (const what of [
      "changed",
      "malformed",
      "does-not-fit",
      "unknown-name",
      "expired",
      "pinned",
      "refused by a source"
    ]) {
      assert.isAbove(seen.get(what) ?? 0, 200, `${what} was hardly seen in ${JSON.stringify([...seen])}`)
    }
  }, 60_000)

  const swap = (source: Settings.Source): Settings.Source =>
    source === "admin" ? "flag" : source === "flag" ? "admin" : source
  const swapped = <O extends { readonly origin: Settings.Origin }>(of: O): O => ({
    ...of,
    origin: of.origin === "code" ? "code" : swap(of.origin)
  })
  const isExpired = (now: number) => (of: Settings.Setting) => of.expiresAt !== undefined && of.expiresAt <= now

  const mutants: Readonly<Record<string, Mutant>> = {
    "forgets the lower source when a value expires": (of) => ({
      expire: (now) => {
        const gone = of.list().filter(isExpired(now))
        of.expire(now)
        for (const { name } of gone) {
          of.change(
            [{ name, raw: undefined }],
            { source: "file", by: "expiry", reason: undefined, expiresAt: undefined },
            now
          )
        }
      }
    }),
    "applies half of a group that it refuses": (of) => ({
      change: (edits, asked, now) => {
        const made = of.change(edits, asked, now)
        if ("problems" in made && edits.length > 1) of.change(edits.slice(0, 1), asked, now)
        return made
      }
    }),
    "keeps a record of a change that changed nothing": (of) => {
      const noise: Array<Settings.Change> = []
      return {
        change: (edits, asked, now) => {
          const made = of.change(edits, asked, now)
          const [edit] = edits
          const setting = of.get(edit?.name ?? "")
          if (!("problems" in made) && made.length === 0 && setting !== undefined) {
            const { value, origin } = setting
            noise.push({ at: now, by: asked.by, names: [setting.name], from: value, to: value, origin })
          }
          return made
        },
        audit: () => [...noise, ...of.audit()]
      }
    },
    "lets a flag hold where the admin has a value": (of) => ({
      change: (edits, asked, now) => of.change(edits, { ...asked, source: swap(asked.source) }, now),
      load: (source, values, by, now) => of.load(swap(source), values, by, now),
      list: () => of.list().map(swapped),
      get: (name) => {
        const setting = of.get(name)
        return setting === undefined ? undefined : swapped(setting)
      },
      audit: () => of.audit().map(swapped),
      problems: () => of.problems().map((problem) => ({ ...problem, source: swap(problem.source) }))
    }),
    "leaves out a malformed value of a group and does the rest": (of) => ({
      change: (edits, asked, now) => {
        const made = of.change(edits, asked, now)
        if (!("problems" in made) || made.reason !== "malformed") return made
        return edits.length > 1 ? of.change(edits.slice(1), asked, now) : made
      }
    }),
    "keeps what a source says no more": (of) => {
      const said: Partial<Record<Settings.Source, Readonly<Record<string, unknown>>>> = {}
      return {
        load: (source, values, by, now) => {
          said[source] = { ...said[source], ...values }
          return of.load(source, said[source], by, now)
        }
      }
    },
    "shows a shared value under one of its names only": (of) => ({
      list: () =>
        of
          .list()
          .map((setting) =>
            setting.name.startsWith("shop/peek/shared.") ? { ...setting, value: setting.default } : setting
          )
    }),
    "lets a value live a moment too long": (of) => ({ expire: (now) => of.expire(now - 1) }),
    "does not pin a value that a lower source has as well": (of) => ({
      change: (edits, asked, now) => {
        const other = edits.filter(({ name, raw }) => raw === undefined || of.get(name)?.value !== raw)
        return other.length === 0 && edits.every(({ name }) => of.get(name) !== undefined)
          ? []
          : of.change(edits, asked, now)
      }
    }),
    "does not tell the policy": (of) => ({
      register: (rows, now) =>
        of.register(
          rows.map((row) => ({
            ...row,
            parts: row.parts.map(({ part, instance }) => ({ part, instance: { ...instance, assign: () => {} } }))
          })),
          now
        )
    }),
    "forgets that a method degrades": (of) => ({
      register: (rows, now) =>
        of.register(
          rows.map(({ fallback, ...row }) => ({
            ...row,
            ...(fallback === undefined ? {} : { fallback: { ...fallback, onOutage: "degrade-or-fail" } })
          })),
          now
        )
    }),
    "forgets what was set by hand when its ring goes": (of) => ({
      unregister: (registration, now) => {
        for (const { name, origin } of of.list()) {
          if (origin !== "admin" || !name.startsWith(`${registration.name}/`)) continue
          of.change(
            [{ name, raw: undefined }],
            { source: "admin", by: "", reason: undefined, expiresAt: undefined },
            now
          )
        }
        of.unregister(registration, now)
      }
    })
  }
  // Real work of the processor, which a busy machine does slowly.
  it.each(Object.entries(mutants))(
    "finds a registry that %s",
    (_bug, mutant) => {
      assert.isDefined(search(1000, history, differs(mutant)))
    },
    60_000
  )
})
