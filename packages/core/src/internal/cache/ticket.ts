/**
 * What is on its way into a cache, so that what is invalidated meanwhile does not
 * come back: a load that began before a write must not bring what was before it.
 */

/** More words than this in one load: then nothing of it is kept. */
const wordsMax = 1000

export class Ticket {
  private all = false
  private readonly words = new Set<string>()

  /** Everything was invalidated. */
  voidAll(): void {
    this.all = true
    this.words.clear()
  }

  voidKey(key: string): void {
    this.add(`k${key}`)
  }

  voidTag(tag: string): void {
    this.add(`t${tag}`)
  }

  /** Whether an entry that was on its way may still be kept. */
  keeps(key: string, tags: ReadonlyArray<string>): boolean {
    return !this.all && !this.words.has(`k${key}`) && !tags.some((tag) => this.words.has(`t${tag}`))
  }

  private add(word: string): void {
    if (this.words.size >= wordsMax) this.voidAll()
    if (!this.all) this.words.add(word)
  }
}
