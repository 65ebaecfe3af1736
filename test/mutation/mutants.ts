/**
 * All mutants of a file in one text (mutant schemata): each is a branch that a switch takes at run time, so the
 * file is parsed, stripped of its types and loaded once for all of them.
 *
 * R. Untch, A. J. Offutt, M. J. Harrold, "Mutation analysis using mutant schemata", 1993; Stryker does the same.
 */
import { parseSync } from "vite"
import { changesAt, isNode, type Node } from "./operators.ts"

/** One small change of a source. */
export interface Mutant {
  readonly id: number
  /** The path of the file, from the root of the repository. */
  readonly file: string
  /** Where it begins in the text of the file. */
  readonly start: number
  /** From 1. */
  readonly line: number
  /** From 1. */
  readonly column: number
  readonly operator: string
  /** The text that stands there. */
  readonly original: string
  /** The text in its place. */
  readonly replacement: string
  /** The line as it stands, without its indentation. */
  readonly source: string
  /** It runs while its module is loaded, not when a function of it is called. */
  readonly onLoad: boolean
}

/** The name of the switch in a text with mutants. */
export const switchName = "failsoftMutant$"

/** The fields that hold no code that runs: types, and names. */
const silent = new Set(["typeAnnotation", "returnType", "typeParameters", "typeArguments", "superTypeArguments", "id"])

/** Wrappers of TypeScript around an expression that runs. */
const wrappers = new Set(["TSAsExpression", "TSSatisfiesExpression", "TSNonNullExpression"])

const functions = new Set(["ArrowFunctionExpression", "FunctionExpression", "FunctionDeclaration"])

/** Where a new line could be read as going on with the one before: this code has no semicolons. */
const statements = new Set(["BlockStatement", "Program", "StaticBlock", "SwitchCase"])

const runs = (node: Node) =>
  !/^Import|^ExportAll/.test(node.type) && (!node.type.startsWith("TS") || wrappers.has(node.type))

/** The parts of a node that run, in the order of the text. */
const partsOf = (node: Node): ReadonlyArray<readonly [field: string, part: Node]> =>
  Object.entries(node)
    .filter(([field]) => !silent.has(field))
    .filter(([field]) => field !== "key" || node["computed"] === true)
    .filter(([field]) => !(node.type === "ExportNamedDeclaration" && field !== "declaration"))
    .flatMap(([field, value]) =>
      (Array.isArray(value) ? value : [value]).map((part: unknown) => [field, part] as const)
    )
    .filter((entry): entry is readonly [string, Node] => isNode(entry[1]) && runs(entry[1]))
    .sort(([, a], [, b]) => a.start - b.start)

/** The mutants of a text, the first with the number `firstId`, and the text that holds them all. */
export const mutantsOf = (
  file: string,
  text: string,
  firstId = 0
): { readonly mutants: ReadonlyArray<Mutant>; readonly text: string } => {
  const { errors, program } = parseSync(file, text, { lang: "ts", sourceType: "module" })
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`)
  const mutants: Array<Mutant> = []

  const render = (node: Node, parent: Node, field: string, onLoad: boolean): string => {
    const directive = node.type === "ExpressionStatement" && typeof node["directive"] === "string"
    const changes = directive ? [] : changesAt(text, node, { parent, field })
    const branches = changes.map(({ operator, replacement }) => {
      const before = text.slice(0, node.start)
      const lineStart = before.lastIndexOf("\n") + 1
      const id = firstId + mutants.length
      mutants.push({
        id,
        file,
        start: node.start,
        line: before.split("\n").length,
        column: node.start - lineStart + 1,
        operator,
        original: text.slice(node.start, node.end),
        replacement,
        source: text.slice(lineStart).split("\n", 1)[0]?.trim() ?? "",
        onLoad
      })
      return { test: `${switchName}(${id})`, replacement }
    })
    const within = onLoad && !functions.has(node.type)
    let inner = ""
    let at = node.start
    for (const [name, part] of directive ? [] : partsOf(node)) {
      inner += text.slice(at, part.start) + render(part, node, name, within)
      at = part.end
    }
    inner += text.slice(at, node.end)
    if (node.type === "ExpressionStatement" && !directive && statements.has(parent.type)) return `;${inner}`
    if (branches.length === 0) return inner
    if (node.type === "BlockStatement") return `{ if (${branches[0]?.test}) {} else ${inner} }`
    return `(${branches.map(({ test, replacement }) => `${test} ? (${replacement}) : `).join("")}${inner})`
  }

  const whole: unknown = program
  if (!isNode(whole)) throw new Error(`${file}: nothing was parsed`)
  const rendered = text.slice(0, whole.start) + render(whole, whole, "", true) + text.slice(whole.end)
  // On the first line, so that the lines of errors stay what they were.
  return { mutants, text: `const ${switchName} = globalThis.${switchName};${rendered}` }
}
