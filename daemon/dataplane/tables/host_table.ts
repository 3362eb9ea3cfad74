/**
 * Hosts of the underlay by index, the outer address of each, and groups of hosts, which have an
 * index as a host has. Peers of the NIC have the same numbers as hosts.
 *
 * A group is several hosts in the place of one: `pick` says which of them a packet goes to, and
 * `senderOf` takes any of them for the sender. Picks of the two kinds:
 *
 *     HOST_GROUP_ANY     own host first, else by hash of the flow: any member serves any packet
 *     HOST_GROUP_SHARD   by what stands at the outside end of the flow and by the resource: both
 *                        directions, and all flows of a resource to one destination, meet
 */
import { assert } from '../../base/assert.ts'
import { ADDRESS_WORDS } from '../../wire/address.ts'
import {
  HOST_GROUP_ANY, HOST_GROUP_MEMBERS_MAX, HOST_GROUP_SHARD
} from './update.ts'
import type { HostData, HostGroupData } from './update.ts'
import { finishHash, mixWord } from './word_table.ts'

/** Host indices are 1..HOSTS_MAX - 1. */
export const HOSTS_MAX = 4096

/** First word where there is no host: ffff:ffff:… is multicast, and nobody's source address. */
const NO_HOST = -1

/**
 * Slot of a shard. Every host of a lab must come to the same slot, so nothing here is random; an
 * attacker who chooses ports can load one slot of his own resource and no other.
 * @param w0 address (int32 words) of the outside end; `port` is 0 where there are no ports
 * @param resourceHigh id of the resource, so that resources do not share their busy slots
 */
export function shardSlot (
  w0: number, w1: number, w2: number, w3: number, port: number, protocol: number,
  resourceHigh: number, resourceLow: number, slots: number
): number {
  let hash = mixWord(protocol, w0)
  hash = mixWord(hash, w1)
  hash = mixWord(hash, w2)
  hash = mixWord(hash, w3)
  hash = mixWord(hash, port)
  hash = mixWord(hash, resourceHigh)
  hash = mixWord(hash, resourceLow)
  return (finishHash(hash) >>> 0) % slots
}

export class HostTable {
  /** [HOSTS_MAX × 4] outer addresses, int32. */
  readonly addresses = new Int32Array(HOSTS_MAX * ADDRESS_WORDS).fill(NO_HOST)
  /** [HOSTS_MAX] HOST_GROUP_* of a group; 0: the index is a host's, or nobody's. */
  readonly groupKind = new Uint8Array(HOSTS_MAX)
  readonly #members: (Uint32Array | undefined)[] = []
  readonly #none = new Uint32Array(0)

  /** True while the index names a host. */
  has (hostIndex: number): boolean {
    return this.addresses[hostIndex * ADDRESS_WORDS] !== NO_HOST
  }

  /** Host indices of a group; none where there is no group. */
  members (groupIndex: number): Uint32Array { return this.#members[groupIndex] ?? this.#none }

  set (data: HostData): void {
    assertHostIndex(data.hostIndex)
    this.addresses.set(data.underlayAddress, data.hostIndex * ADDRESS_WORDS)
  }

  remove (hostIndex: number): void {
    this.addresses.fill(NO_HOST, hostIndex * ADDRESS_WORDS, (hostIndex + 1) * ADDRESS_WORDS)
  }

  setGroup (data: HostGroupData): void {
    assertHostIndex(data.hostIndex)
    assert(data.kind === HOST_GROUP_ANY || data.kind === HOST_GROUP_SHARD,
      `host group ${String(data.hostIndex)} is of no known kind`)
    assert(data.members.length <= HOST_GROUP_MEMBERS_MAX,
      `host group ${String(data.hostIndex)} has at most ${String(HOST_GROUP_MEMBERS_MAX)} hosts`)
    this.groupKind[data.hostIndex] = data.kind
    this.#members[data.hostIndex] = data.members
  }

  removeGroup (groupIndex: number): void {
    this.groupKind[groupIndex] = 0
    this.#members[groupIndex] = undefined
  }

  /** Whether an outer address (int32 words) is that of the host. */
  isAt (hostIndex: number, w0: number, w1: number, w2: number, w3: number): boolean {
    const at = hostIndex * ADDRESS_WORDS
    return this.addresses[at] === w0 && this.addresses[at + 1] === w1 &&
      this.addresses[at + 2] === w2 &&
      this.addresses[at + 3] === w3
  }

  /**
   * The host that an outer address (int32 words) belongs to, among those that a place stands for.
   * @param place a host, or a group
   * @returns its index; 0 when the address is of none of them
   */
  senderOf (place: number, w0: number, w1: number, w2: number, w3: number): number {
    if (this.groupKind[place] === 0) return this.isAt(place, w0, w1, w2, w3) ? place : 0
    const members = this.members(place)
    for (let member = 0; member < members.length; member++) {
      if (this.isAt(members[member], w0, w1, w2, w3)) return members[member]
    }
    return 0
  }

  /** Whether a host is one of those that a place stands for. */
  holds (place: number, hostIndex: number): boolean {
    if (this.groupKind[place] === 0) return place === hostIndex
    return this.members(place).includes(hostIndex)
  }
}

function assertHostIndex (hostIndex: number): void {
  assert(hostIndex > 0 && hostIndex < HOSTS_MAX,
    `host index ${String(hostIndex)} is not within 1..${String(HOSTS_MAX - 1)}`)
}
