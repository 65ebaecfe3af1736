/** Prints the hashes of a few runs, for a test that compares fresh processes. */
import { Simulation, Trace } from "@failsoft/core/testing"
import { hashed } from "./shop.ts"

console.log(hashed(Simulation.run, Trace.hash).join(" "))
