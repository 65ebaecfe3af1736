// `npm run check`: types, Effect diagnostics, lint and format. Every step runs, so
// one call shows everything that is wrong.
import { tool } from "./spawn.mjs"

const steps = [
  ["types (tsc)", "tsc", ["-p", "tsconfig.json"]],
  [
    "Effect diagnostics",
    "effect-tsgo",
    ["diagnostics", "--strict", "--severity", "error,warning", "--project", "tsconfig.json"]
  ],
  ["lint and format (biome)", "biome", ["check", "--error-on-warnings", "."]],
  ["tidy", "vitest", ["run", "--project", "tidy"]]
]

let failed = 0
for (const [title, command, args] of steps) {
  const { code, output } = await tool(command, args, { quiet: true })
  console.log(`${code === 0 ? "ok  " : "FAIL"} ${title}`)
  if (code !== 0) {
    failed++
    console.log(output)
  }
}
process.exit(failed === 0 ? 0 : 1)
