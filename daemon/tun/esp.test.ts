/** ESP of the addon: published vectors, a second implementation, and what an attacker may send. */
import test from 'ava'
import fc from 'fast-check'
import { createCipheriv, createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { CSUM_NEEDED, GSO_NONE, GSO_TCPV4, GSO_UDP } from './descriptor.ts'
import { innerMtu } from './esp.ts'
import * as descriptor from './esp_descriptor.ts'
import {
  ESP_AUTHENTICATION, ESP_CONGESTION, ESP_DONE, ESP_DUMMY, ESP_EXPIRED, ESP_FRAGMENT, ESP_IKE,
  ESP_KEEPALIVE, ESP_MALFORMED, ESP_NO_SA, ESP_REPLAY, ESP_TOO_BIG
} from './esp_descriptor.ts'
import type { EspHash, EspSa, EspTransform } from './esp_sa.ts'
import { EspBench, oracleOpen, oracleSeal } from './testing/esp_oracle.ts'
import type { EspPacket } from './testing/esp_oracle.ts'
import { checksumOf, echoRequest, tcpSegment } from './testing/inner_packets.ts'

const OURS = Uint8Array.of(198, 51, 100, 1)
const THEIRS = Uint8Array.of(203, 0, 113, 9)
const SPI = 0xc1234567
const IPV4 = 4

const bytes = (length: number, first = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (first + at * 7) & 0xff)
const gcm = (keyBytes: number, icvBytes = 16): EspTransform =>
  ({ kind: 'aes-gcm', key: bytes(keyBytes), salt: bytes(4, 200), icvBytes })
const HASH_BYTES: Readonly<Record<EspHash, readonly [key: number, icv: number]>> = {
  sha1: [20, 12], sha256: [32, 16], sha384: [48, 24], sha512: [64, 32]
}
const cbc = (keyBytes: number, hash: EspHash): EspTransform => {
  const [hashKeyBytes, icvBytes] = HASH_BYTES[hash]
  return { kind: 'aes-cbc', key: bytes(keyBytes), hash, hashKey: bytes(hashKeyBytes, 99), icvBytes }
}
const TRANSFORMS: readonly EspTransform[] = [
  gcm(16), gcm(32), gcm(24, 12), gcm(16, 8), cbc(16, 'sha1'), cbc(32, 'sha1'), cbc(16, 'sha256'),
  cbc(32, 'sha256'), cbc(32, 'sha384'), cbc(16, 'sha512'), cbc(24, 'sha512')
]

function outbound (change: Partial<EspSa> = {}): EspSa {
  return {
    index: 1,
    direction: 'outbound',
    tunnel: 7,
    spi: SPI,
    source: OURS,
    destination: THEIRS,
    sourcePort: 0,
    destinationPort: 0,
    transform: gcm(16),
    esn: false,
    replayWindow: 0,
    sequence: 0n,
    noEcn: false,
    clearDf: false,
    copyDscp: true,
    hardBytes: null,
    hardPackets: null,
    ...change
  }
}
const inbound = (change: Partial<EspSa> = {}): EspSa => outbound({
  index: 2, direction: 'inbound', source: THEIRS, destination: OURS, replayWindow: 64, ...change
})
const IN_UDP = { sourcePort: 4500, destinationPort: 4500 }

/** An outer packet around ESP, from the peer. */
function outer (esp: Buffer, udp: boolean, trafficClass = 0, sourcePort = 4500): Buffer {
  const payload = udp ? Buffer.concat([Buffer.alloc(8), esp]) : esp
  if (udp) {
    payload.writeUInt16BE(sourcePort, 0)
    payload.writeUInt16BE(4500, 2)
    payload.writeUInt16BE(payload.length, 4)
  }
  const header = Buffer.alloc(20)
  header[0] = 0x45
  header[1] = trafficClass
  header.writeUInt16BE(20 + payload.length, 2)
  header[8] = 60
  header[9] = udp ? 17 : 50
  header.set(THEIRS, 12)
  header.set(OURS, 16)
  return Buffer.concat([header, payload])
}
const espOf = (packet: Buffer): Buffer => packet.subarray(packet[9] === 17 ? 28 : 20)
const iv = (transform: EspTransform, fill = 5): Buffer =>
  Buffer.alloc(transform.kind === 'aes-gcm' ? 8 : 16, fill)
const one = (packets: readonly EspPacket[]): EspPacket => {
  const [packet] = packets
  if (packets.length !== 1) throw new Error(`${String(packets.length)} results`)
  return packet
}
const status = (packets: readonly EspPacket[]): number => one(packets).status

test('esp_descriptor.h has the numbers of esp_descriptor.ts', (t) => {
  const text = readFileSync(
    new URL('native/esp_descriptor.h', import.meta.url), 'utf8')
  const found = [...text.matchAll(/^#define (ESP_\w+)\s+(\d+)$/gm)]
  t.deepEqual(Object.fromEntries(found.map(([, name, value]) => [name, Number(value)])),
    { ...descriptor })
})

test('the second implementation has the published answers', (t) => {
  // RFC 3602 §4, case 2: AES-CBC of 32 bytes with a 128-bit key.
  const key = Buffer.from('c286696d887c9aa0611bbb3e2025a45a', 'hex')
  const cipher = createCipheriv('aes-128-cbc', key,
    Buffer.from('562e17996d093d28ddb3ba695a2e6f58', 'hex')).setAutoPadding(false)
  const plain = Buffer.from(Array.from({ length: 32 }, (_, at) => at))
  t.is(Buffer.concat([cipher.update(plain), cipher.final()]).toString('hex'),
    'd296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab1')
  // RFC 4868 §2.7.2.1, AUTH256-2 (truncated), and RFC 4231 test case 2.
  t.is(createHmac('sha256', 'Jefe'.repeat(8)).update('what do ya want for nothing?').digest('hex')
    .slice(0, 32), '167f928588c5cc2eef8e3093caa0e87c')
  t.is(createHmac('sha512', 'Jefe').update('what do ya want for nothing?').digest('hex')
    .slice(0, 32), '164b7a7bfcf819e2e395fbe73b56e0a3')
})

/** draft-mcgrew-gcm-test-01, test case 3: ESP with AES-128-GCM and ESN. */
const MCGREW = {
  key: '4c80cdefbb5d10da906ac73c3613a634',
  salt: '2e443b68',
  iv: '4956ed7e3b244cfe',
  number: 0x87654321_00000000n,
  spi: 0x4321,
  plain: '45000048699a000080114db7c0a80102c0a801010a9bf15638d3010000010000' +
    '00000000045f736970045f756470037369700963796265726369747902646b0000210001',
  sealed: 'fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34' +
    'cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce61bc17d768fd9732' +
    '459018148f6cbe722fd04796562dfdb4'
}

test('a published ESP packet of AES-GCM with extended numbers has a good tag', (t) => {
  const bench = new EspBench()
  const transform: EspTransform = {
    kind: 'aes-gcm',
    key: Buffer.from(MCGREW.key, 'hex'),
    salt: Buffer.from(MCGREW.salt, 'hex'),
    icvBytes: 16
  }
  const sa = inbound({ transform, spi: MCGREW.spi, esn: true, sequence: MCGREW.number - 1n })
  bench.esp.install(sa)
  const header = Buffer.alloc(8)
  header.writeUInt32BE(MCGREW.spi, 0)
  header.writeUInt32BE(Number(MCGREW.number & 0xffff_ffffn), 4)
  const esp = Buffer.concat(
    [header, Buffer.from(MCGREW.iv, 'hex'), Buffer.from(MCGREW.sealed, 'hex')])
  t.is(oracleOpen(sa, MCGREW.number, esp).toString('hex'), MCGREW.plain)
  const bad = Buffer.from(esp)
  bad.writeUInt8(bad.readUInt8(30) ^ 1, 30)
  t.is(status(bench.open(outer(bad, false))), ESP_AUTHENTICATION)
  // Its next header is that of transport mode, which a tunnel refuses once the tag is verified.
  t.is(status(bench.open(outer(esp, false))), ESP_MALFORMED)
  t.is(status(bench.open(outer(esp, false))), ESP_REPLAY)
})

test('what is sealed is opened by the second implementation, and the reverse', (t) => {
  for (const transform of TRANSFORMS) {
    for (const udp of [false, true]) {
      for (const esn of [false, true]) {
        const bench = new EspBench()
        const ports = udp ? IN_UDP : {}
        const out = outbound({ transform, esn, ...ports })
        const back = inbound({ transform, esn, ...ports })
        bench.esp.install(out)
        bench.esp.install(back)
        for (const [number, payload] of [[1n, 0], [2n, 1], [3n, 700], [4n, 1300]] as const) {
          const inner = echoRequest(payload)
          const sealed = one(bench.seal(1, inner))
          t.deepEqual(oracleOpen(out, number, espOf(sealed.bytes)), inner)
          t.deepEqual([...sealed.bytes.subarray(12, 20)], [...OURS, ...THEIRS])
          const opened = one(bench.open(outer(
            oracleSeal(back, number, inner, IPV4, iv(transform)), udp)))
          t.deepEqual(opened.bytes, inner)
          t.deepEqual([opened.tunnel, opened.sa], [7, 2])
        }
        bench.esp.close()
      }
    }
  }
})

test('innerMtu is what AWS states, and a packet of that size fills the path', (t) => {
  const sizes = (transform: EspTransform): number[] =>
    [false, true].map((udp) => innerMtu(transform, udp, false, 1500))
  t.deepEqual(sizes(gcm(16)), [1446, 1438])
  t.deepEqual(sizes(cbc(32, 'sha1')), [1438, 1422])
  t.deepEqual(sizes(cbc(32, 'sha256')), [1438, 1422])
  t.deepEqual(sizes(cbc(32, 'sha384')), [1422, 1422])
  t.deepEqual(sizes(cbc(32, 'sha512')), [1422, 1406])
  for (const transform of TRANSFORMS) {
    const bench = new EspBench()
    bench.esp.install(outbound({ transform, ...IN_UDP }))
    const mtu = bench.esp.mtu(1)
    t.true(one(bench.seal(1, echoRequest(mtu - 28))).bytes.length <= 1500)
    t.is(status(bench.seal(1, echoRequest(mtu - 27))), ESP_TOO_BIG)
  }
})

test('a number that was seen, or is older than the window, is refused', (t) => {
  const window = 64
  for (const transform of [gcm(16), cbc(16, 'sha256')]) {
    const bench = new EspBench()
    const sa = inbound({ transform, replayWindow: window })
    bench.esp.install(sa)
    const send = (number: bigint): number => status(bench.open(
      outer(oracleSeal(sa, number, echoRequest(8), IPV4, iv(transform)), false)))
    t.deepEqual([1n, 2n, 2n, 1n, 0n].map(send),
      [ESP_DONE, ESP_DONE, ESP_REPLAY, ESP_REPLAY, ESP_REPLAY])
    t.deepEqual([100n, 37n, 36n, 37n, 99n].map(send),
      [ESP_DONE, ESP_DONE, ESP_REPLAY, ESP_REPLAY, ESP_DONE])
    t.deepEqual([100_000n, 99_999n, 101n, 99_937n, 99_936n].map(send),
      [ESP_DONE, ESP_DONE, ESP_REPLAY, ESP_DONE, ESP_REPLAY])
  }
})

test('every number is accepted once, in any order inside the window', (t) => {
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 1, max: 600 }), { maxLength: 120 }),
    fc.constantFrom(32, 64, 128, 1024), (numbers, window) => {
      const bench = new EspBench()
      const sa = inbound({ replayWindow: window })
      bench.esp.install(sa)
      const seen = new Set<number>()
      let top = 0
      for (const number of numbers) {
        const fresh = !seen.has(number) && number > top - window
        const got = status(bench.open(outer(
          oracleSeal(sa, BigInt(number), echoRequest(1), IPV4, iv(sa.transform)), false)))
        t.is(got, fresh ? ESP_DONE : ESP_REPLAY, `${String(number)}, top ${String(top)}`)
        if (fresh) seen.add(number)
        top = Math.max(top, fresh ? number : 0)
      }
      bench.esp.close()
    }), { numRuns: 40 })
})

