/** The entries of a cache, the longest unused first, bounded by their number and by their bytes. */
import type { Entry } from "./entry.ts"

/** The bounds as they are now. */
export interface Bounds {
  readonly entriesMax: number
  readonly bytesMax: number
}

export class Entries {
  bytes = 0
  // A Map keeps the order of insertion: its first key is the longest unused.
  private readonly byKey = new Map<string, Entry>()
  private readonly byTag = new Map<string, Set<string>>()

  get size(): number {
    return this.byKey.size
  }

  get(key: string): Entry | undefined {
    return this.byKey.get(key)
  }

  /** The same, and it is the last to go. */
  use(key: string): Entry | undefined {
    const entry = this.byKey.get(key)
    if (entry === undefined) return undefined
    this.byKey.delete(key)
    this.byKey.set(key, entry)
    return entry
  }

  /** Puts an entry in the place of the one with its key; those that had to go for it. */
  put(entry: Entry, bounds: Bounds): ReadonlyArray<Entry> {
    this.remove(entry.key)
    this.byKey.set(entry.key, entry)
    this.bytes += entry.bytes
    for (const tag of entry.tags) {
      const keys = this.byTag.get(tag) ?? new Set()
      this.byTag.set(tag, keys.add(entry.key))
    }
    return this.trim(bounds)
  }

  remove(key: string): Entry | undefined {
    const entry = this.byKey.get(key)
    if (entry === undefined) return undefined
    this.byKey.delete(key)
    this.bytes -= entry.bytes
    for (const tag of entry.tags) {
      const keys = this.byTag.get(tag)
      keys?.delete(key)
      if (keys?.size === 0) this.byTag.delete(tag)
    }
    return entry
  }

  /** Takes out what is over the bounds. */
  trim({ bytesMax, entriesMax }: Bounds): ReadonlyArray<Entry> {
    const gone: Array<Entry> = []
    for (const [key, entry] of this.byKey) {
      if (this.byKey.size <= entriesMax && this.bytes <= bytesMax) break
      this.remove(key)
      gone.push(entry)
    }
    return gone
  }

  tagged(tag: string): ReadonlyArray<string> {
    return [...(this.byTag.get(tag) ?? [])]
  }

  keys(): ReadonlyArray<string> {
    return [...this.byKey.keys()]
  }
}
