/** Every build by its name, ours first. */
import type { Start } from "../settings.ts"

export const buildNames = ["failsoft", "cockatiel", "opossum", "effect", "naive"] as const
export type BuildName = (typeof buildNames)[number]

/** Loads only what the build needs: a process of the race is one build. */
export const builds: Readonly<Record<BuildName, () => Promise<Start>>> = {
  failsoft: async () => (await import("./failsoft.ts")).failsoft,
  cockatiel: async () => (await import("./peers.ts")).cockatiel,
  opossum: async () => (await import("./peers.ts")).opossum,
  effect: async () => (await import("./effect.ts")).effect,
  naive: async () => (await import("./peers.ts")).naive
}