test('extended numbers pass 2^32, in order and out of it', (t) => {
  for (const transform of [gcm(32), cbc(32, 'sha384')]) {
    const bench = new EspBench()
    const start = 0xffff_fff0n
    const sa = inbound({ transform, esn: true, replayWindow: 64, sequence: start })
    const out = outbound({ transform, esn: true, sequence: 0xffff_fffen })
    bench.esp.install(sa)
    bench.esp.install(out)
    const send = (number: bigint): number => status(bench.open(
      outer(oracleSeal(sa, number, echoRequest(8), IPV4, iv(transform)), false)))
    t.deepEqual([0xffff_fffen, 0x1_0000_0001n, 0xffff_ffffn, 0x1_0000_0000n, 0x1_0000_0001n,
      0xffff_fffen].map(send), [0, 0, 0, 0, ESP_REPLAY, ESP_REPLAY])
    for (const number of [0xffff_ffffn, 0x1_0000_0000n, 0x1_0000_0001n]) {
      const sealed = one(bench.seal(1, echoRequest(8)))
      t.deepEqual(oracleOpen(out, number, espOf(sealed.bytes)), echoRequest(8))
    }
    t.is(bench.esp.usage(1).sequence, 0x1_0000_0001n)
  }
})

test('without extended numbers the last one is the last', (t) => {
  const bench = new EspBench()
  bench.esp.install(outbound({ sequence: 0xffff_fffen }))
  t.deepEqual([1, 2].map(() => status(bench.seal(1, echoRequest(8)))), [ESP_DONE, ESP_EXPIRED])
})

