/**
 * NAT64 with packets that chance makes. Good ones come through with their payload and right
 * checksums, both ways; broken ones do no harm: nothing throws, what leaves is a packet, and who
 * shares the burst and its memory with them notices nothing.
 */
import test from 'ava'
import fc from 'fast-check'
import { PORT_UNDERLAY } from '../tun/descriptor.ts'
import { addressWords } from '../wire/address.ts'
import { readU16, writeU16, writeU32 } from '../wire/bytes.ts'
import { checksumAdd, checksumFinish } from '../wire/checksum.ts'
import {
  PROTOCOL_DESTINATION_OPTIONS, PROTOCOL_HOP_BY_HOP, PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP,
  PROTOCOL_UDP
} from '../wire/ip_protocol.ts'
import { ipv4WriteChecksum } from '../wire/ipv4.ts'
import { protocolInIpv4 } from '../wire/nat64.ts'
import { TCP_FLAG_SYN } from '../wire/tcp.ts'
import { goodChecksums } from './testing/checker.ts'
import { ENI_HIGH, hostAddress } from './testing/lab.ts'
import { COMPUTE, NAT, NAT_PUBLIC } from './testing/nat_world.ts'
import type { NatWorld } from './testing/nat_world.ts'
import { INSIDE, newNat64World, REMOTE, REMOTE_IN_IPV6, SIX } from './testing/nat64_world.ts'
import { ipPacket, vpcPacket } from './testing/packets.ts'

const PORT = 443
const RUNS = 400

const l4Bytes = (protocol: number): number => protocol === PROTOCOL_TCP ? 20 : 8

test('good packets come through whole, both ways', (t) => {
  const world = newNat64World({ capacity: 4096 })
  let srcPort = 1024
  fc.assert(fc.property(
    fc.constantFrom(PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_ICMPV6), fc.integer({ min: 0, max: 1440 }),
    fc.integer({ min: 0, max: 255 }), fc.integer({ min: 3, max: 255 }),
    fc.constantFrom([], [PROTOCOL_DESTINATION_OPTIONS],
      [PROTOCOL_HOP_BY_HOP, PROTOCOL_DESTINATION_OPTIONS]),
    (protocol, payloadBytes, trafficClass, ttl, extensions) => {
      srcPort++
      const isEcho = protocol === PROTOCOL_ICMPV6
      const packet = ipPacket({ src: INSIDE, dst: REMOTE_IN_IPV6, protocol, payloadBytes, ttl,
        trafficClass, extensions, srcPort, dstPort: PORT, tcpFlags: TCP_FLAG_SYN, icmpId: srcPort })
      const owner = world.ownerOf(isEcho ? 0 : PORT, protocolInIpv4(protocol), REMOTE)
      const [sent] = world.out(packet, owner, SIX)
      if (goodChecksums()(sent.packet) !== null) return false
      const payload = Buffer.from(sent.packet.subarray(20 + l4Bytes(protocol)))
      const port = readU16(sent.packet, isEcho ? 24 : 20)
      const reply = ipPacket({ src: REMOTE, dst: NAT_PUBLIC, protocol: protocolInIpv4(protocol),
        payloadBytes, ttl, trafficClass, srcPort: PORT, dstPort: port, icmpId: port, icmpType: 0 })
      const [answer] = world.back(reply, owner)
      return payload.equals(packet.subarray(packet.length - payloadBytes)) &&
        goodChecksums()(answer.packet) === null &&
        readU16(answer.packet, isEcho ? 44 : 42) === srcPort &&
        Buffer.from(answer.packet.subarray(40 + l4Bytes(protocol)))
          .equals(reply.subarray(20 + l4Bytes(protocol))) &&
        sent.packet[1] === trafficClass
    }), { numRuns: RUNS })
  t.pass()
})

/** What of a packet is broken: bytes at places, a cut, a right header checksum in spite of it. */
const DAMAGE = fc.record({
  bytes: fc.array(fc.tuple(fc.nat(160), fc.nat(255)), { maxLength: 4 }),
  cut: fc.option(fc.nat(200), { freq: 4 }),
  isSummed: fc.boolean()
})

