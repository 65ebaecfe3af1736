/** The downstreams by name, each with the offset of its port. */
import * as Catalog from "./catalog.ts"
import * as Identity from "./identity.ts"
import * as Inventory from "./inventory.ts"
import type { Downstream } from "./Operation.ts"
import * as Payments from "./payments.ts"
import * as Recommendations from "./recommendations.ts"
import * as Shipping from "./shipping.ts"

/** Their names, in the order of their ports. A region is an entry of its own, and so is a carrier. */
export const names = [
  "identity",
  "catalog.eu",
  "inventory",
  "payments",
  "recommendations",
  "catalog.us",
  "shipping.dhl",
  "shipping.ups"
] as const

/** The name of a downstream server. */
export type Name = (typeof names)[number]

/** The servers that a name means: `catalog` alone means all its regions, `shipping` all carriers. */
export const resolve = (name: string): ReadonlyArray<Name> =>
  names.filter((known) => known === name || known.split(".")[0] === name)

/** Makes the downstream of a name; `folder` is where it keeps what must survive. */
export const make = (name: Name, folder: string | undefined): Downstream => {
  switch (name) {
    case "identity":
      return Identity.make(folder)
    case "catalog.eu":
    case "catalog.us":
      return Catalog.make()
    case "inventory":
      return Inventory.make(folder)
    case "payments":
      return Payments.make(folder)
    case "recommendations":
      return Recommendations.make()
    case "shipping.dhl":
    case "shipping.ups":
      return Shipping.make(name)
  }
}

/** Of how many downstreams a name is one: itself, and what it is a region of. */
const namesOf = (name: Name): ReadonlyArray<string> => {
  const [whole = name] = name.split(".")
  return whole === name ? [name] : [name, whole]
}

const operations = names.map((name) => ({ name, operations: make(name, undefined).operations }))

/** The methods of each downstream, as plans of faults name them. */
export const methods: Readonly<Record<string, ReadonlyArray<string>>> = Object.fromEntries(
  operations.map((of) => [of.name, of.operations.flatMap(({ serves }) => serves)])
)

/** Methods that nobody can tell apart by their requests. */
export const shared = operations.flatMap((of) =>
  of.operations.flatMap(({ serves }) => (serves.length > 1 ? [{ downstreams: namesOf(of.name), serves }] : []))
)
