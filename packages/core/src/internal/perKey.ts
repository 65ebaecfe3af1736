/**
 * One state per key, for a bounded number of keys: the longest unused is forgotten
 * first, and one that `keep` holds dear only where all of them are.
 *
 * Those found dear when room was needed are kept apart, so that many of them do not
 * make each new key look at all: the whole is looked through only where nothing else
 * is left.
 */
export class PerKey<S> {
  private readonly plain = new Map<string, S>()
  private readonly dear = new Map<string, S>()
  private readonly make: (key: string) => S
  private readonly keep: (state: S) => boolean

  constructor(make: (key: string) => S, keep: (state: S) => boolean) {
    this.make = make
    this.keep = keep
  }

  /** The state of the key, made where there is none; it is now the most recently used. */
  of(key: string, keysMax: number): S {
    let state = this.plain.get(key) ?? this.dear.get(key)
    if (state === undefined) {
      while (this.size >= Math.max(1, keysMax)) this.forget()
      state = this.make(key)
    } else if (!this.plain.delete(key)) this.dear.delete(key)
    // A Map keeps the order of insertion: its first key is the longest unused.
    this.plain.set(key, state)
    return state
  }

  /** The state of the key, if there is one. */
  find(key: string): S | undefined {
    return this.plain.get(key) ?? this.dear.get(key)
  }

  /** How many keys have a state. */
  get size(): number {
    return this.plain.size + this.dear.size
  }

  /** All states. */
  all(): ReadonlyArray<S> {
    return [...this.dear.values(), ...this.plain.values()]
  }

  private forget(): void {
    for (const [key, state] of this.plain) {
      this.plain.delete(key)
      if (!this.keep(state)) return
      this.dear.set(key, state)
    }
    for (const [key, state] of this.dear) {
      if (this.keep(state)) continue
      this.dear.delete(key)
      return
    }
    const [oldest] = this.dear.keys()
    if (oldest !== undefined) this.dear.delete(oldest)
  }
}
