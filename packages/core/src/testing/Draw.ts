/**
 * Random numbers that are functions of a key, never of a sequence.
 *
 * **Details**
 *
 * Taking one request or one fault away does not change the luck of the others, and a
 * server in another process draws the same. FNV-1a over the key, then Murmur3's mix.
 *
 * **Gotchas**
 *
 * For tests and drills: it is no source of secrets.
 *
 * **Example** (the luck of the seventh request)
 *
 * ```ts
 * import { Draw } from "@failsoft/core/testing"
 *
 * console.log(Draw.draw("payments", 7) === Draw.draw("payments", 7))
 * ```
 *
 * @since 0.1.0
 */

/** A step of FNV-1a over one number. */
const mixed = (hash: number, value: number): number => Math.imul(hash ^ value, 0x01000193)

/** Murmur3's final mix, since FNV's low bits are weak; from 0 up to 1. */
const finished = (hash: number): number => {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000
}

const ofText = (hash: number, text: string): number => {
  for (let at = 0; at < text.length; at++) hash = mixed(hash, text.charCodeAt(at))
  return hash
}

/**
 * A number from 0 up to 1 for a key of words and whole numbers.
 *
 * @category draws
 * @since 0.1.0
 */
export const draw = (...key: ReadonlyArray<string | number>): number => {
  let hash = 0x811c9dc5
  for (const [nth, part] of key.entries()) hash = ofText(nth === 0 ? hash : mixed(hash, 47), String(part))
  return finished(hash)
}

/**
 * A seeded source of choices, for what may well be a sequence: the making of a plan.
 *
 * @category models
 * @since 0.1.0
 */
export interface Choices {
  /** From 0 up to 1. */
  readonly next: () => number
  /** A whole number from `least` to `most`. */
  readonly between: (least: number, most: number) => number
  readonly chance: (share: number) => boolean
  readonly pick: <A>(of: readonly [A, ...ReadonlyArray<A>]) => A
}

/**
 * Choices by mulberry32: the same seed gives the same on any machine.
 *
 * @category constructors
 * @since 0.1.0
 */
export const choices = (seed: number): Choices => {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1))
  return {
    next,
    between,
    chance: (share) => next() < share,
    pick: (of) => of[between(0, of.length - 1)] ?? of[0]
  }
}
