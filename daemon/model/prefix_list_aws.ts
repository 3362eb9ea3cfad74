/**
 * Prefix lists that AWS owns: one per service that a gateway endpoint leads to, in every Region,
 * the same for every account. They are no records: nobody makes or changes them. AWS VPC User
 * Guide, "Available AWS-managed prefix lists".
 *
 * [lab] Their ids are made of their names, so that they are the same in every lab. Their entries
 * are the prefixes where the lab's public services zone has the service (systems 4.9), for which
 * `publicServiceAddress` is where it answers.
 */
import { createHash } from 'node:crypto'
import { formatAddress, knownCidr } from './cidr.ts'
import type { PrefixList } from './prefix_list.ts'
import { findRegion } from './region.ts'

/** As `OwnerId` shows it. */
export const AWS_OWNER = 'AWS'

/** Names that begin so are AWS's. */
export const AWS_NAME_PREFIX = 'com.amazonaws.'

/** Services of the public zone, as their names begin: `s3.us-east-1.amazonaws.com`. */
export type PublicService = 's3' | 'dynamodb'

interface ServiceList {
  /** Last part of the name. */
  readonly service: PublicService
  /** What a reference costs of a quota: AWS's "weight". */
  readonly weight: number
  readonly cidrs: readonly string[]
}

const SERVICE_LISTS: readonly ServiceList[] = [
  { service: 's3', weight: 1, cidrs: ['198.51.100.192/28'] },
  { service: 'dynamodb', weight: 1, cidrs: ['198.51.100.208/28'] }
]

export const PUBLIC_SERVICES: readonly PublicService[] =
  SERVICE_LISTS.map(({ service }) => service)

/** Where a service answers: behind the base of its first prefix. The same for every Region. */
export function publicServiceAddress (service: PublicService): string {
  const [prefix = ''] = SERVICE_LISTS.find((one) => one.service === service)?.cidrs ?? []
  const { family, first } = knownCidr(prefix)
  return formatAddress({ family, value: first + 1n })
}

/** AWS's own lists have the older ids, of 8 digits. */
const ID_DIGITS = 8

/** All lists of AWS in a Region; none in a Region that does not exist. */
export function awsPrefixLists (region: string): readonly PrefixList[] {
  if (findRegion(region) === undefined) return []
  return SERVICE_LISTS.map(({ service, weight, cidrs }) => {
    const name = `${AWS_NAME_PREFIX}${region}.${service}`
    const digits = createHash('sha256').update(name).digest('hex').slice(0, ID_DIGITS)
    return {
      id: `pl-${digits}`, region, ownerId: AWS_OWNER, tags: {}, name, addressFamily: 4,
      maxEntries: weight, version: 1, lastChange: 'create',
      entries: cidrs.map((cidr) => ({ cidr, description: '' }))
    }
  })
}
