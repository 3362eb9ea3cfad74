/**
 * A moment of a resource's past as a configuration item. AWS Config API Reference,
 * ConfigurationItem; AWS Config Developer Guide, "Components of a Configuration Item".
 *
 * `configurationStateId`, which orders the items of a resource, is the revision of the store.
 */
import type { ConfigurationItem, Relationship } from '@aws-sdk/client-config-service'
import { createHash } from 'node:crypto'
import type { PastResource } from '../../audit/change_history.ts'
import { resourcesIn } from '../../audit/record.ts'
import { RESOURCE_KINDS } from '../../model/resource_kind.ts'
import type { PastState } from './past.ts'

/** Version of the format. */
const ITEM_VERSION = '1.3'

/** @param eventId the call that made the revision, when one did */
export function configurationItem (resource: PastResource, resourceType: string, state: PastState,
  isFirst: boolean, eventId: string | undefined): ConfigurationItem {
  const { noun, id, ownerId, region } = resource
  const { description, revision, atMs } = state
  const configuration = JSON.stringify(camelCase(description))
  const tags = tagsOf(description)
  return {
    version: ITEM_VERSION,
    accountId: ownerId,
    configurationItemCaptureTime: new Date(atMs),
    configurationItemStatus:
      description === null ? 'ResourceDeleted' : isFirst ? 'ResourceDiscovered' : 'OK',
    configurationStateId: String(revision),
    configurationItemMD5Hash: createHash('md5').update(configuration).digest('hex'),
    arn: `arn:aws:ec2:${region}:${ownerId}:${RESOURCE_KINDS[noun].resourceType ?? noun}/${id}`,
    resourceType: resourceType as NonNullable<ConfigurationItem['resourceType']>,
    resourceId: id,
    ...tags['Name'] === undefined ? {} : { resourceName: tags['Name'] },
    awsRegion: region,
    availabilityZone: zoneOf(description),
    ...description === null ? {} : { resourceCreationTime: new Date(resource.firstMs) },
    tags,
    relatedEvents: eventId === undefined ? [] : [eventId],
    relationships: relationshipsOf(resource, description),
    configuration,
    supplementaryConfiguration: {}
  }
}

/** EC2's answers in Config's spelling: names begin with a small letter, times are texts. */
function camelCase (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCase)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) =>
    [name.charAt(0).toLowerCase() + name.slice(1), camelCase(member)]))
}

/** Members that the descriptions of EC2's resources share. */
interface Described {
  readonly Tags?: readonly { readonly Key?: string, readonly Value?: string }[]
  readonly TagSet?: Described['Tags']
  readonly AvailabilityZone?: string
  readonly Placement?: { readonly AvailabilityZone?: string }
}

function tagsOf (description: Described | null): Record<string, string> {
  const tags = description?.Tags ?? description?.TagSet ?? []
  return Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [Key, Value]))
}

function zoneOf (description: Described | null): string {
  return description?.AvailabilityZone ?? description?.Placement?.AvailabilityZone ??
    'Not Applicable'
}

function relationshipsOf ({ noun, id }: PastResource, description: object | null): Relationship[] {
  return resourcesIn(description).filter(({ name }) => name !== id).map(({ type, name }) => ({
    resourceType: type as NonNullable<Relationship['resourceType']>,
    resourceId: name,
    relationshipName: relationshipName(noun, type)
  }))
}

function relationshipName (noun: PastResource['noun'], type: string): string {
  const word = type === 'AWS::EC2::VPC' ? 'Vpc' : type.slice('AWS::EC2::'.length)
  if (word === 'Vpc') return 'Is contained in Vpc'
  if (word !== 'Subnet') return `Is associated with ${word}`
  return noun === 'instance' || noun === 'networkInterface'
    ? 'Is contained in Subnet'
    : 'Is attached to Subnet'
}