test('a wrong tag, a changed bit anywhere, another key: nothing comes out', (t) => {
  for (const transform of [gcm(16), gcm(16, 8), cbc(32, 'sha1'), cbc(16, 'sha512')]) {
    const bench = new EspBench()
    const sa = inbound({ transform })
    bench.esp.install(sa)
    const good = oracleSeal(sa, 5n, echoRequest(20), IPV4, iv(transform))
    for (let at = 4; at < good.length; at++) {
      const bad = Buffer.from(good)
      bad.writeUInt8(bad.readUInt8(at) ^ 0x40, at)
      t.is(status(bench.open(outer(bad, false))), ESP_AUTHENTICATION, `byte ${String(at)}`)
    }
    t.is(status(bench.open(outer(good, false))), ESP_DONE, 'a forged number moves no window')
  }
})

test('hostile bytes are answered with a reason, never with a packet', (t) => {
  const bench = new EspBench()
  bench.esp.install(inbound())
  bench.esp.install(inbound({ index: 3, spi: 0xaaaa, transform: cbc(16, 'sha1'), ...IN_UDP }))
  fc.assert(fc.property(fc.uint8Array({ minLength: 20, maxLength: 200 }), fc.nat(70_000),
    fc.constantFrom(GSO_NONE, GSO_UDP), (packet, gsoSize, gsoType) => {
      for (const result of bench.open({ bytes: Buffer.from(packet), gsoSize, gsoType })) {
        t.not(result.status, ESP_DONE)
      }
    }), { numRuns: 2000 })
  const cut = oracleSeal(inbound(), 9n, echoRequest(20), IPV4, iv(gcm(16)))
  for (let length = 8; length < cut.length; length++) {
    t.not(status(bench.open(outer(cut.subarray(0, length), false))), ESP_DONE)
  }
})

