/**
 * What differs between two configurations of one resource, field by field.
 *
 *     routes[192.0.2.0/24].state: "active" → "blackhole"
 *     tags[Name]: "web" → (none)
 *
 * An item of a list is known by what identifies it, and not by its place: a route by its
 * destination, an association by its id, a tag by its key. What has nothing of the kind is known by
 * all of its content, so that it comes and goes whole.
 */

export interface FieldChange {
  readonly path: string
  /** undefined: it was not there. */
  readonly before: unknown
  /** undefined: it is not there any more. */
  readonly after: unknown
}

/** Members that identify an item of a list, the first that is there. */
const IDENTITIES = [
  'destinationCidrBlock', 'destinationIpv6CidrBlock', 'destinationPrefixListId',
  'routeTableAssociationId', 'networkAclAssociationId', 'associationId', 'attachmentId',
  'networkInterfaceId', 'groupId', 'key', 'privateIpAddress', 'ipv6Address', 'cidrIp', 'cidrIpv6'
]

/** @param before null: the resource was not there @param after null: it is not there */
export function configurationDiff (before: unknown, after: unknown): FieldChange[] {
  const [old, now] = [fieldsOf(before), fieldsOf(after)]
  const paths = [...new Set([...old.keys(), ...now.keys()])]
  return paths.filter((path) => old.get(path) !== now.get(path))
    .map((path) => ({ path, before: old.get(path), after: now.get(path) }))
}

/** `path: before → after`, for a person. */
export function changeText ({ path, before, after }: FieldChange): string {
  return `${path}: ${valueText(before)} → ${valueText(after)}`
}

function valueText (value: unknown): string {
  return value === undefined ? '(none)' : JSON.stringify(value)
}

/** Scalars by path. */
function fieldsOf (configuration: unknown): Map<string, unknown> {
  const fields = new Map<string, unknown>()
  collect(configuration, '', fields)
  return fields
}

function collect (value: unknown, path: string, fields: Map<string, unknown>): void {
  if (Array.isArray(value)) {
    for (const item of value as readonly unknown[]) collectItem(item, path, fields)
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      collect(member, path === '' ? name : `${path}.${name}`, fields)
    }
  } else if (value !== null && value !== undefined) fields.set(path, value)
}

function collectItem (item: unknown, path: string, fields: Map<string, unknown>): void {
  const members = typeof item === 'object' && item !== null ? item as Record<string, unknown> : {}
  const name = IDENTITIES.find((identity) => typeof members[identity] === 'string')
  if (name === undefined) {
    fields.set(`${path}[]${JSON.stringify(item)}`, item)
    return
  }
  const itemPath = `${path}[${String(members[name])}]`
  const others = Object.entries(members).filter(([member]) => member !== name)
  if (others.length === 0) fields.set(itemPath, members[name])
  for (const [member, value] of others) {
    const isTagValue = name === 'key' && member === 'value'
    collect(value, isTagValue ? itemPath : `${itemPath}.${member}`, fields)
  }
}
