/**
 * Elastic IP address: a public IPv4 address that an account keeps until it releases it. AWS VPC
 * User Guide, "Associate Elastic IP addresses with resources in your VPC".
 *
 *     address.ts               record, AllocateAddress, ReleaseAddress
 *     address_association.ts   AssociateAddress, DisassociateAddress
 *     address_transfer.ts      to another account; host names of addresses
 *     public_address_pool.ts   which public addresses are free
 *     public_address.ts        what is public in a VPC, of whichever kind
 *
 * An address is associated with one private IPv4 address of one ENI. That of a NAT gateway is
 * associated with the gateway's ENI in the same way.
 */
import type { OwnedRecord } from './record.ts'

export interface Address extends OwnedRecord {
  /** Dotted decimal; unique in the lab. */
  readonly publicIp: string
  /** Where the address is announced: the Region's name. */
  readonly networkBorderGroup: string
  /** `eipassoc-…`; null, like the two that follow, while it is associated with nothing. */
  readonly associationId: string | null
  readonly networkInterfaceId: string | null
  readonly privateIpAddress: string | null
  /** Host name for the reverse look-up, with its last dot; null for AWS's own name. */
  readonly domainName: string | null
  readonly transfer: AddressTransfer | null
}

/** An offer to another account, until it is accepted, taken back, or too old. */
export interface AddressTransfer {
  readonly accountId: string
  /** ms since 1970 */
  readonly offeredMs: number
  readonly expiresMs: number
}
