/**
 * Internet gateway: a VPC's door to the internet. AWS VPC User Guide, "Enable internet access for a
 * VPC using an internet gateway".
 *
 * One VPC has at most one, and one serves at most one VPC. What passes needs a route to it and a
 * public address (public_address.ts); it translates that address and nothing else.
 */
import type { OwnedRecord } from './record.ts'
import type { Snapshot } from './snapshot.ts'

export interface InternetGateway extends OwnedRecord {
  /** VPC that it is attached to; null while detached. */
  readonly vpcId: string | null
}

/** The gateway attached to a VPC. */
export function internetGatewayOf (snapshot: Snapshot, vpcId: string): InternetGateway | undefined {
  return snapshot.tables.internetGateway.by('vpcId', vpcId)[0]
}
