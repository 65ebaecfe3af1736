/**
 * What one session was shown: a mark for each key. Bounded; the mark whose key was shown
 * longest ago goes first.
 *
 * Keys are kept as digests, since a payload may be long. Where two keys share one, the
 * later mark counts for both: an answer may then be taken for too old, never the other
 * way round.
 */
import type { Mark } from "../ReadMarks.ts"
import { digest } from "./digest.ts"
import { later } from "./readMark.ts"

export class SessionMarks {
  // A Map keeps the order of insertion: its first key was shown longest ago.
  private readonly byDigest = new Map<string, Mark>()
  private readonly keysMax: number

  constructor(keysMax: number) {
    this.keysMax = keysMax
  }

  of(key: string): Mark | undefined {
    return this.byDigest.get(digest(key))
  }

  /** How many marks had to go for this one: none or one. */
  raise(key: string, shown: Mark): number {
    return this.raiseDigest(digest(key), shown)
  }

  raiseDigest(of: string, shown: Mark): number {
    const known = this.byDigest.get(of)
    const mark = known === undefined ? shown : later(known, shown)
    this.byDigest.delete(of)
    this.byDigest.set(of, mark)
    if (this.byDigest.size <= this.keysMax) return 0
    for (const [oldest] of this.byDigest) {
      this.byDigest.delete(oldest)
      break
    }
    return 1
  }

  get size(): number {
    return this.byDigest.size
  }

  /** The digests with their marks, the one shown longest ago first. */
  entries(): ReadonlyArray<readonly [digest: string, mark: Mark]> {
    return [...this.byDigest]
  }
}
