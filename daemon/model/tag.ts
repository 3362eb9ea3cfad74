/**
 * Tags: what a key and a value may be, and the tags that come with a Create call.
 * EC2 User Guide, "Tag your Amazon EC2 resources".
 *
 * Keys are case-sensitive. `aws:` and `vpclab:` keys belong to the system: nobody sets, changes or
 * removes them.
 */
import { AwsError } from './aws_error.ts'
import type { Tags } from './record.ts'

export const TAGS_PER_RESOURCE_MAX = 50
export const TAG_KEY_LENGTH_MAX = 128
export const TAG_VALUE_LENGTH_MAX = 256
export const TAG_PREFIXES_RESERVED = ['aws:', 'vpclab:'] as const

/** A tag as it comes in; the SDK's `Tag` fits. */
export interface TagInput {
  readonly Key?: string | undefined
  readonly Value?: string | undefined
}

/** The SDK's `TagSpecification` fits. */
export interface TagSpecificationInput {
  readonly ResourceType?: string | undefined
  readonly Tags?: readonly TagInput[] | undefined
}

/** @throws AwsError InvalidTagKey.Malformed, InvalidParameterValue */
export function checkTagKey (key: string): void {
  if (key === '') throw new AwsError('InvalidTagKey.Malformed', 'Tag keys cannot be empty')
  if (key.length > TAG_KEY_LENGTH_MAX) {
    throw new AwsError('InvalidParameterValue',
      `Tag key "${key.slice(0, 20)}…" has ${String(key.length)} characters; at most ` +
      `${String(TAG_KEY_LENGTH_MAX)} are allowed`)
  }
  for (const prefix of TAG_PREFIXES_RESERVED) {
    if (key.toLowerCase().startsWith(prefix)) {
      throw new AwsError('InvalidParameterValue',
        `Value ( ${key} ) for parameter key is invalid. Tag keys starting with '${prefix}' are ` +
        'reserved for internal use')
    }
  }
}

function checkTagValue (key: string, value: string): void {
  if (value.length <= TAG_VALUE_LENGTH_MAX) return
  throw new AwsError('InvalidParameterValue',
    `The value of tag "${key}" has ${String(value.length)} characters; at most ` +
    `${String(TAG_VALUE_LENGTH_MAX)} are allowed`)
}

/**
 * Tags of one call, checked.
 * @throws AwsError for a bad key or value, a key given twice, or too many
 */
export function tagsFromInput (input: readonly TagInput[]): Tags {
  const tags: Record<string, string> = Object.create(null) as Record<string, string>
  for (const { Key: key, Value: value = '' } of input) {
    if (key === undefined) {
      throw new AwsError('MissingParameter', 'The request must contain the parameter Tag.Key')
    }
    checkTagKey(key)
    checkTagValue(key, value)
    if (Object.hasOwn(tags, key)) {
      throw new AwsError('InvalidParameterValue', `Duplicate tag key '${key}' specified.`)
    }
    tags[key] = value
  }
  checkTagCount(tags)
  return { ...tags }
}

/** Whether a key belongs to the system. */
export function isReservedTagKey (key: string): boolean {
  return TAG_PREFIXES_RESERVED.some((prefix) => key.toLowerCase().startsWith(prefix))
}

/** Tags of the system do not count. @throws AwsError TagLimitExceeded */
export function checkTagCount (tags: Tags): void {
  const count = Object.keys(tags).filter((key) => !isReservedTagKey(key)).length
  if (count <= TAGS_PER_RESOURCE_MAX) return
  throw new AwsError('TagLimitExceeded',
    `${String(count)} tags are more than the ${String(TAGS_PER_RESOURCE_MAX)} that a resource ` +
    'can have')
}

/**
 * The tags a Create call gives to the resource it makes.
 * @param allowedTypes resource types the call makes (`vpc`; RunInstances: `instance`,
 *   `network-interface`)
 * @param resourceType the one to return tags for
 * @throws AwsError for a specification of a type the call does not make, or a type given twice
 */
export function tagsFromSpecifications (
  specifications: readonly TagSpecificationInput[] | undefined,
  resourceType: string, allowedTypes: readonly string[] = [resourceType]): Tags {
  let tags: Tags = {}
  const seen = new Set<string>()
  for (const { ResourceType: type, Tags: input = [] } of specifications ?? []) {
    if (type === undefined) {
      throw new AwsError('MissingParameter',
        'The request must contain the parameter TagSpecification.ResourceType')
    }
    if (!allowedTypes.includes(type)) {
      throw new AwsError('InvalidParameterValue',
        `'${type}' is not a valid taggable resource type for this operation; expecting ` +
        allowedTypes.join(', '))
    }
    if (seen.has(type)) {
      throw new AwsError('InvalidParameterValue',
        `The resource type '${type}' appears in two tag specifications; give each once`)
    }
    seen.add(type)
    const checked = tagsFromInput(input)
    if (type === resourceType) tags = checked
  }
  return tags
}

/** Tags for an answer, in order of their keys: AWS's `tagSet`. */
export function printTags (tags: Tags): { Key: string, Value: string }[] {
  return Object.keys(tags).sort().map((key) => ({ Key: key, Value: tags[key] ?? '' }))
}
