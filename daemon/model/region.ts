/**
 * Regions: the names, and the stem of their zone ids. EC2 User Guide, "Regions and Zones".
 *
 * A call's Region is the one its signature was made for. Every Region of the table answers; they
 * share nothing but peerings. Hosts give a Region its zones and its packets: a Region without hosts
 * has an API alone.
 */

export interface Region {
  readonly name: string
  /** Zone ids are this, `-az` and a number: `use1-az1`. */
  readonly zoneIdStem: string
  /** Zones that the Region has when no host of the lab says otherwise. */
  readonly zoneCount: number
}

const ZONE_COUNT_DEFAULT = 3

function region (name: string, zoneIdStem: string, zoneCount = ZONE_COUNT_DEFAULT): Region {
  return { name, zoneIdStem, zoneCount }
}

export const REGIONS: readonly Region[] = [
  region('ap-northeast-1', 'apne1'),
  region('ap-northeast-2', 'apne2'),
  region('ap-northeast-3', 'apne3'),
  region('ap-south-1', 'aps1'),
  region('ap-southeast-1', 'apse1'),
  region('ap-southeast-2', 'apse2'),
  region('ca-central-1', 'cac1'),
  region('eu-central-1', 'euc1'),
  region('eu-north-1', 'eun1'),
  region('eu-west-1', 'euw1'),
  region('eu-west-2', 'euw2'),
  region('eu-west-3', 'euw3'),
  region('sa-east-1', 'sae1'),
  region('us-east-1', 'use1', 6),
  region('us-east-2', 'use2'),
  region('us-west-1', 'usw1'),
  region('us-west-2', 'usw2')
]

const REGION_BY_NAME = new Map(REGIONS.map((entry) => [entry.name, entry]))

export function findRegion (name: string): Region | undefined { return REGION_BY_NAME.get(name) }

/** The Region of a zone id: `use1-az1` is one of us-east-1. */
export function regionOfZone (zoneId: string): Region | undefined {
  const stem = /^(.+)-az[1-9][0-9]?$/.exec(zoneId)?.[1]
  return REGIONS.find(({ zoneIdStem }) => zoneIdStem === stem)
}
