/**
 * Egress-only internet gateway: lets IPv6 flows out of a VPC, and only their answers back in. AWS
 * VPC User Guide, "Enable outbound IPv6 traffic using an egress-only internet gateway".
 *
 * It is made for one VPC and stays with it. Addresses pass unchanged.
 */
import type { OwnedRecord } from './record.ts'

export interface EgressOnlyInternetGateway extends OwnedRecord {
  readonly vpcId: string
}
