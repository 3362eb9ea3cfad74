import test from 'ava'
import fc from 'fast-check'
import type { Random } from '../../base/random.ts'
import { addressWords } from '../../wire/address.ts'
import { PROTOCOL_TCP, PROTOCOL_UDP } from '../../wire/ip_protocol.ts'
import { FLOW_TICK_MS } from './flow_layout.ts'
import {
  NAT_AT_INSIDE, NAT_AT_INSIDE_HASH, NAT_AT_INSIDE_PORTS, NAT_AT_OUTSIDE_PORTS, NAT_AT_OUTSIDE,
  NAT_AT_PROTOCOL, NAT_AT_REMOTE, NAT_AT_RESOURCE, NAT_FLOWS_PER_DESTINATION_MAX,
  NAT_HEADER_AT_VERSION, NAT_IDLE_S, NAT_LAYOUT_VERSION,
  NAT_PORT_MIN, NAT_REST_MIN_S, NAT_REST_S, NAT_TCP_FIN_INSIDE, NAT_TCP_FIN_REMOTE, natFileBytes
} from './nat_layout.ts'
import { choosePort } from './nat_ports.ts'
import { NatTable } from './nat_table.ts'

const seeded = (seed: number): Random => ({
  bytes: (count) => Uint8Array.from({ length: count }, (_b, index) => index * 61 + seed)
})

function newTable (capacity = 64, file = new ArrayBuffer(natFileBytes(capacity))): NatTable {
  return new NatTable(file, capacity, seeded(9))
}

const ONE = addressWords('10.0.0.9')
const TWO = Uint32Array.of(...addressWords('10.0.0.9'), ...addressWords('10.0.0.10'))
const REMOTE = addressWords('198.51.100.10')

/** Writes the inside key of client number `client`, speaking to `remotePort`. */
function ask (table: NatTable, client: number, remotePort = 80, protocol = PROTOCOL_TCP): void {
  const { key } = table
  key.fill(0)
  key[NAT_AT_PROTOCOL] = protocol
  key[NAT_AT_RESOURCE + 1] = 7
  key.set(addressWords('10.0.1.0'), NAT_AT_INSIDE)
  key[NAT_AT_INSIDE + 3] += client >>> 16
  key.set(REMOTE, NAT_AT_REMOTE)
  key[NAT_AT_INSIDE_PORTS] = ((client & 0xffff) << 16) | remotePort
}

/** Opens a flow. @returns its offset; -1: no port; -2: no room */
function open (
  table: NatTable, client: number, addresses = ONE, remotePort = 80, protocol = PROTOCOL_TCP
): number {
  ask(table, client, remotePort, protocol)
  if (!choosePort(table, addresses, addresses.length / 4, remotePort)) return -1
  const at = table.create()
  return at < 0 ? -2 : at
}

const portOf = (table: NatTable, at: number): number =>
  table.words[at + NAT_AT_OUTSIDE_PORTS] >>> 16

test('a flow is found from inside and from outside, and from nowhere when it has ended', (t) => {
  const table = newTable()
  const at = open(table, 1)
  ask(table, 1)
  t.is(table.findInside(), at)
  table.key[NAT_AT_OUTSIDE_PORTS] = table.words[at + NAT_AT_OUTSIDE_PORTS]
  table.key.set(ONE, NAT_AT_OUTSIDE)
  t.is(table.findOutside(), at)
  table.key[NAT_AT_PROTOCOL] = PROTOCOL_UDP
  t.is(table.findOutside(), -1)
  table.key[NAT_AT_PROTOCOL] = PROTOCOL_TCP
  table.release(at)
  t.is(table.findOutside(), -1)
  t.is(table.findInside(), -1)
  t.is(table.findPort(), at, 'its port rests')
})

test('ports of one destination differ, and another destination may have the same', (t) => {
  const table = newTable(512)
  const ports = new Set(Array.from({ length: 200 },
    (_n, client) => portOf(table, open(table, client))))
  t.is(ports.size, 200)
  t.true([...ports].every((port) => port >= NAT_PORT_MIN && port <= 65_535))
  t.true(portOf(table, open(table, 1, ONE, 443)) >= NAT_PORT_MIN)
  t.is(table.destinations.size, 2)
})

