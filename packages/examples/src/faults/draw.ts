/**
 * A random number that is a function of its key, never of a sequence: taking one
 * request away does not change the luck of the others.
 */
export const draw = (seed: string, nth: number): number => {
  // FNV-1a over the key, then a final mix (Murmur3's), since FNV's low bits are weak.
  let hash = 0x811c9dc5
  for (const char of `${seed}/${nth}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000
}
