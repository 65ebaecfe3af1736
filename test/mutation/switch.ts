/** The switch that says which mutant is alive, and notes which ones a test comes by. */
import { switchName } from "./mutants.ts"

const state = { active: -1, passed: 0, limit: Number.POSITIVE_INFINITY, seen: new Set<number>() }

/** A mutant can make a loop endless; as long as it passes by any other mutant, this ends it. */
export class Endless extends Error {
  override readonly name = "Endless"
}

/** Puts the switch where the texts with mutants look for it. */
export const install = (): void => {
  Object.defineProperty(globalThis, switchName, {
    value: (id: number): boolean => {
      if (state.active === -1) state.seen.add(id)
      state.passed++
      if (state.passed > state.limit) throw new Endless("the mutant goes round for ever")
      return id === state.active
    }
  })
}

/** Lets a mutant live (`-1`: none), for at most so many passings. */
export const turn = (active: number, limit = Number.POSITIVE_INFINITY): void => {
  Object.assign(state, { active, limit, passed: 0, seen: new Set<number>() })
}

/** What was passed since the last turn. */
export const passed = (): { readonly count: number; readonly mutants: ReadonlyArray<number> } => ({
  count: state.passed,
  mutants: [...state.seen]
})
