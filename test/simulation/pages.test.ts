import { readFileSync } from "node:fs"
import { Check } from "@failsoft/core/testing"
import { assert, it } from "vitest"

it("the page on testing outages names every rule and every kind of fault", () => {
  const text = readFileSync(new URL("../../docs/testing-outages.md", import.meta.url), "utf8")
  const rows = [...text.matchAll(/^\| (.+?)\s+\|/gm)].map(([, first]) => first)
  assert.includeMembers(rows, [...Object.keys(Check.standard), "full quality is back in time"])
})
