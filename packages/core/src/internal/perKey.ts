/**
 * One state per key, for a bounded number of keys: the longest unused is forgotten
 * first, and one that `keep` holds dear only where no other is found.
 *
 * Those found dear when room was needed are kept apart, so that a new key looks at a
 * few states only, however many are dear: an attacker who invents keys must not make
 * each of them cost as much as all the others together.
 */

/** So many of the dear ones a new key looks at. */
const looksMax = 8

/** What happens to a new key when all others are dear: the oldest is forgotten, or the new ones share one state. */
export type Crowded = "forget" | "share"

export class PerKey<S> {
  private readonly plain = new Map<string, S>()
  private readonly dear = new Map<string, S>()
  private readonly make: (key: string) => S
  private readonly keep: (state: S) => boolean
  private readonly crowded: Crowded
  private sharedState: S | undefined = undefined

  constructor(make: (key: string) => S, keep: (state: S) => boolean, crowded: Crowded = "forget") {
    this.make = make
    this.keep = keep
    this.crowded = crowded
  }

  /** The state of the key, made where there is none; it is now the most recently used. */
  of(key: string, keysMax: number): S {
    let state = this.plain.get(key) ?? this.dear.get(key)
    if (state === undefined) {
      while (this.size >= Math.max(1, keysMax)) if (!this.forget()) return this.common()
      state = this.make(key)
    } else if (!this.plain.delete(key)) this.dear.delete(key)
    // A Map keeps the order of insertion: its first key is the longest unused.
    this.plain.set(key, state)
    return state
  }

  /** The state of the key, if there is one of its own. */
  find(key: string): S | undefined {
    return this.plain.get(key) ?? this.dear.get(key)
  }

  /** The state of those who came while all keys were dear, once there was one. */
  get shared(): S | undefined {
    return this.sharedState
  }

  /** How many keys have a state of their own. */
  get size(): number {
    return this.plain.size + this.dear.size
  }

  /** All states. */
  all(): ReadonlyArray<S> {
    const own = [...this.dear.values(), ...this.plain.values()]
    return this.sharedState === undefined ? own : [...own, this.sharedState]
  }

  private common(): S {
    this.sharedState ??= this.make("")
    return this.sharedState
  }

  /** Makes room; whether there was any to make. */
  private forget(): boolean {
    for (const [key, state] of this.plain) {
      this.plain.delete(key)
      if (!this.keep(state)) return true
      this.dear.set(key, state)
    }
    let looks = 0
    for (const [key, state] of this.dear) {
      if (looks++ === looksMax) break
      const dear = this.keep(state)
      if (dear && this.crowded === "forget") continue
      this.dear.delete(key)
      if (!dear) return true
      // Behind the others, so that the next key looks further on.
      this.dear.set(key, state)
    }
    if (this.crowded === "share") return false
    const [oldest] = this.dear.keys()
    return oldest !== undefined && this.dear.delete(oldest)
  }
}
