/** What a response means to a call, whichever client brought it. */
import { type Contract, ContractViolation, Transient } from "@failsoft/core"
import { pushbackOf } from "./pushback.ts"
import { transientStatus } from "./status.ts"

/** What of a row and its transport an outcome needs. */
export interface Meaning {
  /** `downstream/method`, for messages. */
  readonly label: string
  readonly permanent:
    | Readonly<Record<number, (problem: unknown, payload: never) => Contract.Method["permanent"]["Type"] | undefined>>
    | undefined
  readonly transient: (of: Transient.Transient) => unknown
}

/** The JSON of a body; an empty one is no value. Throws for what is no JSON. */
export const json = (text: string): unknown => (text === "" ? undefined : JSON.parse(text))

/** A response that is against the contract. */
export const violation = ({ label }: Pick<Meaning, "label">, detail: string, status: number) =>
  new ContractViolation.ContractViolation({ detail: `${label}: ${detail}`, status })

/** The error that a response with another status than 2xx stands for: declared, transient or against the contract. */
export const errorOf = (
  of: Meaning,
  text: string,
  status: number,
  headers: Readonly<Record<string, string | undefined>>,
  payload: unknown,
  now: number
): unknown => {
  let problem: unknown
  try {
    problem = json(text)
  } catch {
    problem = undefined
  }
  // The payload is this method's: `layer` checked the row against the contract.
  const permanent = of.permanent?.[status]?.(problem, payload as never)
  if (permanent !== undefined) return permanent
  const passing = transientStatus(status)
  if (passing === undefined) return violation(of, `the status ${status} is not declared`, status)
  return of.transient(new Transient.Transient({ ...passing, status, ...pushbackOf(headers, problem, now) }))
}
