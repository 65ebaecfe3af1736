// `npm run build`: emits dist with types for the packages that are published.
import { tool } from "./spawn.mjs"

process.exit((await tool("tsc", ["-b", "tsconfig.build.json"])).code)
