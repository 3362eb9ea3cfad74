/**
 * Records are written as the tap writes them and read as the daemon reads them; every frame is
 * checked by eyes of its own (dataplane/testing/checker.ts).
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import {
  CaptureRingReader, CaptureRingWriter, DIRECTION_INBOUND, DIRECTION_OUTBOUND, RECORD_CSUM,
  RECORD_CSUM_FIELD, RECORD_DIRECTION, RECORD_GSO_SIZE, RECORD_GSO_TYPE, RECORD_HEADER_BYTES,
  RECORD_PACKET_BYTES, RECORD_PEER_ADDRESS, RECORD_SOURCE_PORT, RECORD_TOTAL_BYTES,
  RECORD_TRAFFIC_CLASS
} from '../../dataplane/capture_ring.ts'
import { check, dstIs, goodChecksums, srcIs } from '../../dataplane/testing/checker.ts'
import { ipPacket, vpcPacket } from '../../dataplane/testing/packets.ts'
import { GENEVE_BYTES } from '../../encap/geneve.ts'
import { CSUM_NEEDED, GSO_TCPV4, GSO_TCPV6, GSO_UDP } from '../../tun/descriptor.ts'
import { addressWords } from '../../wire/address.ts'
import { readU16, readU32, writeU16 } from '../../wire/bytes.ts'
import { checksumFold, pseudoHeaderSum } from '../../wire/checksum.ts'
import { PROTOCOL_UDP } from '../../wire/ip_protocol.ts'
import { IPV4_AT_IDENTIFICATION, IPV4_AT_SRC } from '../../wire/ipv4.ts'
import {
  TCP_AT_CHECKSUM, TCP_AT_FLAGS, TCP_AT_SEQUENCE, TCP_FLAG_ACK, TCP_FLAG_FIN, TCP_FLAG_PSH
} from '../../wire/tcp.ts'
import { Frames } from './frames.ts'

const HERE = '192.0.2.1'
const PEER = '192.0.2.2'

interface RecordOptions {
  readonly header?: Uint8Array
  readonly gsoType?: number
  readonly gsoSize?: number
  readonly csumField?: number
  /** Bytes of the packet that were captured; all when absent. */
  readonly held?: number
  readonly direction?: number
  readonly here?: string
  readonly peer?: string
  readonly snapBytes?: number
}

interface Frame { readonly bytes: Uint8Array, readonly originalBytes: number }

function framesOf (packet: Uint8Array, options: RecordOptions = {}): Frame[] {
  const ring = new CaptureRingReader()
  const writer = new CaptureRingWriter(ring.memory as SharedArrayBuffer)
  const header = options.header ?? new Uint8Array(0)
  const held = options.held ?? packet.length
  const at = writer.reserve(header.length + held)
  const word = at >>> 2
  const { words } = writer
  writer.bytes.set(header, writer.contentAt(at))
  writer.bytes.set(packet.subarray(0, held), writer.contentAt(at) + header.length)
  words[word + RECORD_DIRECTION] = options.direction ?? DIRECTION_OUTBOUND
  words[word + RECORD_HEADER_BYTES] = header.length
  words[word + RECORD_TOTAL_BYTES] = packet.length
  words[word + RECORD_PACKET_BYTES] = held
  words[word + RECORD_GSO_TYPE] = options.gsoType ?? 0
  words[word + RECORD_GSO_SIZE] = options.gsoSize ?? 0
  words[word + RECORD_CSUM] = options.csumField === undefined ? 0 : CSUM_NEEDED
  words[word + RECORD_CSUM_FIELD] = options.csumField ?? 0
  words[word + RECORD_SOURCE_PORT] = 50_000
  words[word + RECORD_TRAFFIC_CLASS] = 0x2e
  addressWords(options.peer ?? PEER).forEach((part, index) => {
    words[word + RECORD_PEER_ADDRESS + index] = part
  })
  writer.publish()
  const frames = new Frames(ring, addressWords(options.here ?? HERE))
  frames.load(ring.first)
  const out = new Uint8Array(70_000)
  return Array.from({ length: frames.count }, (_frame, index) => {
    frames.write(index, out, 8, options.snapBytes ?? 70_000)
    return { bytes: out.slice(8, 8 + frames.capturedBytes), originalBytes: frames.originalBytes }
  })
}

function checkAll (t: ExecutionContext, frames: readonly Frame[]): void {
  for (const { bytes, originalBytes } of frames) {
    check(t, bytes, goodChecksums())
    t.is(bytes.length, originalBytes)
  }
}

for (const { name, src, dst, gsoType, headers } of [
  { name: 'IPv4', src: '10.0.0.1', dst: '10.0.0.2', gsoType: GSO_TCPV4, headers: 40 },
  { name: 'IPv6', src: '2001:db8::1', dst: '2001:db8::2', gsoType: GSO_TCPV6, headers: 60 }
]) {
  test(`a TCP super-packet over ${name} is the segments that it is on the wire`, (t) => {
    const packet = ipPacket({
      src, dst, payloadBytes: 4321, tcpFlags: TCP_FLAG_ACK | TCP_FLAG_PSH | TCP_FLAG_FIN | 0x80
    })
    const frames = framesOf(packet, { gsoType, gsoSize: 1000 })
    t.deepEqual(frames.map(({ bytes }) => bytes.length - headers), [1000, 1000, 1000, 1000, 321])
    checkAll(t, frames)
    const l4At = headers - 20
    const first = readU32(packet, l4At + TCP_AT_SEQUENCE)
    t.deepEqual(frames.map(({ bytes }) => readU32(bytes, l4At + TCP_AT_SEQUENCE) - first),
      [0, 1000, 2000, 3000, 4000])
    t.deepEqual(frames.map(({ bytes }) => bytes[l4At + TCP_AT_FLAGS]),
      [0x90, 0x10, 0x10, 0x10, 0x19])
    t.deepEqual(Buffer.concat(frames.map(({ bytes }) => bytes.subarray(headers))),
      Buffer.from(packet.subarray(headers)))
  })
}

