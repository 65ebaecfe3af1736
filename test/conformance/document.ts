/** The table as a page of the documentation. */
import { fileURLToPath } from "node:url"
import { breakerDefaults } from "./gates.ts"
import { written } from "./scenario.ts"
import { table } from "./table.ts"

/** Where the page is. */
export const page = fileURLToPath(new URL("../../docs/conformance.md", import.meta.url))

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("<", "&lt;")

const project = (source: string) => source.split(/, |: | section/)[0] ?? source

/** The whole page. */
export const document = (): string => {
  const all = Object.values(table).flat()
  const projects = new Map<string, number>()
  for (const { source } of all) projects.set(project(source), (projects.get(project(source)) ?? 0) + 1)
  const counts = [...projects].sort((a, b) => b[1] - a[1]).map(([name, count]) => `${name} ${count}`)
  const tables = Object.entries(table).map(([about, rows]) =>
    [
      `## ${about}`,
      "",
      "| scenario | known from | policy | what happens, and what must come of it |",
      "| --- | --- | --- | --- |",
      ...rows.map(({ differs, policy, says, source, steps }) =>
        [
          "",
          cell(differs === undefined ? says : `${says}. *Differs: ${differs}*`),
          cell(source),
          `\`${cell(policy)}\``,
          `\`${cell(steps)}\``,
          ""
        ]
          .join(" | ")
          .trim()
      ),
      ""
    ].join("\n")
  )
  return `# Conformance

${all.length} scenarios that other projects document or test, in our own words, run through our policies in virtual time by \`npm test -- --project conformance\`. This page is written from the table that the test runs (\`npm run conformance\`), so it cannot say anything else.

Sources: ${counts.join(", ")}. Where the source's own result is another one, the row says so and why.

How to read the steps: \`3 fail\` are three calls that pass and fail; \`begin a\` and \`end a ok\` are the two ends of a call that takes its time; \`queues b\` waits, \`runs b\` was let go, \`woken b\` may ask again; \`rejects 800\` is a refusal with the milliseconds until it makes sense to come again; \`wait 1000\` lets time pass; \`is open\` is the state that must follow. For a retry or a time limit, the script of the attempts is before the arrow; after it stand the moments at which they began, and how the call ended. Times are milliseconds.

Unless its row says otherwise, a breaker has \`${written("circuitBreaker", breakerDefaults)}\`.

How the machines themselves differ, over random histories, is in [differences](conformance-differences.md).

${tables.join("\n")}`
}
