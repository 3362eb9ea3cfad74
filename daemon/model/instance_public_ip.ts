/**
 * The public IPv4 address that an instance has while it runs. EC2 User Guide, "Public IPv4
 * addresses".
 *
 * It is the primary ENI's, given at launch and at each start, and returns to the pool when the
 * instance stops or is terminated, or when the ENI's primary private address gets an Elastic IP. A
 * start gives none to an instance with several ENIs, or with an Elastic IP on the primary one.
 */
import type { Instance } from './instance.ts'
import type { PublicAddressPool } from './public_address_pool.ts'
import { put } from './snapshot.ts'
import type { AccountView, Change, Snapshot } from './snapshot.ts'

/** What a start changes for it. @throws AwsError InsufficientAddressCapacity */
export function assignPublicIp ({ snapshot }: AccountView, instance: Instance,
  pool: PublicAddressPool): Change[] {
  if (instance.assignsPublicIp !== true) return []
  const [primary, ...more] = snapshot.tables.networkInterface
    .by('attachment.instanceId', instance.id)
  if (primary === undefined || more.length > 0) return []
  if (snapshot.tables.address.by('networkInterfaceId', primary.id).length > 0) return []
  return [put('networkInterface', { ...primary, autoPublicIp: pool.take() })]
}

/** What a stop changes for it. */
export function releasePublicIp ({ tables }: Snapshot, instanceId: string): Change[] {
  return tables.networkInterface.by('attachment.instanceId', instanceId)
    .filter(({ autoPublicIp }) => autoPublicIp !== null)
    .map((record) => put('networkInterface', { ...record, autoPublicIp: null }))
}
