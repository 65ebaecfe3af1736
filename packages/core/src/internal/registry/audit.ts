/** The latest changes. */
import type { Change } from "../../Settings.ts"

const changesMax = 1000

export class Audit {
  private readonly changes: Array<Change> = []

  /** The newest first. */
  list(): ReadonlyArray<Change> {
    return [...this.changes].reverse()
  }

  note(change: Change): void {
    this.changes.push(change)
    if (this.changes.length > changesMax) this.changes.shift()
  }
}
