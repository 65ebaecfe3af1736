/** Whose request it is, as a short text of a bounded length. */
import { createHash } from "node:crypto"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"

/** An address without its port; of IPv6 the first 64 bits, which one client has all to itself. */
export const networkOf = (address: string): string => {
  const v4 = /^(?:::ffff:)?(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(address)?.[1]
  if (v4 !== undefined) return v4
  if (!address.includes(":")) return address
  const [before = "", after] = address.replace(/%.*$/, "").toLowerCase().split("::")
  const groups = before === "" ? [] : before.split(":")
  const last = after === undefined || after === "" ? [] : after.split(":")
  const missing = after === undefined ? 0 : Math.max(0, 8 - groups.length - last.length)
  const all = [...groups, ...Array.from({ length: missing }, () => "0"), ...last]
  return `${all
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")}::/64`
}

/** The address that the connection comes from. */
export const remoteAddress = (request: HttpServerRequest.HttpServerRequest): string =>
  request.remoteAddress._tag === "Some" ? networkOf(request.remoteAddress.value) : "unknown"

/** A secret, or a text of any length, as a text that tells nobody what it was. */
export const digest = (text: string): string => createHash("sha256").update(text).digest("base64url").slice(0, 22)
