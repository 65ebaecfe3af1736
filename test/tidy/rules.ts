/** The rules of the design that no compiler checks. Each returns a sentence per violation. */
import { codeOf, type File, findings } from "./files.ts"

/** One rule over one file. */
export type Rule = (file: File) => ReadonlyArray<string>

const importsOf = ({ text }: File): ReadonlyArray<string> =>
  [
    ...codeOf(text).matchAll(
      /(?:^|\n)\s*(?:import|export)\b[^"'`;]*?from\s+["']([^"']+)["']|(?:import|require)\(["']([^"']+)["']\)|(?:^|\n)\s*import\s+["']([^"']+)["']/g
    )
  ].map((match) => match[1] ?? match[2] ?? match[3] ?? "")

const forbid = (file: File, allowed: (specifier: string) => boolean, why: string) =>
  importsOf(file)
    .filter((specifier) => !allowed(specifier))
    .map((specifier) => `${file.path}: imports ${specifier}: ${why}`)

/** What stands above the modules of the kernel (design: Call ← Policy ← policies; Contract → Call, Answer). */
const mayNotImport: Readonly<Record<string, RegExp>> = {
  "Call.ts": /^\./,
  "Policy.ts": /\/(policy|fallback)\/|\/(Contract|Downstream|Fallback|Composition|index)\.ts$/,
  "Contract.ts": /\/(policy|fallback)\/|\/(Policy|Downstream|Fallback|Composition|index)\.ts$/
}

