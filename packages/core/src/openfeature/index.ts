/**
 * Flags from any provider of OpenFeature: an entry of its own, since it needs the
 * optional peer dependency `@openfeature/server-sdk`.
 *
 * @since 0.1.0
 */
export * from "./provider.ts"
