/**
 * Placement: which host an instance goes to. A compute host of the zone with a free slot, on a
 * machine that is heard of, least loaded first, ties by name, so that a test can tell where
 * instances land.
 *
 * A slot is taken by every instance that names the host, whatever its state: stopped and terminated
 * ones name none.
 */
import { AwsError } from './aws_error.ts'
import { isLost } from './lab.ts'
import type { Host } from './lab.ts'
import type { AccountView } from './snapshot.ts'
import { zoneName } from './zone.ts'

export interface PlacementRequest {
  readonly zoneId: string
  readonly minCount: number
  readonly maxCount: number
  /** [lab] The one host to use (`Placement.HostId`), or null for any. */
  readonly hostName: string | null
  /** For the text of the refusal. */
  readonly instanceType: string
  /** Hosts that the same call has given out before; one entry per slot. */
  readonly taken: readonly string[]
}

/**
 * @returns between minCount and maxCount host names, one per instance
 * @throws AwsError InsufficientInstanceCapacity, InvalidHostID.NotFound
 */
export function placeInstances (view: AccountView, request: PlacementRequest): string[] {
  const { zoneId, minCount, maxCount, hostName, taken } = request
  const { host: hosts, instance: instances } = view.snapshot.tables
  const candidates = [...hosts.values()].filter((host) => host.roles.includes('compute') &&
    host.region === view.region && host.zoneId === zoneId && !isLost(view.snapshot, host) &&
      (hostName === null || host.id === hostName))
  if (hostName !== null && candidates.length === 0) {
    throw new AwsError('InvalidHostID.NotFound', `The host '${hostName}' does not exist in ` +
      `Availability Zone ${zoneName(view, zoneId)}, or is no compute host`)
  }
  const used = new Map<string, number>()
  for (const host of candidates) used.set(host.id, instances.by('hostName', host.id).length)
  for (const name of taken) used.set(name, (used.get(name) ?? 0) + 1)

  const placed: string[] = []
  while (placed.length < maxCount) {
    const best = leastLoaded(candidates, used)
    if (best === null) break
    used.set(best.id, (used.get(best.id) ?? 0) + 1)
    placed.push(best.id)
  }
  if (placed.length < minCount) {
    throw new AwsError('InsufficientInstanceCapacity', 'We currently do not have sufficient ' +
      `${request.instanceType} capacity in the Availability Zone you requested (${zoneName(view,
        zoneId)}): ` +
      `${placed.length} of ${minCount} instance slots are free on ` +
      `${candidates.length} compute hosts`)
  }
  return placed
}

/**
 * @returns the host with the smallest share of its slots in use, or null when none has a free one
 */
function leastLoaded (hosts: readonly Host[], used: ReadonlyMap<string, number>): Host | null {
  let best: Host | null = null
  let bestLoad = 1
  for (const host of hosts) {
    const load = (used.get(host.id) ?? 0) / host.instanceSlots
    const earlier = load < bestLoad || (load === bestLoad && best !== null && host.id < best.id)
    if (load < 1 && earlier) {
      best = host
      bestLoad = load
    }
  }
  return best
}