/** Who may import whom (design: packages). */
export const importDirections: Rule = (file) => {
  const { path } = file
  if (path.startsWith("packages/core/src/")) {
    // What a campaign keeps in files stands apart, behind an entry point of its own.
    const onNode = path.startsWith("packages/core/src/testing/node/")
    // So does the adapter of OpenFeature, whose SDK is an optional peer.
    const onOpenFeature = path.startsWith("packages/core/src/openfeature/")
    const platform = forbid(
      file,
      (of) =>
        /^\.|^effect(\/(?!http|http-api|net|process|sql|cluster|rpc)|$)/.test(of) ||
        (onNode && /^node:/.test(of)) ||
        (onOpenFeature && of === "@openfeature/server-sdk"),
      "core is free of platform, HTTP and other packages"
    )
    const testing = path.startsWith("packages/core/src/testing/")
      ? forbid(file, (of) => onNode || !/\/node\//.test(of), "the engine of the test kit knows no platform")
      : forbid(file, (of) => !of.includes("/testing/"), "nothing in core imports testing")
    const optional = onOpenFeature
      ? []
      : forbid(file, (of) => !of.includes("openfeature"), "core works without its optional peers")
    // `standard` and the index put policies together; the others must not know each other.
    const composes = /\/policy\/(standard|index)\.ts$/.test(path)
    const siblings =
      path.startsWith("packages/core/src/policy/") && !composes
        ? forbid(file, (of) => !/^\.\/|\/policy\/|\/index\.ts$/.test(of), "policies never import each other")
        : []
    const above = mayNotImport[path.replace("packages/core/src/", "")]
    const kernel =
      above === undefined ? [] : forbid(file, (of) => !above.test(of), "the kernel does not know what stands on it")
    return [...platform, ...testing, ...optional, ...siblings, ...kernel]
  }
  if (path.startsWith("packages/http/src/")) {
    return forbid(
      file,
      (of) =>
        !/(^|\/)(core|examples)\/src\//.test(of) &&
        (!/^@failsoft\/(core\/.+|http|examples)/.test(of) ||
          // Servers that fail on purpose stand apart, behind an entry point of their own.
          (path.startsWith("packages/http/src/testing/") && of === "@failsoft/core/testing/faults")),
      "http knows core by its public entry only"
    )
  }
  if (path.startsWith("packages/examples/src/")) {
    return forbid(
      file,
      (of) =>
        !/(^|\/)(core|http)\/src\//.test(of) && !/^@failsoft\/(core|http)\/(?!testing(\/node|\/faults)?$)/.test(of),
      "examples know core and http by their public entries only"
    )
  }
  return []
}

/** Files that may touch real time, each with its reason. */
export const realTimeAllowed: Readonly<Record<string, string>> = {
  "packages/core/src/testing/internal/traps.ts": "it names what it takes away"
}

/** Time and randomness come through Effect's Clock and Random, so that simulation stays exact. */
export const noRealTime: Rule = (file) =>
  /^packages\/(core|http)\/src\//.test(file.path) && realTimeAllowed[file.path] === undefined
    ? findings(
        file,
        /\bDate\.now\b|\bDate\(\)|\bnew Date\(\s*\)|\b(?:Math\.random|setTimeout|setInterval|setImmediate|performance\.now|hrtime|randomUUID|getRandomValues|randomBytes|queueMicrotask|AbortSignal\.timeout)\b/g,
        (match) => `${match} is real time or randomness: use Effect's Clock or Random`
      )
    : []

/** A process runs its service; core starts fibers beside their callers in one place. */
const mayRun = new Set([
  "packages/http/src/Server.ts",
  "packages/core/src/internal/fork.ts",
  "packages/core/src/testing/Pump.ts"
])

/** No nested runs inside services; the edge of the process is the only place. */
export const noNestedRuns: Rule = (file) =>
  /^packages\/(core|http)\/src\//.test(file.path) && !mayRun.has(file.path)
    ? findings(file, /\bEffect\.run[A-Z]\w*/g, (match) => `${match} belongs to the edge of the process`)
    : []

/** Nobody who reads examples or docs learns `any` or casts there; the packages show none either. */
export const noAny: Rule = (file) =>
  /^packages\/[^/]+\/(src|test|types)\/|^test\/|^docs\/|^README\.md$/.test(file.path)
    ? findings(
        file,
        /(?<=[:<,|&(=]\s*|=>\s*|readonly\s+)\bany\b(?=\s*(?:[>,)|&;=\]}\n{[]|$))|\bas any\b|<any>/g,
        () => "any hides what the types should say"
      )
    : []

/** Casts in the examples would teach casting. */
export const noCasts: Rule = (file) =>
  /^packages\/examples\/src\//.test(file.path)
    ? findings(
        {
          ...file,
          text: file.text.replace(/^import .*$|^export \* as .*$|^\s*(type )?\w+ as \w+,?$/gm, (line) =>
            " ".repeat(line.length)
          )
        },
        /\bas\s+(?!const\b)[A-Za-z{[(]/g,
        () => "a cast: let the types say it"
      )
    : []

/** Every public export says what it is, in which category, and since when. */
export const documentedExports: Rule = (file) => {
  if (
    !/^packages\/(core|http)\/src\//.test(file.path) ||
    /\/internal\/|\/index\.ts$|\/testing\/checks\//.test(file.path)
  )
    return []
  return [
    ...file.text.matchAll(
      /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?^export (?:default )?(?:declare )?(?:abstract )?(?:async )?(?:const|let|class|interface|type|enum|namespace|function\*?) (\w+)/gm
    )
  ]
    .filter(
      ([, comment]) =>
        comment === undefined ||
        !comment.includes("@category") ||
        !comment.includes("@since") ||
        !/^\/\*\*\s*\n?\s*\*? ?[^@\s*]/.test(comment)
    )
    .map(([, , name]) => `${file.path}: the export ${name} needs a sentence, @category and @since`)
}

/** A public module begins with its header: a paragraph, Details, Gotchas, an Example. */
export const moduleHeaders: Rule = (file) => {
  if (!/^packages\/(core|http)\/src\/(testing\/)?[A-Z]\w*\.ts$/.test(file.path)) return []
  const header = /^\/\*\*[\s\S]*?\*\//.exec(file.text)?.[0] ?? ""
  return ["**Details**", "**Gotchas**", "**Example**", "```ts", "@since"]
    .filter((part) => !header.includes(part))
    .map((part) => `${file.path}: the module header has no ${part}`)
}

/** The keys of services are unique in the program and begin with their package. */
export const serviceKeys = (all: ReadonlyArray<File>): ReadonlyArray<string> => {
  const seen = new Map<string, string>()
  return all.flatMap((file) =>
    [
      ...codeOf(file.text).matchAll(
        /Context\.(?:Service|Reference)(?:<[^>()]*(?:<[^()]*>)?[^>()]*>)?(?:\(\)\s*)?\(\s*"([^"]+)"|Downstream\.Service<\w+>\(\)\(\s*"([^"]+)"/g
      )
    ].flatMap((match) => {
      const key = match[1] ?? match[2] ?? ""
      const owner = seen.get(key)
      seen.set(key, file.path)
      const packageName = `@failsoft/${/^packages\/(\w+)\//.exec(file.path)?.[1]}`
      return [
        ...(owner === undefined ? [] : [`${file.path}: the key ${key} is also that of ${owner}`]),
        ...(key.startsWith(`${packageName}/`) ? [] : [`${file.path}: the key ${key} must begin with ${packageName}/`])
      ]
    })
  )
}

/** Every page of docs can be reached from the README or the docs' own index, and no link is dead. */
export const docLinks = (all: ReadonlyArray<File>, exists: (path: string) => boolean): ReadonlyArray<string> => {
  const linked = new Set<string>()
  const dead: Array<string> = []
  for (const { path, text } of all) {
    const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/") + 1) : ""
    for (const match of text.replace(/```[\s\S]*?```/g, "").matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      const target = match[1] ?? ""
      if (/^[a-z]+:/.test(target)) continue
      const resolved = new URL(target, `file:///${folder}`).pathname.slice(1)
      if (exists(resolved)) linked.add(resolved)
      else dead.push(`${path}: the link to ${target} is dead`)
    }
  }
  const lost = all
    .filter(({ path }) => path.startsWith("docs/") && !linked.has(path))
    .map(({ path }) => `${path}: no page links to it`)
  return [...dead, ...lost]
}

/** The rules over single files. */
export const rules: Readonly<Record<string, Rule>> = {
  importDirections,
  noRealTime,
  noNestedRuns,
  noAny,
  noCasts,
  documentedExports,
  moduleHeaders
}
