/** The key that identity signs with: made once, and kept where a restart finds it. */
import { generateKeyPairSync, randomUUID } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Schema from "effect/Schema"

/** A private key as RFC 8037 writes it, with the name that its tokens carry. */
const SigningKey = Schema.Struct({
  kty: Schema.Literal("OKP"),
  crv: Schema.Literal("Ed25519"),
  x: Schema.String,
  d: Schema.String,
  kid: Schema.String
})

/** A private key with its name. */
export type SigningKey = typeof SigningKey.Type

const fromText = Schema.decodeUnknownSync(Schema.fromJsonString(SigningKey))
const toText = Schema.encodeSync(Schema.fromJsonString(SigningKey))

const generate = (): SigningKey =>
  Schema.decodeUnknownSync(SigningKey)({
    ...generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }),
    kid: randomUUID()
  })

/** The key of a folder; without one it lives in memory only. Throws where it cannot be read or written. */
export const open = (folder: string | undefined): SigningKey => {
  if (folder === undefined) return generate()
  mkdirSync(folder, { recursive: true })
  const file = join(folder, "identity-key.json")
  if (existsSync(file)) {
    try {
      return fromText(readFileSync(file, "utf8"))
    } catch {
      throw new Error(`${file} cannot be read: mend it, or remove it to sign with another key`)
    }
  }
  const key = generate()
  // Whole or not at all, and for nobody else to read. What somebody has left there would keep its
  // mode, and a link would lead elsewhere: the file is always a new one.
  rmSync(`${file}.new`, { force: true })
  writeFileSync(`${file}.new`, toText(key), { flag: "wx", mode: 0o600 })
  renameSync(`${file}.new`, file)
  return key
}
