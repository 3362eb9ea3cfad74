/**
 * The place of a HyperPlane resource: not a host but the group of its nodes, under a name that no
 * host can have.
 */
const PREFIX = 'shard of '

/** @param networkInterfaceId ENI of the resource */
export function shardGroup (networkInterfaceId: string): string {
  return PREFIX + networkInterfaceId
}

/** The reverse of shardGroup. */
export function resourceOfGroup (group: string): string { return group.slice(PREFIX.length) }
