/**
 * What one session was shown: for each key the time as of which the latest answer was
 * true. Bounded; the mark whose key was shown longest ago goes first.
 *
 * Keys are kept as digests, since a payload may be long. Where two keys share one, the
 * later mark counts for both: an answer may then be taken for too old, never the other
 * way round.
 */
import { digest } from "./digest.ts"

export class SessionMarks {
  // A Map keeps the order of insertion: its first key was shown longest ago.
  private readonly byDigest = new Map<string, number>()
  private readonly keysMax: number

  constructor(keysMax: number) {
    this.keysMax = keysMax
  }

  of(key: string): number | undefined {
    return this.byDigest.get(digest(key))
  }

  /** How many marks had to go for this one: none or one. */
  raise(key: string, asOf: number): number {
    return this.raiseDigest(digest(key), asOf)
  }

  raiseDigest(of: string, asOf: number): number {
    const mark = Math.max(asOf, this.byDigest.get(of) ?? asOf)
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
  entries(): ReadonlyArray<readonly [digest: string, asOf: number]> {
    return [...this.byDigest]
  }
}
