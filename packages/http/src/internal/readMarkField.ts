/**
 * The header `Session-Read-Mark`: what a client's session was shown, carried by the
 * client itself, so that any process knows it.
 *
 * For each mark 16 hexadecimal digits of its key and its time in milliseconds, base 36,
 * one after another with dots between, the one shown longest ago first. It is not signed:
 * all that a forged one can do is to keep older answers from who sent it, and a time to
 * come counts as now.
 */
import type { ReadMarks } from "@failsoft/core"

/** The name of the field. */
export const name = "session-read-mark"

/** The most marks of a field. */
export const marksMax = 100

/** A mark takes 24 characters until the year 2059 and 25 after it, and one for the dot. */
const lengthMax = marksMax * 26

const form = /^([0-9a-f]{16})([0-9a-z]{1,9})$/

type Entry = readonly [digest: string, asOf: number]

/** The marks of a field, none where it is anything else than such a list. */
export const read = (field: string, now: number): ReadonlyArray<Entry> => {
  if (field.length > lengthMax) return []
  const entries: Array<Entry> = []
  for (const part of field.split(".")) {
    const [, digest, time] = form.exec(part) ?? []
    if (digest === undefined || time === undefined) return []
    entries.push([digest, Math.min(Number.parseInt(time, 36), now)])
  }
  return entries
}

/** The field of these marks. */
export const write = (marks: ReadMarks.CarriedMarks): string =>
  marks
    .entries()
    .map(([digest, asOf]) => `${digest}${Math.max(0, Math.floor(asOf)).toString(36)}`)
    .join(".")
