/**
 * Which fields of records are secret, and so never leave the daemon in a stream of records. This is
 * the one place: a noun whose record holds a key or a password gets its line here.
 */
import type { Noun, NounRecords } from '../../model/snapshot.ts'

/** A field, or a field inside one: `source.parameters`. */
type FieldPath<Record> = (keyof Record & string) | `${keyof Record & string}.${string}`
type SecretFields = { readonly [N in Noun]?: readonly FieldPath<NounRecords[N]>[] }

/** What stands in the place of a secret, so that a reader sees that there is one. */
export const MASK = '********'

/**
 * Parameters of stacks: those with NoEcho are known to the template alone, so all are masked, and
 * so are the properties that they went into. User data: people put passwords there.
 */
const SECRET_FIELDS: SecretFields = {
  instance: ['userData'],
  stack: ['source.parameters', 'previousSource.parameters'],
  changeSet: ['source.parameters'],
  stackResource: ['properties', 'attempts', 'replaced.properties'],
  stackEvent: ['properties'],
  vpnConnection: ['tunnels.preSharedKey']
}

/** The record itself when it has no secrets, else a copy with MASK in their place. */
export function withoutSecrets (
  noun: Noun, record: object, secretFields: SecretFields = SECRET_FIELDS
): object {
  return (secretFields[noun] ?? []).reduce<object>(
    (copy, path) => masked(copy, path.split('.')) as object, record)
}

/** A copy of `value` with every value under `path` masked; null stays, since it says "none". */
function masked (value: unknown, path: readonly string[]): unknown {
  if (value === null || value === undefined) return value
  if (Array.isArray(value)) return value.map((item) => masked(item, path))
  const [name, ...rest] = path
  if (typeof value !== 'object') return name === undefined ? MASK : value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) =>
    [key, name === undefined || key === name ? masked(inner, rest) : inner as unknown]))
}
