/** The cache beside the policies of its row: its name, and whether values of its knobs fit. */
import type { Part as CachePart } from "../../Cache.ts"
import { namesOf } from "../../Composition.ts"
import type { OnOutage } from "../../Contract.ts"
import { initials } from "../../Knob.ts"
import type { Facts, Part } from "../../Policy.ts"

/** `cache`; a policy of the row may have that name: then it gets the next number. */
export const cacheName = (parts: ReadonlyArray<Pick<Part, "name">>): string =>
  namesOf([...parts, { name: "cache" }]).at(-1) ?? "cache"

/** What is wrong with a cache in a row, with these values of its knobs: a sentence each. */
export const problemsOfCache = (
  onOutage: OnOutage,
  parts: ReadonlyArray<Pick<Part, "name">>,
  part: CachePart,
  values: Facts = initials(part.knobs)
): ReadonlyArray<string> => {
  const name = cacheName(parts)
  const stale = ["staleWhileRevalidateMillis", "staleIfErrorMillis"].filter((knob) => Number(values[knob]) > 0)
  return [
    ...part.problems(values).map((problem) => `${name}.${problem}`),
    ...(onOutage === "fail"
      ? stale.map(
          (knob) =>
            `${name}.${knob} must be 0: the method fails in an outage by its contract (onOutage: "fail"), so nobody could see that its answer is stale`
        )
      : [])
  ]
}
