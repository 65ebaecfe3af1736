/** What a newcomer sees when the storefront is up. */
import type { Settings } from "./settings.ts"

/** The URLs, and three lines to try. */
export const banner = ({ port, adminPort, downstreamPort }: Settings): string => `
The storefront is up.
  API     http://127.0.0.1:${port}       docs at /docs, health at /health
  admin   http://127.0.0.1:${adminPort}       /admin/downstreams, /admin/settings, /admin/faults
  downstreams ${downstreamPort === 0 ? "on free ports" : `from port ${downstreamPort}`}: identity, catalog.eu, inventory, payments, recommendations, catalog.us, shipping.dhl, shipping.ups

Try, in another terminal:
  curl -s http://127.0.0.1:${port}/products/sku-1
  curl -s -X PUT http://127.0.0.1:${adminPort}/admin/faults/inventory -H 'content-type: application/json' -d '{"kind":"down"}'
  curl -si http://127.0.0.1:${port}/products/sku-1

The second line breaks the inventory, the third shows the page without it; -X DELETE instead of PUT mends it.
Ctrl-C stops everything.
`
