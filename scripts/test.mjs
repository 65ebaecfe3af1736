// `npm test`: all tests and the type tests, then one plain line with the sum.
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { stripVTControlCharacters as stripAnsi } from "node:util"
import { tool } from "./spawn.mjs"

const folder = mkdtempSync(join(tmpdir(), "failsoft-test-"))
const report = join(folder, "report.json")
const only = process.argv.slice(2)

const vitest = await tool("vitest", [
  "run",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${report}`,
  ...only
])
const types = only.length > 0 ? { code: 0, output: "" } : await tool("tstyche", [])

/** The counts of vitest's report; one failure where there is none to read. */
const counted = () => {
  try {
    const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(readFileSync(report, "utf8"))
    return { passed: numPassedTests, failed: Math.max(numFailedTests, numFailedTestSuites > 0 ? 1 : 0) }
  } catch {
    return { passed: 0, failed: 1 }
  }
}

/** The counts of the lines "Tests: 15 passed" and "Suppressed: 1 failed, 11 matched" (the expected errors). */
const typeCounts = () => {
  const count = (line, word) =>
    Number(new RegExp(`^${line}:.*?(\\d+) ${word}`, "m").exec(stripAnsi(types.output))?.[1] ?? 0)
  return {
    passed: count("Tests", "passed") + count("Suppressed", "matched"),
    failed: count("Tests", "failed") + count("Suppressed", "failed") + count("Assertions", "failed")
  }
}

const a = counted()
const b = typeCounts()
rmSync(folder, { recursive: true, force: true })
const failed = a.failed + b.failed
// A run that fails without counting a failure must not look green.
const hidden = failed === 0 && (vitest.code !== 0 || types.code !== 0) ? 1 : 0
console.log(`\n${a.passed + b.passed} passed, ${failed + hidden} failed`)
process.exit(failed + hidden === 0 && a.passed > 0 ? 0 : 1)
