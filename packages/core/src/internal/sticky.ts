/**
 * Which side of a split a key is on: a hash, so that the same key is on the same side
 * in every process and after every restart, with nothing remembered.
 *
 * MurmurHash3 (x86, 32 bits; Appleby 2011) over the UTF-16 code units of the key, two
 * to a block. The seed is the hash of the flag's name: who is early with one flag is
 * not early with all of them.
 */

/** The number of buckets: a bucket is a whole number from 0 up to this. */
export const buckets = 0x1_0000_0000

const mixed = (k: number): number => {
  const a = Math.imul(k, 0xcc9e2d51)
  return Math.imul((a << 15) | (a >>> 17), 0x1b873593)
}

/** Every bit of what goes in moves every bit of what comes out. */
const finished = (h: number): number => {
  const a = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  const b = Math.imul(a ^ (a >>> 13), 0xc2b2ae35)
  return (b ^ (b >>> 16)) >>> 0
}

/** The bucket of a key. */
export const bucket = (seed: number, key: string): number => {
  const { length } = key
  let h = seed
  let at = 0
  for (; at + 1 < length; at += 2) {
    h ^= mixed(key.charCodeAt(at) | (key.charCodeAt(at + 1) << 16))
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
  }
  if (at < length) h ^= mixed(key.charCodeAt(at))
  return finished(h ^ (length * 2))
}

/** The seed of a name. */
export const seedOf = (name: string): number => bucket(0, name)

/**
 * How many of the buckets, from 0 up, a share in percent takes. A larger share takes
 * these and more, so raising it moves nobody back.
 */
export const thresholdOf = (percent: number): number => Math.round((percent / 100) * buckets)

/** One part of a weighted split. */
export interface Part<out V extends string> {
  readonly value: V
  readonly seed: number
  readonly weight: number
}

/**
 * The part of a key, by weighted rendezvous hashing (Thaler and Ravishankar 1998):
 * where a weight grows, keys come to that part and no key moves between two others.
 */
export const pick = <V extends string>(
  parts: readonly [Part<V>, ...ReadonlyArray<Part<V>>],
  seed: number,
  key: string
) => {
  const of = bucket(seed, key)
  let [best] = parts
  let least = Number.POSITIVE_INFINITY
  for (const part of parts) {
    // From 0 to 1 without both, so that the logarithm is finite and not zero.
    const draw = (finished(of ^ part.seed) + 0.5) / buckets
    const score = -Math.log(draw) / part.weight
    if (score >= least) continue
    least = score
    best = part
  }
  return best.value
}
