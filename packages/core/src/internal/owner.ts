/** Whose an answer is, as the part of a key: equal for the same owner only. */
import type { Known } from "../Caller.ts"
import type { Scope } from "../Contract.ts"

/** An empty text names nobody: a header that came without its value. */
const named = (of: string | undefined): string | undefined => (of === "" ? undefined : of)

/**
 * The owner of what a method of this scope answers: `""` where it is everybody's,
 * nothing where it belongs to somebody and nobody knows to whom.
 */
export const ownerOf = (scope: Scope, caller: Known): string | undefined => {
  const tenant = named(caller.tenant)
  switch (scope) {
    case "public":
      return ""
    case "tenant":
      return tenant === undefined ? undefined : JSON.stringify([tenant])
    case "principal": {
      const principal = named(caller.principal)
      return principal === undefined ? undefined : JSON.stringify([tenant ?? null, principal])
    }
  }
}
