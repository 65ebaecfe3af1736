/**
 * The header `Session-Read-Mark`: what a client's session was shown, carried by the
 * client itself, so that any process knows it.
 *
 * For each mark 16 hexadecimal digits of its key, the time at which its answer came in
 * milliseconds, base 36, and, where that answer may be shown again, a dash and how many
 * milliseconds its call had taken; one mark after another with dots between, the one
 * shown longest ago first. Without the second time each answer of a cache could be shown
 * once only, since its load began before it came.
 *
 * It is not signed: all that a forged one can do is to keep older answers from who sent
 * it. A time to come is kept as it is: who has a clock that is behind must not lower it.
 */
import type { ReadMarks } from "@failsoft/core"

/** The name of the field. */
export const name = "session-read-mark"

/** The most marks of a field. */
export const marksMax = 100

/** The latest time that nine digits hold. A later one is written as this: it is as far from now. */
const timeMax = 36 ** 9 - 1

/** 16 digits, two times of nine digits, a dash and a dot. */
const lengthMax = marksMax * 36

const form = /^([0-9a-f]{16})([0-9a-z]{1,9})(?:-([0-9a-z]{1,9}))?$/

type Entry = readonly [digest: string, mark: ReadMarks.Mark]

/** The marks of a field, none where it is anything else than such a list. */
export const read = (field: string): ReadonlyArray<Entry> => {
  if (field.length > lengthMax) return []
  const parts = field.split(".")
  if (parts.length > marksMax) return []
  const entries: Array<Entry> = []
  for (const part of parts) {
    const [, digest, time, took] = form.exec(part) ?? []
    if (digest === undefined || time === undefined) return []
    const cameAt = Number.parseInt(time, 36)
    entries.push([digest, { cameAt, begunAt: took === undefined ? undefined : cameAt - Number.parseInt(took, 36) }])
  }
  return entries
}

/** The field of these marks: always one that can be read. */
export const write = (marks: ReadMarks.CarriedMarks): string =>
  marks
    .entries()
    .map(([digest, mark]) => `${digest}${times(mark)}`)
    .join(".")

const times = ({ begunAt, cameAt }: ReadMarks.Mark): string => {
  const time = Math.min(Math.max(0, Math.ceil(cameAt)), timeMax)
  const took = begunAt === undefined ? -1 : cameAt - begunAt
  return Number.isInteger(took) && took >= 0 && took <= timeMax
    ? `${time.toString(36)}-${took.toString(36)}`
    : time.toString(36)
}
