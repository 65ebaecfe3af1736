/** Writes the matrix of the storefront into the documentation. */
import { writeFileSync } from "node:fs"
import { document, outages, page } from "./document.ts"

writeFileSync(page, document(outages()))
