/** Imports each snippet in turn; a snippet that throws, or an effect of it that fails, ends the process. */
import { basename } from "node:path"
import { pathToFileURL } from "node:url"

for (const file of process.argv.slice(2)) {
  console.log(`-- ${basename(file)}`)
  await import(pathToFileURL(file).href)
}