function damage (packet: Uint8Array, { bytes, cut, isSummed }: {
  readonly bytes: readonly (readonly [number, number])[]
  readonly cut: number | null
  readonly isSummed: boolean
}): Uint8Array {
  const broken = packet.slice(0, Math.max(20, packet.length - (cut ?? 0)))
  for (const [at, value] of bytes) if (at < broken.length) broken[at] = value
  if (!isSummed) return broken
  if (broken[0] >>> 4 === 6 && broken.length > 40) writeU16(broken, 4, broken.length - 40)
  const headerBytes = (broken[0] & 15) * 4
  if (broken[0] >>> 4 === 4 && headerBytes >= 20 && headerBytes <= broken.length) {
    writeU16(broken, 2, broken.length)
    ipv4WriteChecksum(broken, 0, headerBytes)
  }
  return broken
}

/** The packets that are broken: of all kinds that a flow of UDP may meet, its errors too. */
function kinds (world: NatWorld): { readonly out: Uint8Array[], readonly back: Uint8Array[] } {
  const common = { protocol: PROTOCOL_UDP, payloadBytes: 64, identification: 7 }
  const out = { ...common, src: INSIDE, dst: REMOTE_IN_IPV6, srcPort: 5000, dstPort: PORT }
  const owner = world.ownerOf(PORT, PROTOCOL_UDP, REMOTE)
  const [opened] = world.out(ipPacket(out), owner, SIX)
  const back = { ...common, src: REMOTE, dst: NAT_PUBLIC, srcPort: PORT,
    dstPort: readU16(opened.packet, 20) }
  const [answered] = world.back(ipPacket(back), owner)
  const error = (src: string, dst: string, quote: Uint8Array, types: readonly number[]) =>
    types.map((type) => {
      const isIpv4 = dst.includes('.')
      const packet = ipPacket({ src, dst, payloadBytes: quote.length, icmpType: type,
        protocol: isIpv4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6 })
      const l4At = isIpv4 ? 20 : 40
      writeU32(packet, l4At + 4, 0)
      packet.set(quote, l4At + 8)
      writeU16(packet, l4At + 2, 0)
      if (isIpv4) {
        writeU16(packet, 22, checksumFinish(checksumAdd(0, packet, 20, packet.length - 20)))
      }
      return packet
    })
  return {
    out: [ipPacket(out), ipPacket({ ...out, fragment: { offsetBytes: 0, more: true } }),
      ipPacket({ ...out, fragment: { offsetBytes: 72, more: false } }),
      ipPacket({ ...out, extensions: [PROTOCOL_HOP_BY_HOP, PROTOCOL_DESTINATION_OPTIONS] }),
      ipPacket({ ...out, protocol: PROTOCOL_TCP, tcpFlags: TCP_FLAG_SYN }),
      ipPacket({ ...out, protocol: PROTOCOL_ICMPV6 }),
      ...error(INSIDE, REMOTE_IN_IPV6, answered.packet, [1, 2, 3, 4])],
    back: [ipPacket(back), ipPacket({ ...back, fragment: { offsetBytes: 0, more: true } }),
      ipPacket({ ...back, fragment: { offsetBytes: 72, more: false } }),
      ipPacket({ ...back, options: Uint8Array.of(131, 7, 8, 192, 0, 2, 1, 0) }),
      ...error('198.51.100.1', NAT_PUBLIC, opened.packet, [3, 11, 12])]
  }
}

/** Its lengths and its header are those of a packet. */
function isPacket (packet: Uint8Array): boolean {
  if (packet[0] >>> 4 === 6) return readU16(packet, 4) === packet.length - 40
  return readU16(packet, 2) === packet.length && packet[0] === 0x45 &&
    checksumFinish(checksumAdd(0, packet, 0, 20)) === 0
}