test('55,000 flows per address and destination; the next is refused, another port is not', (t) => {
  const table = newTable(NAT_FLOWS_PER_DESTINATION_MAX + 100)
  const seen = new Set<number>()
  for (let client = 0; client < NAT_FLOWS_PER_DESTINATION_MAX; client++) {
    seen.add(portOf(table, open(table, client)))
  }
  t.is(seen.size, NAT_FLOWS_PER_DESTINATION_MAX)
  t.is(open(table, 60_000), -1)
  t.true(open(table, 60_000, ONE, 443) >= 0)
  t.true(open(table, 60_000, ONE, 80, PROTOCOL_UDP) >= 0)
  t.true(open(table, 60_001, TWO) >= 0, 'a second address takes more')
})

test('two addresses share the flows of a destination', (t) => {
  const table = newTable(64)
  for (let client = 0; client < 20; client++) open(table, client, TWO)
  ask(table, 0)
  table.key[NAT_AT_OUTSIDE_PORTS] = 80
  const live = [ONE, TWO.subarray(4)].map((address) => {
    table.key.set(address, NAT_AT_OUTSIDE)
    return table.destinations.live[table.destinations.find(table.key, 0)]
  })
  t.deepEqual(live, [10, 10])
})

test('a released port is the last to be given out again, and never within a second', (t) => {
  const table = newTable(66_000)
  const ats = Array.from({ length: 55_000 }, (_n, client) => open(table, client))
  const released = ats.slice(0, 20_000).map((at) => {
    const port = portOf(table, at)
    table.release(at)
    return port
  })
  // 64,512 - 55,000 = 9,512 have never been used; then the released ones, oldest first.
  const first = Array.from({ length: 9_512 },
    (_n, client) => portOf(table, open(table, 60_000 + client)))
  t.false(first.some((port) => released.includes(port)))
  t.is(open(table, 80_000), -1, 'released ports rest')
  table.setNowMs(NAT_REST_MIN_S * 1000)
  t.is(portOf(table, open(table, 80_000)), released[0])
  t.is(portOf(table, open(table, 80_001)), released[1])
})

test('a flow that idles is named for its end once, and an armed one only', (t) => {
  const table = newTable()
  const at = open(table, 1)
  const copy = open(table, 2)
  table.arm(at)
  table.setNowMs(NAT_IDLE_S * 1000 - FLOW_TICK_MS)
  t.is(table.takeIdle(), -1)
  table.setNowMs(NAT_IDLE_S * 1000)
  t.is(table.takeIdle(), at)
  table.release(at)
  t.is(table.takeIdle(), -1)
  table.arm(copy) // taken over: its time starts anew
  table.setNowMs(NAT_IDLE_S * 1000 + 1000)
  t.is(table.takeIdle(), -1)
})

test('a connection that both sides have closed ends soon, and a SYN opens it anew', (t) => {
  const table = newTable()
  const at = open(table, 1)
  table.arm(at)
  table.noteTcp(at, NAT_TCP_FIN_INSIDE)
  t.false(table.isClosing(at))
  table.noteTcp(at, NAT_TCP_FIN_REMOTE)
  t.true(table.isClosing(at))
  table.reopen(at)
  table.setNowMs(11_000)
  t.is(table.takeIdle(), -1)
  table.noteTcp(at, NAT_TCP_FIN_INSIDE | NAT_TCP_FIN_REMOTE)
  table.setNowMs(22_000)
  t.is(table.takeIdle(), at)
})

test('a full table refuses and counts; ports that have rested give way', (t) => {
  const table = newTable(4)
  const ats = [1, 2, 3, 4].map((client) => open(table, client))
  t.is(open(table, 5), -2)
  t.is(table.fullCount, 1)
  table.release(ats[0])
  t.is(open(table, 5), -2, 'not before its second is over')
  table.setNowMs(NAT_REST_MIN_S * 1000)
  t.true(open(table, 5) >= 0)
  t.is(table.evictedCount, 1)
})

test('a port that was lost to make room is found again by another lap', (t) => {
  const table = newTable(64_520)
  const ats: number[] = []
  for (let client = 0; client < 55_000; client++) ats.push(open(table, client))
  for (const at of ats.splice(0, 9_600)) table.release(at)
  for (let client = 0; client < 9_500; client++) ats.push(open(table, 60_000 + client))
  table.setNowMs(NAT_REST_MIN_S * 1000)
  // Other destinations push resting rows out.
  let others = 0
  while (others < 200) {
    if (open(table, others, ONE, 1000 + others) < 0) break
    others++
  }
  t.true(table.evictedCount > 0)
  for (let client = 0; client < 100; client++) {
    const at = open(table, 90_000 + client)
    if (at < 0) break
    ats.push(at)
  }
  const ports = ats.map((at) => portOf(table, at))
  t.is(new Set(ports).size, ports.length)
})

