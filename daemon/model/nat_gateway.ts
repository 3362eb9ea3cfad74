/**
 * NAT gateway: instances of a VPC reach out with an address of the gateway; nothing is opened from
 * outside. AWS VPC User Guide, "NAT gateways".
 *
 * A gateway has an ENI of its own in its subnet, managed by AWS (`requesterId`). Each of its
 * addresses is a private address of that ENI; with a public gateway each of these has an Elastic
 * IP. The gateway translates to the private address, the internet gateway from there to the public
 * one.
 *
 *     pending ──▶ available ──▶ deleting ──▶ deleted ──▶ (record removed after an hour)
 *        └──────▶ failed ─────────────────────────────▶ (record removed after an hour)
 *
 * `pending` and `deleting` last until every host has applied the change: they are shown, not
 * stored. Only an `available` one carries packets.
 */
import type { OwnedRecord } from './record.ts'

export interface NatGateway extends OwnedRecord {
  readonly vpcId: string
  readonly subnetId: string
  readonly zoneId: string
  readonly connectivityType: 'public' | 'private'
  readonly state: 'available' | 'failed' | 'deleted'
  /** EC2's code and sentence; null unless `failed`. */
  readonly failureCode: string | null
  readonly failureMessage: string | null
  /** The gateway's ENI; null when it failed before it had one. Gone once `deleted`. */
  readonly networkInterfaceId: string | null
  /** The primary one first. As they were, once `failed` or `deleted`. */
  readonly addresses: readonly NatGatewayAddress[]
  readonly createdMs: number
  /** When it failed or was deleted; null before. */
  readonly deletedMs: number | null
}

export interface NatGatewayAddress {
  /** `eipalloc-…`; null, like its public address and association, with a private gateway. */
  readonly allocationId: string | null
  readonly publicIp: string | null
  readonly associationId: string | null
  readonly privateIp: string
  readonly isPrimary: boolean
  /** `disassociating` and `unassigning` take no new flows and keep those that they have. */
  readonly status: 'succeeded' | 'disassociating' | 'unassigning' | 'failed'
  /** When an address that is leaving is gone, ms since 1970; null for the others. */
  readonly drainUntilMs: number | null
  /** Why it failed; null otherwise. */
  readonly failureMessage: string | null
}