test('what is no ESP for us is named', (t) => {
  const bench = new EspBench()
  const sa = inbound(IN_UDP)
  bench.esp.install(sa)
  const esp = oracleSeal(sa, 1n, echoRequest(8), IPV4, iv(sa.transform))
  t.is(status(bench.open(outer(Buffer.alloc(60), true))), ESP_IKE)
  t.is(status(bench.open(outer(Buffer.of(0xff), true))), ESP_KEEPALIVE)
  t.is(status(bench.open(outer(esp, false))), ESP_NO_SA, 'its SA is one of ESP in UDP')
  const elsewhere = outer(esp, true)
  elsewhere[19] = 2
  t.is(status(bench.open(elsewhere)), ESP_NO_SA)
  const fragment = outer(esp, true)
  fragment.writeUInt16BE(0x2000, 6)
  t.is(status(bench.open(fragment)), ESP_FRAGMENT)
  const sealed = (number: bigint, inner: Buffer, nextHeader: number): Buffer =>
    outer(oracleSeal(sa, number, inner, nextHeader, iv(sa.transform)), true)
  t.is(status(bench.open(sealed(2n, Buffer.alloc(30), IPV4))), ESP_MALFORMED)
  t.is(status(bench.open(sealed(3n, echoRequest(8), 6))), ESP_MALFORMED)
  t.is(status(bench.open(sealed(4n, Buffer.alloc(0), 59))), ESP_DUMMY)
})

test('padding that hides the length of a packet is cut off', (t) => {
  const bench = new EspBench()
  const sa = inbound()
  bench.esp.install(sa)
  const inner = echoRequest(8)
  const padded = oracleSeal(
    sa, 1n, Buffer.concat([inner, Buffer.alloc(100)]), IPV4, iv(sa.transform))
  t.deepEqual(one(bench.open(outer(padded, false))).bytes, inner)
})