test('IPv4 identifications count up from that of the super-packet', (t) => {
  const packet = ipPacket({ src: '10.0.0.1', dst: '10.0.0.2', payloadBytes: 30,
    identification: 0xffff })
  const frames = framesOf(packet, { gsoType: GSO_TCPV4, gsoSize: 10 })
  t.deepEqual(frames.map(({ bytes }) => readU16(bytes, IPV4_AT_IDENTIFICATION)), [0xffff, 0, 1])
  checkAll(t, frames)
})

test('a UDP super-packet is its datagrams, the last one shorter', (t) => {
  for (const [src, dst, headers] of [
    ['10.0.0.1', '10.0.0.2', 28], ['2001:db8::1', '2001:db8::2', 48]
  ] as const) {
    const packet = ipPacket({ src, dst, protocol: PROTOCOL_UDP, payloadBytes: 2500 })
    const frames = framesOf(packet, { gsoType: GSO_UDP, gsoSize: 1200 })
    t.deepEqual(frames.map(({ bytes }) => bytes.length - headers), [1200, 1200, 100])
    checkAll(t, frames)
  }
})

test('a checksum that the guest left to its device is finished', (t) => {
  const good = ipPacket({ src: '10.0.0.1', dst: '10.0.0.2', payloadBytes: 33 })
  const packet = Uint8Array.from(good)
  const l4Bytes = packet.length - 20
  writeU16(packet, 20 + TCP_AT_CHECKSUM,
    checksumFold(pseudoHeaderSum(packet, IPV4_AT_SRC, 8, 6, l4Bytes)))
  const [frame] = framesOf(packet, { csumField: 20 | (TCP_AT_CHECKSUM << 16) })
  t.deepEqual(frame?.bytes, good)
})

test('a plain packet is as it was, wrong checksum and all', (t) => {
  const packet = ipPacket({ src: '10.0.0.1', dst: '10.0.0.2' })
  writeU16(packet, 20 + TCP_AT_CHECKSUM, 0xbeef)
  t.deepEqual(framesOf(packet).map(({ bytes }) => bytes), [packet])
})

for (const { name, here, peer, outer } of [
  { name: 'IPv4', here: HERE, peer: PEER, outer: 28 },
  { name: 'IPv6', here: '2001:db8:1::1', peer: '2001:db8:1::2', outer: 48 }
]) {
  test(`on an ${name} underlay each segment has outer headers and the VPC header`, (t) => {
    const inner = ipPacket({ src: '10.0.0.1', dst: '10.0.0.2', payloadBytes: 2500 })
    const header = vpcPacket({ vni: 7, sourceEni: [1, 2], destinationEni: [3, 4] }, inner)
      .slice(0, GENEVE_BYTES)
    const options = { header, gsoType: GSO_TCPV4, gsoSize: 1000, here, peer }
    const frames = framesOf(inner, options)
    t.is(frames.length, 3)
    checkAll(t, frames)
    for (const { bytes } of frames) {
      check(t, bytes, srcIs(here), dstIs(peer))
      t.is(readU16(bytes, outer - 8), 50_000)
      t.is(readU16(bytes, outer - 6), 6081)
      t.deepEqual(bytes.slice(outer, outer + GENEVE_BYTES), header)
      check(t, bytes.slice(outer + GENEVE_BYTES), goodChecksums(), srcIs('10.0.0.1'))
    }
    const [inbound] = framesOf(inner, { ...options, direction: DIRECTION_INBOUND })
    check(t, inbound?.bytes ?? new Uint8Array(), srcIs(peer), dstIs(here), goodChecksums())
  })
}

test('a snap length cuts frames and keeps their length on the wire', (t) => {
  const packet = ipPacket({ src: '10.0.0.1', dst: '10.0.0.2', payloadBytes: 2500 })
  const cut = framesOf(packet, { gsoType: GSO_TCPV4, gsoSize: 1000, snapBytes: 96 })
  t.deepEqual(cut.map(({ bytes, originalBytes }) => [bytes.length, originalBytes]),
    [[96, 1040], [96, 1040], [96, 540]])
  const held = framesOf(packet, { held: 100, csumField: 20 | (TCP_AT_CHECKSUM << 16) })
  t.deepEqual(held.map(({ bytes, originalBytes }) => [bytes.length, originalBytes]), [[100, 2540]])
})

test('what contradicts itself is shown whole and as it is', (t) => {
  const tcp = ipPacket({ src: '10.0.0.1', dst: '10.0.0.2', payloadBytes: 2500 })
  t.deepEqual(framesOf(tcp, { gsoType: GSO_UDP, gsoSize: 100 }).map(({ bytes }) => bytes), [tcp])
  for (const bytes of [new Uint8Array(1), Uint8Array.of(0x45, 0, 0), tcp.slice(0, 30)]) {
    const frames = framesOf(bytes, { gsoType: GSO_TCPV4, gsoSize: 100 })
    t.deepEqual(frames.map((frame) => frame.bytes), [bytes])
  }
})
