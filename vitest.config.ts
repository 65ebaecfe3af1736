import { defineConfig } from "vitest/config"

const conditions = ["@failsoft/source", "module", "node", "development|production"]

/** One project of tests: sources are resolved by their export condition, so nothing is built first. */
const project = (name: string, include: ReadonlyArray<string>, options: object = {}) => ({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ["@failsoft/source"] } },
  test: { name, include: [...include], exclude: ["**/node_modules/**"], ...options }
})

export default defineConfig({
  test: {
    projects: [
      // Model tests work for seconds where a machine is busy: the limit is for what hangs.
      project("core", ["packages/core/test/**/*.test.ts"], { testTimeout: 30_000 }),
      project("http", ["packages/http/test/**/*.test.ts"], { testTimeout: 20_000 }),
      project("examples", ["packages/examples/test/**/*.test.ts"], { testTimeout: 20_000 }),
      project("laws", ["test/laws/**/*.test.ts"], { testTimeout: 60_000 }),
      project("simulation", ["test/simulation/**/*.test.ts"], { testTimeout: 120_000 }),
      project("conformance", ["test/conformance/**/*.test.ts"], { testTimeout: 60_000 }),
      project("mutation", ["test/mutation/**/*.test.ts"], { testTimeout: 120_000 }),
      project("tidy", ["test/tidy/**/*.test.ts"], { testTimeout: 30_000 }),
      project("docs", ["test/docs/**/*.test.ts"], { testTimeout: 120_000 }),
      // Scenarios start real processes and wait for real sockets: one file at a time.
      project("scenarios", ["test/scenarios/**/*.test.ts"], {
        testTimeout: 60_000,
        hookTimeout: 60_000,
        fileParallelism: false,
        sequence: { groupOrder: 1 }
      }),
      // Each file has a storefront of its own. Starting one takes six seconds of a processor, which the cells
      // of another would feel: one file at a time.
      project("matrix", ["test/matrix/**/*.test.ts"], {
        testTimeout: 60_000,
        hookTimeout: 90_000,
        fileParallelism: false,
        sequence: { groupOrder: 2 }
      })
    ]
  }
})
