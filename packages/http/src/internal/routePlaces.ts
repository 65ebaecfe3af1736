/** Which priority each route has: written while routes are added, read before the router looks. */
import type { Policy, Shedder } from "@failsoft/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FindMyWay from "effect/http/FindMyWay"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"

/** Where a route stands: a priority, or outside of all shedding. */
export type Place = Shedder.Priority | "exempt"

/** A route's place, and its labels in signals. */
export interface Placed {
  readonly place: Place
  readonly row: Policy.Row
}

/** The table of one shedder. The first word about a route holds. */
export class RoutePlaces {
  private readonly router: FindMyWay.Router<Placed>
  private readonly seen = new Set<string>()
  private readonly other: Placed
  private readonly rowOf: (method: string) => Policy.Row

  constructor(config: Partial<FindMyWay.RouterConfig>, rowOf: (method: string) => Policy.Row) {
    this.router = FindMyWay.make<Placed>(config)
    this.rowOf = rowOf
    this.other = { place: "default", row: rowOf("other") }
  }

  add(method: string, path: FindMyWay.PathInput, place: Place): void {
    const name = `${method} ${path}`
    if (this.seen.has(name)) return
    this.seen.add(name)
    const placed: Placed = { place, row: this.rowOf(name) }
    // The router serves the bare path of a wildcard too.
    const paths: ReadonlyArray<FindMyWay.PathInput> = path.endsWith("/*") ? [path, bare(path)] : [path]
    for (const of of paths) {
      if (method === "*") this.router.all(of, placed)
      else this.router.on(method, of, placed)
    }
  }

  find(method: string, url: string): Placed {
    if (this.seen.size === 0) return this.other
    const found = this.router.find(method, url) ?? (method === "HEAD" ? this.router.find("GET", url) : undefined)
    return found?.handler ?? this.other
  }
}

const bare = (path: string): FindMyWay.PathInput => `/${path.slice(1, -2)}`

/** The table of the current shedder, where there is one. */
export const Places: Context.Reference<RoutePlaces | undefined> = Context.Reference<RoutePlaces | undefined>(
  "@failsoft/http/internal/Places",
  { defaultValue: () => undefined }
)

/** A router that writes down the place of every route that is added by it. */
const writing = (
  router: HttpRouter.HttpRouter,
  note: (method: string, path: FindMyWay.PathInput) => void,
  prefix = ""
): HttpRouter.HttpRouter => {
  const noted = (method: string, path: string) =>
    Effect.sync(() => note(method, path === "*" ? "*" : `/${(prefix + path).slice(1)}`))
  return {
    ...router,
    prefixed: (more) => writing(router.prefixed(more), note, prefix + more.replace(/\/+$/, "")),
    add: (method, path, handler, options) =>
      Effect.andThen(noted(method, path), router.add(method, path, handler, options)),
    addAll: (routes) =>
      Effect.andThen(
        Effect.forEach(routes, ({ method, path }) => noted(method, path), { discard: true }),
        router.addAll(routes)
      )
  }
}

/** Gives every route of a layer its place; without a shedder above it changes nothing. */
export const placing =
  (place: Place) =>
  <A, E, R>(routes: Layer.Layer<A, E, R>): Layer.Layer<A, E, R | HttpRouter.HttpRouter> =>
    Layer.provide(
      routes,
      Layer.effect(
        HttpRouter.HttpRouter,
        Effect.gen(function* () {
          const router = yield* HttpRouter.HttpRouter
          const places = yield* Places
          return places === undefined ? router : writing(router, (method, path) => places.add(method, path, place))
        })
      )
    )
