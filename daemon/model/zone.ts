/**
 * Availability Zones. EC2 User Guide, "Regions and Zones".
 *
 * A zone's id (`use1-az1`) means the same place for everybody. Its name (`us-east-1a`) does not:
 * each account has its own order, so that not everybody's "a" is the same place.
 *
 *     account 000000000001   a ─▶ use1-az3   b ─▶ use1-az1 …
 *     account 000000000002   a ─▶ use1-az1   b ─▶ use1-az3 …
 *
 * The order is a function of the account, the Region and its zones, and of nothing else. Letters
 * have no gaps: every account has an "a". Records hold ids, never names.
 *
 * Zones are those that the Region's hosts stand in; without a host, those of AWS's Region.
 */
import { createHash } from 'node:crypto'
import { assert } from '../base/assert.ts'
import { AwsError } from './aws_error.ts'
import { findRegion } from './region.ts'
import type { AccountView } from './snapshot.ts'

export interface Zone {
  readonly id: string
  /** The viewing account's name for it. */
  readonly name: string
}

/** Letters `a`..`z` name a Region's zones. */
export const ZONES_PER_REGION_MAX = 26

const ZONE_ID = /^([a-z]+[0-9])-az([1-9][0-9]?)$/

/** @returns null when `zoneId` is no Availability Zone id */
export function parseZoneId (
  zoneId: string): { readonly stem: string, readonly number: number } | null {
  const match = ZONE_ID.exec(zoneId)
  if (match?.[1] === undefined) return null
  const number = Number(match[2])
  return number <= ZONES_PER_REGION_MAX ? { stem: match[1], number } : null
}

/** All zones of the view's Region, in order of their names. */
export function listZones (view: AccountView): readonly Zone[] {
  const ids = zoneIds(view)
  assert(ids.length <= ZONES_PER_REGION_MAX,
    `Region ${view.region} has ${String(ids.length)} zones, more than letters`)
  const hash = createHash('sha256').update(`${view.accountId}/${view.region}`).digest()
  const zones: Zone[] = []
  while (ids.length > 0) {
    const [id = ''] = ids.splice(hash.readUInt8(zones.length) % ids.length, 1)
    zones.push({ id, name: `${view.region}${String.fromCharCode(LETTER_A + zones.length)}` })
  }
  return zones
}

const LETTER_A = 'a'.charCodeAt(0)

/** Zone ids of the Region, sorted. */
function zoneIds (view: AccountView): string[] {
  const ofHosts = new Set<string>()
  for (const host of view.snapshot.tables.host.values()) {
    if (host.region === view.region) ofHosts.add(host.zoneId)
  }
  if (ofHosts.size > 0) return [...ofHosts].sort()
  const region = findRegion(view.region)
  assert(region !== undefined, `Region ${view.region} of an account view is not in REGIONS`)
  return Array.from({ length: region.zoneCount },
    (_, at) => `${region.zoneIdStem}-az${String(at + 1)}`)
}

/**
 * The viewing account's name of a zone: `us-east-1a`. A zone that lost its last host keeps its id
 * and has no name, so its id stands in.
 */
export function zoneName (view: AccountView, zoneId: string): string {
  return listZones(view).find(({ id }) => id === zoneId)?.name ?? zoneId
}

/**
 * The zone that a call names by name, by id, or by neither.
 * @returns null when neither is given
 * @throws AwsError InvalidParameterValue for a zone the Region does not have,
 *   InvalidParameterCombination for both
 */
export function zoneFromInput (view: AccountView, name: string | undefined,
  id: string | undefined): Zone | null {
  if (name === undefined && id === undefined) return null
  if (name !== undefined && id !== undefined) {
    throw new AwsError('InvalidParameterCombination',
      'The parameters availabilityZone and availabilityZoneId cannot be used together')
  }
  const zones = listZones(view)
  const found = zones.find((zone) => name === undefined ? zone.id === id : zone.name === name)
  if (found !== undefined) return found
  const parameter = name === undefined ? 'availabilityZoneId' : 'availabilityZone'
  const choice = zones.map((zone) => name === undefined ? zone.id : zone.name).join(', ')
  throw new AwsError('InvalidParameterValue',
    `Value (${name ?? id ?? ''}) for parameter ${parameter} is invalid. ` +
    `Subnets can currently only be created in the following availability zones: ${choice}.`)
}