test('a super-packet is cut at the tunnel\'s MTU, sealed, opened, and is the same again', (t) => {
  for (const transform of [gcm(16), cbc(32, 'sha256')]) {
    for (const udp of [true, false]) {
      const bench = new EspBench()
      const ports = udp ? IN_UDP : {}
      bench.esp.install(outbound({ transform, ...ports }))
      bench.esp.install(inbound({ transform, source: OURS, destination: THEIRS, ...ports }))
      const inner = tcpSegment(20_000)
      const sealed = bench.seal(1, { bytes: inner, gsoType: GSO_TCPV4, gsoSize: 1460, csum: 1 })
      const mtu = bench.esp.mtu(1)
      const segments = Math.ceil(20_000 / (mtu - 40))
      t.is(sealed.reduce((sum, packet) => sum + packet.segments, 0), segments)
      t.is(sealed.length, udp ? 1 : segments)
      const [first] = sealed
      t.true(udp ? first.gsoType === GSO_UDP && first.csum === CSUM_NEEDED
        : sealed.every((packet) => packet.bytes.length <= 1500))
      const opened = one(bench.open(...sealed))
      t.deepEqual([opened.segments, opened.gsoType, opened.gsoSize, opened.csum],
        [segments, GSO_TCPV4, mtu - 40, CSUM_NEEDED])
      t.deepEqual(opened.bytes.subarray(40), inner.subarray(40))
      t.is(opened.bytes.readUInt16BE(2), inner.length)
      t.is(checksumOf(opened.bytes.subarray(0, 20)), 0)
    }
  }
})

test('a bad inner checksum is not made good by joining', (t) => {
  const bench = new EspBench()
  const sa = inbound()
  bench.esp.install(sa)
  const segments = [0, 1].map((n) => tcpSegment(1000, { sequence: 1 + n * 1000, checksum: true }))
  const [, bad = Buffer.alloc(0)] = segments
  bad.writeUInt8(bad.readUInt8(500) ^ 1, 500)
  const packets = segments.map((inner, n) =>
    outer(oracleSeal(sa, BigInt(n + 1), inner, IPV4, iv(sa.transform)), false))
  t.deepEqual(bench.open(...packets).map((packet) => packet.segments), [1, 1])
})

test('the outer header may be IPv6, in UDP and without', (t) => {
  const [ours, theirs] = [bytes(16, 0x20), bytes(16, 0x30)]
  for (const transform of [gcm(16), cbc(32, 'sha256')]) {
    for (const ports of [{}, IN_UDP]) {
      const bench = new EspBench()
      const out = outbound({ transform, source: ours, destination: theirs, ...ports })
      bench.esp.install(out)
      bench.esp.install({ ...out, index: 2, direction: 'inbound', replayWindow: 64 })
      t.is(bench.esp.mtu(1), innerMtu(transform, 'sourcePort' in ports, true, 1500))
      const inner = echoRequest(300, { trafficClass: 0x2a })
      const sealed = one(bench.seal(1, inner))
      const header = sealed.bytes.subarray(0, 40)
      t.is(header.readUInt32BE(0), 0x62a0_0000)
      t.is(header.readUInt16BE(4), sealed.bytes.length - 40)
      t.is(header[6], 'sourcePort' in ports ? 17 : 50)
      t.deepEqual([...header.subarray(8)], [...ours, ...theirs])
      // Over IPv6 a UDP checksum is not optional (RFC 8200 §8.1).
      t.is(sealed.csum, 'sourcePort' in ports ? CSUM_NEEDED : 0)
      t.deepEqual(one(bench.open(sealed)).bytes, inner)
      const large = tcpSegment(9000)
      const run = bench.seal(1, { bytes: large, gsoType: GSO_TCPV4, gsoSize: 1400, csum: 1 })
      t.deepEqual(one(bench.open(...run)).bytes.subarray(40), large.subarray(40))
    }
  }
})

test('the outer header has DF, DSCP and ECN as the SA says', (t) => {
  const marked = echoRequest(8, { trafficClass: 0xb9, dontFragment: true })
  const header = (change: Partial<EspSa>, inner: Buffer): (number | undefined)[] => {
    const bench = new EspBench()
    bench.esp.install(outbound(change))
    const { bytes: out } = one(bench.seal(1, inner))
    t.is(checksumOf(out.subarray(0, 20)), 0)
    return [out[1], out.readUInt16BE(6)]
  }
  t.deepEqual(header({}, marked), [0xb9, 0x4000])
  t.deepEqual(header({}, echoRequest(8)), [0, 0])
  t.deepEqual(header({ clearDf: true }, marked), [0xb9, 0])
  t.deepEqual(header({ copyDscp: false }, marked), [0x01, 0x4000])
  t.deepEqual(header({ noEcn: true }, marked), [0xb8, 0x4000])
})

