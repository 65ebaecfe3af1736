/**
 * Where keyed requests were sent and may have been applied: only that region knows the
 * key, and asked anywhere else it might be applied twice, also when its answer was lost
 * on the way to the caller.
 */

/** So many are remembered; the oldest is forgotten first. */
export const homesMax = 10_000

export class Homes {
  // A Map keeps the order of insertion.
  private readonly regions = new Map<string, string>()

  /** The region of a key that is on its way, or was or may have been applied. */
  of(key: string): string | undefined {
    return this.regions.get(key)
  }

  sent(key: string, region: string): void {
    if (this.regions.has(key)) return
    if (this.regions.size >= homesMax) {
      const [oldest] = this.regions.keys()
      if (oldest !== undefined) this.regions.delete(oldest)
    }
    this.regions.set(key, region)
  }

  /** It was certainly not applied. */
  untouched(key: string): void {
    this.regions.delete(key)
  }
}
