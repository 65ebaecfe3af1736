/**
 * What a mutant changes: the operators of Stryker's default set that these sources have a use for.
 */

/** A node of the syntax tree, as the parser gives it (ESTree). */
export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

/** A change at a node: another text in its place. */
export interface Change {
  readonly operator: string
  readonly replacement: string
}

/** Where a node stands. */
export interface Place {
  readonly parent: Node
  readonly field: string
}

export const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string" && "start" in value

const arithmetic: Readonly<Record<string, string>> = { "+": "-", "-": "+", "*": "/", "/": "*", "%": "*", "**": "*" }

const comparison: Readonly<Record<string, ReadonlyArray<string>>> = {
  "<": ["<=", ">="],
  "<=": ["<", ">"],
  ">": [">=", "<="],
  ">=": [">", "<"],
  "===": ["!=="],
  "!==": ["==="]
}

const logical: Readonly<Record<string, string>> = { "&&": "||", "||": "&&", "??": "&&" }

const assignment: Readonly<Record<string, string>> = {
  "+=": "-=",
  "-=": "+=",
  "*=": "/=",
  "/=": "*=",
  "??=": "&&=",
  "||=": "&&=",
  "&&=": "||="
}

const methods: Readonly<Record<string, string>> = {
  "Math.min": "Math.max",
  "Math.max": "Math.min",
  "Math.ceil": "Math.floor",
  "Math.floor": "Math.ceil",
  some: "every",
  every: "some"
}

const conditions = new Set([
  "IfStatement",
  "ConditionalExpression",
  "WhileStatement",
  "DoWhileStatement",
  "ForStatement"
])

/** The changes at one node of a text. */
export const changesAt = (text: string, node: Node, place: Place): ReadonlyArray<Change> => {
  const changes: Array<Change> = []
  const add = (operator: string, replacement: string) => {
    if (changes.every((change) => change.replacement !== replacement)) changes.push({ operator, replacement })
  }
  const source = ({ start, end }: Node) => text.slice(start, end)
  const operatorOf = (of: Node) => (typeof of["operator"] === "string" ? of["operator"] : "")
  const child = (field: string, of: Node = node) => {
    const value = of[field]
    if (!isNode(value)) throw new Error(`${of.type} at ${of.start} has no ${field}`)
    return value
  }
  /** The node with another operator between its two sides. */
  const between = (left: string, right: string, operator: string) =>
    `${source(child(left))} ${operator} ${source(child(right))}`
  const isText = (of: Node) =>
    of.type === "TemplateLiteral" || (of.type === "Literal" && typeof of["value"] === "string")

  if (place.field === "test" && conditions.has(place.parent.type)) {
    // A loop that never ends tells nothing that one which never begins does not.
    if (!/^(?:While|DoWhile|For)/.test(place.parent.type)) add("condition", "true")
    add("condition", "false")
  }
  switch (node.type) {
    case "BinaryExpression": {
      const operator = operatorOf(node)
      const other = arithmetic[operator]
      if (other !== undefined && !isText(child("left")) && !isText(child("right"))) {
        add("arithmetic", between("left", "right", other))
      }
      const others = comparison[operator]
      if (others === undefined) break
      add("condition", "true")
      add("condition", "false")
      for (const other of others) add("comparison", between("left", "right", other))
      break
    }
    case "LogicalExpression": {
      const operator = operatorOf(node)
      if (operator !== "??") {
        add("condition", "true")
        add("condition", "false")
      }
      const other = logical[operator]
      // Both operators in one expression need parentheses, which the sides may lack.
      if (other !== undefined) add("logical", `(${source(child("left"))}) ${other} (${source(child("right"))})`)
      break
    }
    case "AssignmentExpression": {
      const other = assignment[operatorOf(node)]
      if (other !== undefined) add("assignment", between("left", "right", other))
      break
    }
    case "UpdateExpression": {
      const argument = source(child("argument"))
      const other = operatorOf(node) === "++" ? "--" : "++"
      add("update", node["prefix"] === true ? other + argument : argument + other)
      break
    }
    case "UnaryExpression": {
      if (operatorOf(node) === "!") add("negation", source(child("argument")))
      if (operatorOf(node) === "-") add("sign", source(child("argument")))
      break
    }
    case "Literal": {
      if (typeof node["value"] === "boolean") add("boolean", String(!node["value"]))
      if (typeof node["value"] === "string") add("string", node["value"] === "" ? '"mutant"' : '""')
      break
    }
    case "TemplateLiteral": {
      if (place.parent.type !== "TaggedTemplateExpression") add("string", '""')
      break
    }
    case "ArrayExpression": {
      add("array", Array.isArray(node["elements"]) && node["elements"].length === 0 ? '["mutant"]' : "[]")
      break
    }
    case "ObjectExpression": {
      if (Array.isArray(node["properties"]) && node["properties"].length > 0) add("object", "{}")
      break
    }
    case "ChainExpression": {
      const links = (of: Node): ReadonlyArray<Node> => {
        const next = of["object"] ?? of["callee"]
        return [...(of["optional"] === true ? [of] : []), ...(isNode(next) ? links(next) : [])]
      }
      for (const link of links(child("expression"))) {
        const before = child(link["object"] === undefined ? "callee" : "object", link)
        const dot = link.type === "MemberExpression" && link["computed"] !== true ? "." : ""
        const rest = text.slice(before.end, node.end).replace(/^\s*\?\./, dot)
        add("optional chain", text.slice(node.start, before.end) + rest)
      }
      break
    }
    case "CallExpression": {
      const callee = child("callee")
      const property = callee["property"]
      const other = methods[source(callee)] ?? (isNode(property) ? methods[source(property)] : undefined)
      if (other === undefined || !isNode(property)) break
      const whole = methods[source(callee)] !== undefined
      add(
        "method",
        text.slice(node.start, whole ? callee.start : property.start) + other + text.slice(callee.end, node.end)
      )
      break
    }
    case "BlockStatement": {
      const body = node["body"]
      const constructor = text.slice(node.start, node.end).includes("super(")
      if (Array.isArray(body) && body.length > 0 && !constructor) add("block", "{}")
      break
    }
  }
  if (place.field === "body" && place.parent.type === "ArrowFunctionExpression" && node.type !== "BlockStatement") {
    add("function", "undefined")
  }
  return changes
}
