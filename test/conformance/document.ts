/** The table as a page of the documentation. */
import { fileURLToPath } from "node:url"
import { breakerDefaults } from "./gates.ts"
import { type Scenario, written } from "./scenario.ts"
import { cited } from "./sources.ts"
import { table } from "./table.ts"

/** Where the page is. */
export const page = fileURLToPath(new URL("../../docs/conformance.md", import.meta.url))

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("<", "&lt;")

const row = ({ differs, policy, says, source, steps }: Scenario): string =>
  [
    "",
    cell(differs === undefined ? says : `${says}. *Differs: ${differs}*`),
    cell(cited(source)),
    source.place.where === undefined ? "–" : "✓",
    `\`${cell(policy)}\``,
    `\`${cell(steps)}\``,
    ""
  ]
    .join(" | ")
    .trim()

/** How many rows each project has, the largest number first. */
const byProject = (rows: ReadonlyArray<Scenario>): string => {
  const counts = new Map<string, number>()
  for (const { source } of rows) counts.set(source.place.project, (counts.get(source.place.project) ?? 0) + 1)
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([name, count]) => `${name} ${count}`)
    .join(", ")
}

/** The opened files and pages, by project. */
const places = (rows: ReadonlyArray<Scenario>): string => {
  const all = new Map(
    rows.flatMap(({ source: { place } }) => (place.where === undefined ? [] : [[place.where, place]]))
  )
  return [...all.values()]
    .map(({ name, project, where }) => `| ${project} | ${name} | ${where} |`)
    .sort()
    .join("\n")
}

/** The whole page. */
export const document = (): string => {
  const all = Object.values(table).flat()
  const read = all.filter(({ source }) => source.place.where !== undefined)
  const unread = all.filter(({ source }) => source.place.where === undefined)
  const tables = Object.entries(table).map(([about, rows]) =>
    [
      `## ${about}`,
      "",
      "| scenario | known from | read | policy | what happens, and what must come of it |",
      "| --- | --- | --- | --- | --- |",
      ...rows.map(row),
      ""
    ].join("\n")
  )
  return `# Conformance

${all.length} scenarios that other projects document or test, in our own words, run through our policies in virtual time by \`npm test -- --project conformance\`. This page is written from the table that the test runs (\`npm run conformance\`), so it cannot say anything else.

Sources: ${byProject(all)}. Where the source's own result is another one, the row says so and why.

The column *read* says how far the source may be trusted. \`✓\`, ${read.length} rows (${byProject(read)}): the place was opened while the row was written, and says what the row says, or what the row's *Differs* says of it; the files, with the version that was read, are [below](#what-was-read). \`–\`, ${unread.length} rows: commonly described, not read again for this table. The numbers are ours where the source has none, or has those of its own clock. An opened source says what that version did, not what a later one does.

How to read the steps: \`3 fail\` are three calls that pass and fail; \`begin a\` and \`end a ok\` are the two ends of a call that takes its time; \`queues b\` waits, \`runs b\` was let go, \`woken b\` may ask again; \`rejects 800\` is a refusal with the milliseconds until it makes sense to come again; \`wait 1000\` lets time pass; \`is open\` is the state that must follow; \`burst 10 50\` are ten calls at once that take 50 ms, and \`limit grows\` compares with where it last was. For a retry, a hedge or a time limit, the script of the attempts is before the arrow; after it stand the moments at which they began, and how the call ended. Times are milliseconds.

Unless its row says otherwise, a breaker has \`${written("circuitBreaker", breakerDefaults)}\`.

How the machines themselves differ, over random histories, is in [differences](conformance-differences.md).

${tables.join("\n")}
## What was read

| project | name | where |
| --- | --- | --- |
${places(all)}
`
}
