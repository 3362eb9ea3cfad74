/**
 * Which source address and port a new flow gets. Uniqueness is a matter of this table alone: all
 * flows of a resource to one destination are decided by one node (the owner of the slot), and their
 * rows, live and resting, are here (docs/adr, "The owner of a slot decides").
 *
 *     address   the one with the fewest live flows to the destination
 *     port      1. the next one that the cursor has not passed
 *               2. the one released longest ago, if it has rested NAT_REST_S
 *               3. one that another lap of the cursor finds, if any was lost to make room
 *               4. the one released longest ago, if it has rested NAT_REST_MIN_S
 *               none: refused; so is the flow after NAT_FLOWS_PER_DESTINATION_MAX live ones
 */
import { rowAt } from './nat_destinations.ts'
import {
  NAT_AT_OUTSIDE, NAT_AT_OUTSIDE_PORTS, NAT_FLOWS_PER_DESTINATION_MAX, NAT_PORT_MIN, NAT_PORTS,
  NAT_REMOTE_PORT_MASK
} from './nat_layout.ts'
import type { NatTable } from './nat_table.ts'

/** Source addresses of a resource: at most 8, by the API. */
const ADDRESS_WORDS = 4

/**
 * Writes the outside end of a new flow into `table.key`, whose other words stand there already.
 * @param addresses [count × 4] words of the addresses that new flows may use
 * @returns false when no port is free at any of them
 */
export function choosePort (
  table: NatTable, addresses: Int32Array | Uint32Array, count: number, remotePort: number
): boolean {
  let tried = 0
  for (let turn = 0; turn < count; turn++) {
    const address = leastUsed(table, addresses, count, remotePort, tried)
    if (address < 0) return false
    setOutside(table.key, addresses, address, remotePort)
    if (takePort(table, remotePort)) return true
    tried |= 1 << address
  }
  return false
}

/** Number of the address with the fewest live flows that is not full, or -1. */
function leastUsed (
  table: NatTable, addresses: Int32Array | Uint32Array, count: number, remotePort: number,
  tried: number
): number {
  let best = -1
  let bestLive = NAT_FLOWS_PER_DESTINATION_MAX
  for (let address = 0; address < count; address++) {
    if ((tried & (1 << address)) !== 0) continue
    setOutside(table.key, addresses, address, remotePort)
    const destination = table.destinations.find(table.key, 0)
    const live = destination < 0 ? 0 : table.destinations.live[destination]
    if (live >= bestLive) continue
    best = address
    bestLive = live
  }
  return best
}

function setOutside (
  key: Int32Array, addresses: Int32Array | Uint32Array, address: number, remotePort: number
): void {
  for (let word = 0; word < ADDRESS_WORDS; word++) {
    key[NAT_AT_OUTSIDE + word] = addresses[address * ADDRESS_WORDS + word]
  }
  key[NAT_AT_OUTSIDE_PORTS] = remotePort & NAT_REMOTE_PORT_MASK
}

function takePort (table: NatTable, remotePort: number): boolean {
  const { destinations, key } = table
  const destination = destinations.find(key, 0)
  if (destination < 0) {
    // Nobody speaks with it yet, so that every port is free: the first is its start.
    setPort(key, destinations.firstPort(destinations.lastHash), remotePort)
    return true
  }
  if (takeNext(table, destination, remotePort) ||
    takeRested(table, destination, remotePort, true)) return true
  if (destinations.lost[destination] > 0) {
    destinations.lost[destination] = 0
    destinations.cursor[destination] = 0
    if (takeNext(table, destination, remotePort)) return true
  }
  return takeRested(table, destination, remotePort, false)
}

/** The next port of the lap that no row holds. */
function takeNext (table: NatTable, destination: number, remotePort: number): boolean {
  const { destinations, key } = table
  while (destinations.cursor[destination] < NAT_PORTS) { // each port once per lap
    const offset = destinations.start[destination] + destinations.cursor[destination]++
    setPort(key, offset % NAT_PORTS, remotePort)
    if (table.findPort() < 0) return true
  }
  return false
}

function takeRested (
  table: NatTable, destination: number, remotePort: number, wellRested: boolean
): boolean {
  const row = table.destinations.oldest[destination]
  if (row === 0) return false
  const at = rowAt(row - 1)
  if (!table.hasRested(at, wellRested)) return false
  const outsidePort = table.words[at + NAT_AT_OUTSIDE_PORTS] >>> 16
  table.remove(at, true)
  setPort(table.key, outsidePort - NAT_PORT_MIN, remotePort)
  return true
}

function setPort (key: Int32Array, offset: number, remotePort: number): void {
  key[NAT_AT_OUTSIDE_PORTS] = ((NAT_PORT_MIN + offset) << 16) | (remotePort & NAT_REMOTE_PORT_MASK)
}