test('a congestion mark comes inside as RFC 6040 has it', (t) => {
  // Rows: arriving inner; columns: arriving outer Not-ECT, ECT(1), ECT(0), CE.
  const table = [[0, 0, 0, null], [1, 1, 1, 3], [2, 1, 2, 3], [3, 3, 3, 3]]
  const bench = new EspBench()
  const sa = inbound()
  bench.esp.install(sa)
  let number = 0n
  table.forEach((row, inner) => {
    row.forEach((expected, outerEcn) => {
      const esp = oracleSeal(sa, ++number, echoRequest(8, { trafficClass: 0x48 | inner }), IPV4,
        iv(sa.transform))
      const got = one(bench.open(outer(esp, false, outerEcn)))
      t.is(got.status, expected === null ? ESP_CONGESTION : ESP_DONE)
      if (expected === null) return
      t.is(got.bytes[1], 0x48 | expected)
      t.is(checksumOf(got.bytes.subarray(0, 20)), 0)
    })
  })
})

test('the MSS of a SYN is clamped both ways, and its checksum stays good', (t) => {
  const bench = new EspBench()
  const out = outbound(IN_UDP)
  bench.esp.install(out)
  bench.esp.install(inbound(IN_UDP))
  const mss = (packet: Buffer): number => packet.readUInt16BE(42)
  const syn = tcpSegment(0, { mss: 1460, checksum: true })
  const sealed = oracleOpen(out, 1n, espOf(one(bench.seal(1, syn)).bytes))
  const opened = one(bench.open(outer(
    oracleSeal(inbound(IN_UDP), 1n, syn, IPV4, iv(out.transform)), true))).bytes
  for (const packet of [sealed, opened]) {
    t.is(mss(packet), 1438 - 40)
    t.deepEqual(packet, tcpSegment(0, { mss: 1438 - 40, checksum: true }))
  }
  const small = tcpSegment(0, { mss: 536, checksum: true })
  t.deepEqual(oracleOpen(out, 2n, espOf(one(bench.seal(1, small)).bytes)), small)
})

test('hard limits end an SA, and usage is counted', (t) => {
  const bench = new EspBench()
  bench.esp.install(outbound({ hardPackets: 2 }))
  const inner = echoRequest(72)
  t.deepEqual([1, 2, 3].map(() => status(bench.seal(1, inner))), [ESP_DONE, ESP_DONE, ESP_EXPIRED])
  t.deepEqual(bench.esp.usage(1), { bytes: 200, packets: 2, lastUseMs: 1000, sequence: 2n })
})

test('an SA that is made again with the same key goes on with its numbers', (t) => {
  const bench = new EspBench()
  const sa = outbound(IN_UDP)
  bench.esp.install(sa)
  bench.seal(1, echoRequest(8), echoRequest(8))
  bench.esp.remove(1)
  const moved = outbound({ index: 5, ...IN_UDP, destinationPort: 40_000, sequence: 1n })
  bench.esp.install(moved)
  const sealed = one(bench.seal(5, echoRequest(8)))
  t.deepEqual(oracleOpen(moved, 3n, espOf(sealed.bytes)), echoRequest(8))
})

test('a packet that passed its checks tells where the peer is now', (t) => {
  const bench = new EspBench()
  const sa = inbound(IN_UDP)
  bench.esp.install(sa)
  const esp = oracleSeal(sa, 1n, echoRequest(8), IPV4, iv(sa.transform))
  const forged = Buffer.from(esp)
  forged[20] ^= 1
  t.is(status(bench.open(outer(forged, true, 0, 31_000))), ESP_AUTHENTICATION)
  t.deepEqual(bench.esp.takeMappings(), [])
  t.is(status(bench.open(outer(esp, true, 0, 31_000))), ESP_DONE)
  t.deepEqual(bench.esp.takeMappings(), [{ index: 2, port: 31_000, address: THEIRS }])
})

test('a removed SA opens and seals nothing', (t) => {
  const bench = new EspBench()
  bench.esp.install(outbound())
  bench.esp.install(inbound())
  bench.esp.remove(1)
  bench.esp.remove(2)
  bench.esp.remove(2)
  t.is(status(bench.seal(1, echoRequest(8))), ESP_NO_SA)
  t.is(status(bench.open(outer(
    oracleSeal(inbound(), 1n, echoRequest(8), IPV4, iv(gcm(16))), false))), ESP_NO_SA)
})
