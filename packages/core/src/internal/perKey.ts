/**
 * One state per key, for a bounded number of keys: the longest unused is forgotten
 * first, one that `keep` holds dear only where all of the oldest are.
 */
export class PerKey<S> {
  private readonly states = new Map<string, S>()
  private readonly make: (key: string) => S
  private readonly keep: (state: S) => boolean

  constructor(make: (key: string) => S, keep: (state: S) => boolean) {
    this.make = make
    this.keep = keep
  }

  /** The state of the key, made where there is none; it is now the most recently used. */
  of(key: string, keysMax: number): S {
    const known = this.states.get(key)
    if (known !== undefined) {
      // A Map keeps the order of insertion: its first key is the longest unused.
      this.states.delete(key)
      this.states.set(key, known)
      return known
    }
    while (this.states.size >= Math.max(1, keysMax)) this.states.delete(this.oldest())
    const state = this.make(key)
    this.states.set(key, state)
    return state
  }

  /** The state of the key, if there is one. */
  find(key: string): S | undefined {
    return this.states.get(key)
  }

  /** All states. */
  all(): ReadonlyArray<S> {
    return [...this.states.values()]
  }

  private oldest(): string {
    let first: string | undefined
    let looked = 0
    for (const [key, state] of this.states) {
      first ??= key
      if (!this.keep(state)) return key
      if (++looked >= lookMax) break
    }
    return first ?? ""
  }
}

/** How many of the oldest are looked at before one that is dear is forgotten. */
const lookMax = 16
