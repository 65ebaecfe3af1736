// `npm run format`: writes what the formatter and its safe fixes would change.
import { tool } from "./spawn.mjs"

process.exit((await tool("biome", ["check", "--write", "."])).code)
