/**
 * Writes the seeds of the fuzz targets: small, valid inputs from which libFuzzer starts, so that
 * it does not have to guess its way to a Geneve header. Run it after a change of an input's
 * format:
 *
 *     scripts/node test/fuzz/make_corpus.ts
 *
 * The formats stand at the top of coalesce.c, esp.c, segment.c, transmit.c and wire.c. Inputs
 * that once found a mistake are kept beside the seeds under the name libFuzzer gave them.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const CORPUS = join(import.meta.dirname, 'corpus')
const PROTOCOL_TCP = 6
const PROTOCOL_UDP = 17
const TCP_ACK = 0x10
const TCP_PSH = 0x08
const GSO_TCPV4 = 1
const GSO_TCPV6 = 4
const GSO_UDP = 5
const TX_WORDS = 14

const u16le = (value: number): number[] => [value & 0xff, value >> 8 & 0xff]
const u32le = (value: number): number[] => [...u16le(value), ...u16le(value >>> 16)]
const u16be = (value: number): number[] => [value >> 8 & 0xff, value & 0xff]

function checksum (bytes: readonly number[]): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at]! << 8) + (bytes[at + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** IPv4 (RFC 791), DF, 192.0.2.1 → 192.0.2.2. */
function ipv4 (protocol: number, id: number, l4: readonly number[]): number[] {
  const header = [0x45, 0, ...u16be(20 + l4.length), ...u16be(id), 0x40, 0, 64, protocol, 0, 0,
    192, 0, 2, 1, 192, 0, 2, 2]
  header.splice(10, 2, ...u16be(checksum(header)))
  return [...header, ...l4]
}

/** IPv6 (RFC 8200), 2001:db8::1 → 2001:db8::2; `extension` puts a destination options header
 * in. */
function ipv6 (protocol: number, l4: readonly number[], extension = false): number[] {
  const address = (last: number): number[] => (
    [0x20, 0x01, 0x0d, 0xb8, ...Array<number>(11).fill(0), last])
  const rest = extension ? [protocol, 0, 1, 4, 0, 0, 0, 0, ...l4] : l4
  return [0x60, 0, 0, 0, ...u16be(rest.length), extension ? 60 : protocol, 64,
    ...address(1), ...address(2), ...rest]
}

/** TCP (RFC 9293) with a timestamp option. The checksum is wrong: lumps are trusted. */
function tcp (sequence: number, flags: number, payload: number): number[] {
  return [0x30, 0x39, 0x14, 0x51, ...u16be(sequence >>> 16), ...u16be(sequence), 0, 0, 0, 1,
    0x80, flags, 0x01, 0xf5, 0xab, 0xcd, 0, 0,
    1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9, ...Array<number>(payload).fill(0x61)]
}

/** UDP (RFC 768) with some checksum. */
function udp (payload: number): number[] {
  const ports = [0x30, 0x39, 0x14, 0x51]
  return [...ports, ...u16be(8 + payload), 0x12, 0x34, ...Array<number>(payload).fill(0x62)]
}

/** Geneve (RFC 8926) with one option of 8 bytes. */
function geneve (inner: readonly number[]): number[] {
  const protocolType = inner[0]! >> 4 === 6 ? [0x86, 0xdd] : [0x08, 0x00]
  return [3, 0, ...protocolType, 0, 0, 7, 0, 0xff, 0xf5, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1, ...inner]
}

function lump (packets: readonly (readonly number[])[], source = 0): number[] {
  const bytes = packets.flatMap((packet) => geneve(packet))
  return [...u16le(bytes.length), ...u16le(geneve(packets[0]!).length), source, ...bytes]
}

const coalesce: Record<string, number[]> = {
  tcp_ipv4: [0, ...lump([ipv4(PROTOCOL_TCP, 1, tcp(1000, TCP_ACK, 40)),
    ipv4(PROTOCOL_TCP, 2, tcp(1040, TCP_ACK, 40)),
    ipv4(PROTOCOL_TCP, 3, tcp(1080, TCP_ACK | TCP_PSH, 11))])],
  tcp_ipv6: [0, ...lump([ipv6(PROTOCOL_TCP, tcp(1000, TCP_ACK, 40)),
    ipv6(PROTOCOL_TCP, tcp(1040, TCP_ACK, 40))])],
  udp_ipv4: [0, ...lump([ipv4(PROTOCOL_UDP, 1, udp(24)), ipv4(PROTOCOL_UDP, 2, udp(24)),
    ipv4(PROTOCOL_UDP, 3, udp(1))])],
  udp_ipv6_extension: [0, ...lump([ipv6(PROTOCOL_UDP, udp(24), true),
    ipv6(PROTOCOL_UDP, udp(24))])],
  two_lumps: [1, ...lump([ipv4(PROTOCOL_TCP, 1, tcp(1000, TCP_ACK, 40)),
    ipv4(PROTOCOL_TCP, 2, tcp(1040, TCP_ACK, 40))]),
  ...lump([ipv4(PROTOCOL_TCP, 3, tcp(1080, TCP_ACK, 40)),
    ipv4(PROTOCOL_TCP, 4, tcp(1120, TCP_ACK | TCP_PSH, 40))], 1)],
  empty_message: [1, ...u16le(0), ...u16le(0), 0, ...lump([ipv4(PROTOCOL_UDP, 1, udp(24))])],
  singles: [1, ...lump([ipv4(PROTOCOL_TCP, 1, tcp(1000, TCP_ACK, 0))]), ...lump([[0x45]], 2)]
}

