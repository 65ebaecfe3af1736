/**
 * Which mutants the type checker refuses: they could never be merged, so they count neither way. All are checked in
 * one run of the compiler, each as a copy of its file.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import type { Mutant } from "./mutants.ts"

/** The text of a file in which a mutant lives. */
export const withMutant = (text: string, { original, replacement, start }: Mutant): string =>
  text.slice(0, start) + replacement + text.slice(start + original.length)

/** What a mutant leaves unused or unreachable is untidy, and no error of its types. */
const compilerOptions = {
  noEmit: true,
  composite: false,
  declaration: false,
  declarationMap: false,
  noUnusedLocals: false,
  noUnusedParameters: false,
  noFallthroughCasesInSwitch: false,
  allowUnreachableCode: true,
  plugins: []
}

/** The errors of the mutants that have one, by the mutants' numbers. */
export const refusedByTypes = (
  root: string,
  texts: ReadonlyMap<string, string>,
  mutants: ReadonlyArray<Mutant>
): ReadonlyMap<number, string> => {
  const folder = join(root, ".data/mutants")
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const copy = (name: string, file: string, text: string) =>
    writeFileSync(
      join(folder, `${name}.ts`),
      text.replace(
        /(from |import\(|^import )"(\.[^"]+)"/gm,
        (_, before: string, path: string) => `${before}"${relative(folder, join(root, dirname(file), path))}"`
      )
    )
  for (const [nth, [file, text]] of [...texts].entries()) copy(`original-${nth}`, file, text)
  for (const mutant of mutants) copy(String(mutant.id), mutant.file, withMutant(texts.get(mutant.file) ?? "", mutant))
  const config = join(folder, "tsconfig.json")
  const base = relative(folder, join(root, "tsconfig.base.json"))
  writeFileSync(config, JSON.stringify({ extends: base, compilerOptions, include: ["*.ts"] }))
  const tsc = join(root, "node_modules/.bin/tsc")
  const { stderr, stdout } = spawnSync(tsc, ["-p", config, "--pretty", "false"], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 1 << 28
  })
  rmSync(folder, { recursive: true, force: true })
  const errors = new Map<number, string>()
  for (const [, name = "", error = ""] of stdout.matchAll(/^(?:\S*\/)?([\w-]+)\.ts\(\d+,\d+\): error (TS\d+: .*)$/gm)) {
    const id = Number(name)
    if (Number.isNaN(id)) throw new Error(`the sources have errors of their own: ${name}: ${error}`)
    if (!errors.has(id)) errors.set(id, error)
  }
  if (errors.size === 0 && (stderr !== "" || /error TS/.test(stdout))) throw new Error(`tsc: ${stderr}${stdout}`)
  return errors
}