test('broken packets do no harm', (t) => {
  const world = newNat64World({ capacity: 4096 })
  const { out, back } = kinds(world)
  const host = world.ownerOf(PORT, PROTOCOL_UDP, REMOTE)
  const lab = world.lab(host)
  const good = ipPacket({ src: INSIDE, dst: REMOTE_IN_IPV6, srcPort: 5001, dstPort: PORT,
    protocol: PROTOCOL_UDP, payloadBytes: 90 })
  const tail = (packet: Uint8Array): string => Buffer.from(packet.subarray(28)).toString('hex')
  const [alone] = world.out(good, host, SIX)
  let passed = 0
  fc.assert(fc.property(fc.boolean(), fc.nat(), DAMAGE, (isOut, which, broken) => {
    const packets = isOut ? out : back
    const inner = damage(packets[which % packets.length], broken)
    const source = addressWords(hostAddress(COMPUTE))
    const wrapped = (packet: Uint8Array): Uint8Array => vpcPacket(
      { vni: 100, sourceEni: [ENI_HIGH, SIX], destinationEni: [ENI_HIGH, NAT] }, packet)
    lab.nic.feed({ nicPort: PORT_UNDERLAY, source, packet: wrapped(good) })
    if (isOut) lab.nic.feed({ nicPort: PORT_UNDERLAY, source, packet: wrapped(inner) })
    else lab.nic.feed({ nicPort: lab.loop.tables.uplinkNicPort, packet: inner })
    lab.nic.feed({ nicPort: PORT_UNDERLAY, source, packet: wrapped(good) })
    const sent = world.settle().map((one) => one.sent.packet)
    const whole = sent.filter((packet) => packet.length === alone.packet.length &&
      tail(packet) === tail(alone.packet))
    passed += sent.length - whole.length
    return whole.length === 2 && sent.every(isPacket)
  }), { numRuns: 4 * RUNS })
  t.true(passed > RUNS / 2, `${String(passed)} got through`)
})

test('a packet that grows takes nothing of the one before it', (t) => {
  const world = newNat64World()
  const host = world.ownerOf(PORT, PROTOCOL_UDP, REMOTE)
  const lab = world.lab(host)
  const [opened] = world.out(ipPacket({ src: INSIDE, dst: REMOTE_IN_IPV6, srcPort: 5000,
    dstPort: PORT, protocol: PROTOCOL_UDP }), host, SIX)
  const reply = ipPacket({ src: REMOTE, dst: '10.0.1.9', protocol: PROTOCOL_UDP, srcPort: PORT,
    dstPort: readU16(opened.packet, 20), payloadBytes: 128 })
  const fragment = ipPacket({ src: REMOTE, dst: '10.0.1.9', protocol: PROTOCOL_UDP, srcPort: PORT,
    dstPort: readU16(opened.packet, 20), payloadBytes: 128,
    fragment: { offsetBytes: 0, more: true } })
  writeU16(fragment, 26, 0x1234)
  // From another edge, by the underlay; one directly behind the other.
  const wrapped = (packet: Uint8Array): Uint8Array => vpcPacket(
    { vni: 100, sourceEni: [ENI_HIGH, 4], destinationEni: [ENI_HIGH, NAT] }, packet)
  const source = addressWords(hostAddress(COMPUTE))
  for (const packet of [reply, fragment, reply]) {
    lab.nic.feed({ nicPort: PORT_UNDERLAY, source, packet: wrapped(packet), isAdjacent: true })
  }
  const sent = world.settle().map((one) => one.sent)
  t.is(sent.length, 3)
  for (const [index, packet] of [reply, fragment, reply].entries()) {
    const one = sent[index]
    t.deepEqual(one.packet.slice(-128), packet.slice(-128))
    t.is(one.packet.length, packet.length + (packet === fragment ? 28 : 20))
    if (packet === reply) t.is(goodChecksums()(one.packet), null)
    t.is(readU16(one.outer?.header ?? new Uint8Array(4), 2), 0x86dd)
  }
})