const segment: Record<string, number[]> = {
  tcp_ipv4: [GSO_TCPV4, ...u16le(30), 20, 0, ...Array<number>(20).fill(7),
    ...ipv4(PROTOCOL_TCP, 1, tcp(1000, TCP_ACK | TCP_PSH, 100))],
  tcp_ipv6_pieces: [GSO_TCPV6, ...u16le(32), 0, 2, ...u16le(32), ...u16le(5),
    ...Array<number>(37).fill(9), ...ipv6(PROTOCOL_TCP, tcp(1000, TCP_ACK, 32))],
  udp_ipv4_odd_pieces: [GSO_UDP, ...u16le(25), 60, 3, ...u16le(7), ...u16le(0), ...u16le(31),
    ...Array<number>(98).fill(3), ...ipv4(PROTOCOL_UDP, 1, udp(26))],
  udp_ipv6_extension: [GSO_UDP, ...u16le(32), 8, 0, ...Array<number>(8).fill(1),
    ...ipv6(PROTOCOL_UDP, udp(70), true)]
}

/** What a peer that knows the keys puts into ESP, and what is to be sealed. */
const esp: Record<string, number[]> = {
  opened_tcp: [2, 0, 0, 0, ...ipv4(PROTOCOL_TCP, 1, tcp(1000, TCP_ACK, 40))],
  opened_ipv6: [2, 0, 0, 0, ...ipv6(PROTOCOL_UDP, udp(25), true)],
  sealed_super_packet: [1, ...u16le(100), GSO_TCPV4,
    ...ipv4(PROTOCOL_TCP, 1, tcp(1000, TCP_ACK, 500))],
  sealed_udp: [1, ...u16le(20), 0, ...ipv4(PROTOCOL_UDP, 1, udp(64))],
  stranger: [0, ...u16le(60), GSO_UDP, ...ipv4(PROTOCOL_UDP, 1,
    [0x11, 0x94, 0x11, 0x94, 0, 128, 0, 0, 0x11, 0x22, 0x33, 0x44, ...Array<number>(112).fill(7)])]
}

/** A descriptor with TX_* words in order; the packet stands at 1024, a header of 32 bytes at
 * 4096. */
function descriptor (words: Record<number, number>): number[] {
  return Array.from({ length: TX_WORDS }, (_, index) => u32le(words[index] ?? 0)).flat()
}

function transmitSeed (
  flags: number, words: Record<number, number>, packet: readonly number[]
): number[] {
  const place = { 1: 1024, 2: packet.length, 3: packet.length, 12: 4096, 13: 32 }
  const tx = descriptor({ ...place, 9: 1, 10: 50_000, ...words })
  return [flags, 2, ...tx, ...tx, ...Array<number>(1024).fill(0x63), ...packet]
}

const tcpSuper = ipv4(PROTOCOL_TCP, 1, tcp(1000, TCP_ACK, 300))
const transmit: Record<string, number[]> = {
  super_packet_gso: transmitSeed(2, { 4: GSO_TCPV4, 5: 100, 6: 1, 7: 20 | 16 << 16 }, tcpSuper),
  super_packet_each: transmitSeed(1, { 4: GSO_TCPV4, 5: 100, 6: 1, 7: 20 | 16 << 16 }, tcpSuper),
  super_packet_tun: transmitSeed(0, { 0: 1, 4: GSO_UDP, 5: 64 }, ipv4(PROTOCOL_UDP, 1, udp(200))),
  checksum_needed: transmitSeed(2, { 6: 1, 7: 20 | 6 << 16 }, ipv4(PROTOCOL_UDP, 1, udp(64))),
  run: transmitSeed(2, { 3: tcpSuper.length + 30, 4: GSO_TCPV4, 5: 10, 8: 1 }, tcpSuper),
  sends_fail: transmitSeed(0x2a, {}, tcpSuper)
}

/** Geneve with one option, and what may stand behind it. */
const geneveSeed = [0x03, 0, 0x08, 0, 0, 0, 7, 0, 0xff, 0xf5, 1, 2, 1, 2, 3, 4, 5, 6, 7, 8,
  ...Array<number>(40).fill(0x64)]
/** The same as it is sealed, with a tag that is none. */
const sealedSeed = [0x09, 0x40, 0x88, 0xb6, ...geneveSeed.slice(4, 20), 0xff, 0xf5, 3, 1,
  0, 0, 0, 8, 0xff, 0xf5, 0x85, 3, 0, 0, 0x40, 3, ...Array<number>(7).fill(0), 1,
  ...geneveSeed.slice(20)]
const wire: Record<string, number[]> = {
  sealed: [0, ...sealedSeed],
  ours: [1, ...geneveSeed],
  ours_in_halves: [5, ...geneveSeed],
  changed: [3, ...geneveSeed]
}

for (const [target, seeds] of Object.entries({ coalesce, esp, segment, transmit, wire })) {
  mkdirSync(join(CORPUS, target), { recursive: true })
  for (const [name, bytes] of Object.entries(seeds)) {
    writeFileSync(join(CORPUS, target, name), Uint8Array.from(bytes))
  }
}
