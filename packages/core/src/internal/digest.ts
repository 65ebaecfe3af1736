/** A short name for a long text. */

/**
 * Two 32-bit mixes of a text as 16 hexadecimal digits (after cyrb53, Bryc 2018). It
 * is no secret and no proof: two texts may share it, by chance or by intent, so whoever
 * uses it must bear that.
 */
export const digest = (text: string): string => {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    a = Math.imul(a ^ code, 2654435761)
    b = Math.imul(b ^ code, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return [a, b].map((of) => (of >>> 0).toString(16).padStart(8, "0")).join("")
}
