/** A counterexample as a person reads it. */
import type { Host } from "../Host.ts"
import type { Found, Outcome } from "./campaign.ts"
import { html } from "./html.ts"
import * as story from "./story.ts"
import * as timeline from "./timeline.ts"

const planText = ({ run }: Found): ReadonlyArray<string> => [
  ...run.plan.faults.map((of) => `  ${JSON.stringify(of)}`),
  ...(run.plan.disturbances ?? []).map((of) => `  ${JSON.stringify(of)}`)
]

const kinds = { matrix: "a single fault", pairs: "two faults at once", random: "a random plan" }

const opening = ({ stage, runs, shrinkRuns }: Found): string => {
  switch (stage) {
    case "control":
      return `found in run ${runs}, WITHOUT ANY FAULT: the limits of the composition do not carry this traffic`
    case "kept case":
    case "replay":
      return "found again: the case that was kept still breaks it"
    default:
      return `found in run ${runs} (${kinds[stage]}), made small in ${shrinkRuns} more`
  }
}

/** The line that replays it. */
export const replayLine = ({ file, case: record }: Found, host: Host): string => {
  const command = host.command ?? "<the command that ran this test>"
  return `SIM_REPLAY=${file ?? `'${JSON.stringify(record)}'`} ${command}`
}

/** The report of a broken promise. */
export const text = (outcome: Outcome, found: Found, host: Host): string => {
  const { trace, violation } = found.judged
  if (violation === undefined) return ""
  const facts = Object.entries(host.facts()).map(([name, value]) => `${name} ${value}`)
  const aborts = found.run.arrivals.filter(({ abortAfter }) => abortAfter !== undefined).length
  return [
    `${outcome.name}: BROKEN: ${violation.rule}`,
    `  ${violation.detail}`,
    `  at ${Math.round(violation.at)} ms of virtual time${violation.request === undefined ? "" : `, request ${violation.request}`}`,
    `  ${opening(found)}`,
    "",
    `The smallest plan, with ${found.run.arrivals.length} requests${aborts > 0 ? `, ${aborts} of which are given up` : ""}, preemption ${found.run.preemption}, seed ${found.run.seed}:`,
    ...planText(found),
    ...(found.run.plan.faults.length === 0 ? ["  no faults"] : []),
    "",
    timeline.text(trace),
    ...(violation.request === undefined ? [] : ["", "The request:", story.text(trace, violation.request)]),
    "",
    ...(facts.length > 0 ? [facts.join(", ")] : []),
    `replay: ${replayLine(found, host)}`
  ].join("\n")
}

/** The same as a page of its own. */
export const page = (name: string, found: Found, host: Host): string => {
  const { trace, violation } = found.judged
  if (violation === undefined) return ""
  const { detail, at, request, rule } = violation
  return html(trace, {
    title: `${name}: ${rule}`,
    detail,
    at,
    request,
    story: request === undefined ? "" : story.text(trace, request),
    plan: planText(found).join("\n").trim() || "no faults",
    replay: replayLine(found, host),
    facts: [opening(found), ...Object.entries(host.facts()).map(([word, value]) => `${word} ${value}`)].join(", ")
  })
}
