/**
 * Names of AWS's public services in a lab that has an internet: they lead to the stand-ins on it
 * (host/public_services.ts), from every VPC alike, whatever its Region.
 *
 *     s3.REGION.amazonaws.com           S3 of any Region; s3.amazonaws.com as well
 *     BUCKET.s3.REGION.amazonaws.com    every name below it
 *     dynamodb.REGION.amazonaws.com     alike
 */
import { isBelow } from '../../model/domain_name.ts'
import { PUBLIC_SERVICES, publicServiceAddress } from '../../model/prefix_list_aws.ts'
import { findRegion } from '../../model/region.ts'
import type { ZoneSource } from './zone_source.ts'
import { matching } from './zone_source.ts'

const TTL_S = 60
const AWS_ZONE = 'amazonaws.com'

const ADDRESSES: ReadonlyMap<string, string> =
  new Map(PUBLIC_SERVICES.map((service) => [service, publicServiceAddress(service)]))

/** The service's own name at the end of a name, and its address; null when there is none. */
function serviceOf (name: string): { readonly zone: string, readonly address: string } | null {
  const labels = name.slice(0, -AWS_ZONE.length - 1).split('.')
  const region = labels.at(-1) ?? ''
  const isRegional = findRegion(region) !== undefined
  const service = (isRegional ? labels.at(-2) : labels.at(-1)) ?? ''
  const address = ADDRESSES.get(service)
  if (address === undefined) return null
  if (isRegional) return { zone: `${service}.${region}.${AWS_ZONE}`, address }
  return service === 's3' ? { zone: `${service}.${AWS_ZONE}`, address } : null
}

export const publicServiceNames: ZoneSource = {
  answer ({ name, type }) {
    const found = name !== AWS_ZONE && isBelow(name, AWS_ZONE) ? serviceOf(name) : null
    if (found === null) return null
    const records = [{ name, type: 'A' as const, ttl: TTL_S, data: found.address }]
    return { zone: found.zone, nameExists: true, records: matching(records, type) }
  }
}
