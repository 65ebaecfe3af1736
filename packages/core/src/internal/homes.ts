/**
 * Where keyed requests were sent and may have been applied: only that region knows the
 * key, and asked anywhere else it might be applied twice, also when its answer was lost
 * on the way to the caller.
 */

/** So many are remembered; the oldest is forgotten first. */
export const homesMax = 10_000

/** The region, and how many attempts went there that may have been applied, or are on their way. */
interface Home {
  readonly region: string
  claims: number
}

export class Homes {
  // A Map keeps the order of insertion.
  private readonly homes = new Map<string, Home>()

  /** The region of a key that is on its way, or was or may have been applied. */
  of(key: string): string | undefined {
    return this.homes.get(key)?.region
  }

  /** An attempt begins there. */
  sent(key: string, region: string): void {
    const home = this.homes.get(key)
    if (home !== undefined) {
      home.claims++
      return
    }
    if (this.homes.size >= homesMax) {
      const [oldest] = this.homes.keys()
      if (oldest !== undefined) this.homes.delete(oldest)
    }
    this.homes.set(key, { region, claims: 1 })
  }

  /**
   * An attempt was certainly not applied. Whether the key is free now: of two requests
   * with one key the other may still be on its way.
   */
  untouched(key: string): boolean {
    const home = this.homes.get(key)
    if (home === undefined) return true
    home.claims--
    return home.claims <= 0 && this.homes.delete(key)
  }
}
