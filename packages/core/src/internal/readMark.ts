/**
 * What a session was shown of a key, and what it may be shown after that.
 *
 * Nobody tells when an answer was read, only between which two times: not before its
 * call began, and not after it came. So what was shown counts from when it came, and
 * what may be shown from when its call began; only the answer that was shown last may
 * be shown again in between, since it is the same.
 */
import type { Mark } from "../ReadMarks.ts"

/** Whether an answer is not older than what the mark tells of; one without `cameAt` is on its way. */
export const mayFollow = (mark: Mark | undefined, begunAt: number, cameAt: number | undefined): boolean =>
  mark === undefined ||
  begunAt >= mark.cameAt ||
  (mark.begunAt !== undefined && begunAt === mark.begunAt && cameAt === mark.cameAt)

/**
 * The mark of a session that was shown both. Where none of them began after the other
 * had come (calls that overlapped, clocks that differ), nobody knows which is older, and
 * none may be shown again.
 */
export const later = (a: Mark, b: Mark): Mark => {
  if (b.begunAt !== undefined && b.begunAt >= a.cameAt) return b
  if (a.begunAt !== undefined && a.begunAt >= b.cameAt) return a
  if (a.begunAt === b.begunAt && a.cameAt === b.cameAt) return a
  return { begunAt: undefined, cameAt: Math.max(a.cameAt, b.cameAt) }
}