test('rested ports of a destination without flows are let go of', (t) => {
  const table = newTable()
  for (const client of [1, 2, 3]) table.release(open(table, client))
  table.sweepResting(64)
  t.is(table.destinations.size, 1)
  table.setNowMs(NAT_REST_S * 1000)
  table.sweepResting(64)
  t.is(table.destinations.size, 0)
})

test('a file that is opened again has its flows and resting ports; damage costs a row', (t) => {
  const file = new ArrayBuffer(natFileBytes(64))
  const before = newTable(64, file)
  const kept = open(before, 1)
  const rests = open(before, 2)
  const damaged = open(before, 3)
  before.release(rests)
  before.words[damaged + NAT_AT_INSIDE_HASH] ^= 1
  const after = newTable(64, file)
  t.true(after.restored)
  t.is(after.live, 1)
  ask(after, 1)
  t.is(after.findInside(), kept)
  after.key[NAT_AT_OUTSIDE_PORTS] = before.words[rests + NAT_AT_OUTSIDE_PORTS]
  after.key.set(ONE, NAT_AT_OUTSIDE)
  t.is(after.findPort(), rests)
  ask(after, 3)
  t.is(after.findInside(), -1)
})

test('a flow that is not translated holds no port and does not rest', (t) => {
  const table = newTable()
  ask(table, 1)
  table.key.set(table.key.subarray(NAT_AT_INSIDE, NAT_AT_INSIDE + 4), NAT_AT_OUTSIDE)
  table.key[NAT_AT_OUTSIDE_PORTS] = table.key[NAT_AT_INSIDE_PORTS]
  const at = table.create()
  t.is(table.destinations.size, 0)
  table.release(at)
  t.is(table.findPort(), -1)
  t.is(table.live, 0)
})

test('whatever is opened, released and reopened, live flows differ in their ports', (t) => {
  fc.assert(fc.property(fc.array(fc.record({
    what: fc.constantFrom('open', 'open', 'open', 'release', 'remove', 'wait', 'restart'),
    client: fc.nat(40), port: fc.constantFrom(80, 443)
  }), { maxLength: 120 }), (steps) => {
    const capacity = 24
    const file = new ArrayBuffer(natFileBytes(capacity))
    let table = newTable(capacity, file)
    let nowMs = 0
    const model = new Map<string, number>() // client/port → outside port
    for (const { what, client, port } of steps) {
      ask(table, client, port)
      const at = table.findInside()
      const name = `${String(client)}/${String(port)}`
      if ((at >= 0) !== model.has(name)) throw new Error(`${name}: ${String(at)}`)
      if (at >= 0 && portOf(table, at) !== model.get(name)) throw new Error('port changed')
      if (what === 'open' && at < 0) {
        const made = open(table, client, ONE, port)
        if (made >= 0) model.set(name, portOf(table, made))
      } else if (what === 'release' && at >= 0) {
        table.release(at)
        model.delete(name)
      } else if (what === 'remove' && at >= 0) {
        table.remove(at)
        model.delete(name)
      } else if (what === 'wait') {
        nowMs += 700
        table.setNowMs(nowMs)
        table.sweepResting(8)
      } else if (what === 'restart') {
        table = newTable(capacity, file)
        nowMs = 0
      }
      if (table.live !== model.size) throw new Error('live')
      for (const remotePort of [80, 443]) {
        const used = [...model].filter(([key]) => key.endsWith(`/${String(remotePort)}`))
        const ports = new Set(used.map(([, outside]) => outside))
        if (ports.size !== used.length) throw new Error('twice')
      }
    }
  }), { numRuns: 300 })
  t.pass()
})

test('each life of a node has a larger number than the last, however the clock was set', (t) => {
  const file = new ArrayBuffer(natFileBytes(64))
  // 10 ms each: now, a minute later, a day back, half a year on.
  const clocks = [0, 6_000, -8_640_000, 1_576_800_000].map((offset) => 179_000_000_000 + offset)
  const lives = clocks.map((clock) => newTable(64, file).nextIncarnation(clock))
  for (let life = 1; life < lives.length; life++) {
    t.true(((lives[life] - lives[life - 1]) | 0) > 0, lives.join(', '))
  }
  t.not(newTable().nextIncarnation(0), 0)
})

test('a file of another layout is started anew, and says of which', (t) => {
  const file = new ArrayBuffer(natFileBytes(64))
  open(newTable(64, file), 1)
  new Int32Array(file)[NAT_HEADER_AT_VERSION]++
  const table = newTable(64, file)
  t.is(table.replacedVersion, NAT_LAYOUT_VERSION + 1)
  t.is(table.live, 0)
  t.is(newTable(64, file).replacedVersion, null)
})
