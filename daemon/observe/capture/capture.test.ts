/** What a capture writes, read back by stock tshark and capinfos. */
import test from 'ava'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CaptureRingReader, CaptureRingWriter, DIRECTION_INBOUND, RECORD_DIRECTION, RECORD_GSO_SIZE,
  RECORD_GSO_TYPE, RECORD_PACKET_BYTES, RECORD_TOTAL_BYTES
} from '../../dataplane/capture_ring.ts'
import { DROP_NONE, DROP_NO_ROUTE } from '../../dataplane/drop_reason.ts'
import { ipPacket } from '../../dataplane/testing/packets.ts'
import { GSO_NONE, GSO_TCPV4 } from '../../tun/descriptor.ts'
import { addressWords } from '../../wire/address.ts'
import { PROTOCOL_ICMP, PROTOCOL_UDP } from '../../wire/ip_protocol.ts'
import { Capture, CAPTURE_BUFFER_BYTES_MAX } from './capture.ts'
import type { CaptureOptions } from './capture.ts'
import type { CaptureFilter } from './capture_filter.ts'
import { filterHost, filterProtocols } from './capture_filter.ts'
import { Frames } from './frames.ts'
import { FRAME_BYTES_MAX } from './pcapng.ts'

const EVERYTHING: CaptureFilter = { host: null, port: null, protocols: [] }
/** 2026-01-02T03:04:05.000000007Z */
const TIME_NS = 1_767_323_045_000_000_007n

class World {
  readonly chunks: Uint8Array[] = []
  bufferedBytes = 0
  readonly capture: Capture
  readonly #ring = new CaptureRingReader()
  readonly #writer = new CaptureRingWriter(this.#ring.memory as SharedArrayBuffer)
  readonly #frames = new Frames(this.#ring, addressWords('192.0.2.1'))

  constructor (options: Partial<CaptureOptions> = {}) {
    const read = (): number => this.bufferedBytes
    this.capture = new Capture({
      slot: 0, countMax: Infinity, snapBytes: FRAME_BYTES_MAX, filter: EVERYTHING,
      hasHeartbeat: false, application: 'vpclab', hardware: 'x64', os: 'Linux', ...options
    }, {
      write: (chunk) => { this.chunks.push(chunk) },
      get bufferedBytes () { return read() }
    })
    this.capture.join('a', 'eni-1 (a)', 'ENI of i-1 (a)', TIME_NS)
    this.capture.join('b', 'host-1 underlay', 'Underlay of host-1', TIME_NS)
  }

  /** Captures one packet at a point. */
  take (
    key: string, packet: Uint8Array,
    options: { reason?: number, gsoSize?: number, droppedAt?: string } = {}
  ): void {
    const at = this.#writer.reserve(packet.length)
    const word = at >>> 2
    this.#writer.bytes.set(packet, this.#writer.contentAt(at))
    const values = [
      [RECORD_DIRECTION, DIRECTION_INBOUND], [RECORD_TOTAL_BYTES, packet.length],
      [RECORD_PACKET_BYTES, packet.length], [RECORD_GSO_SIZE, options.gsoSize ?? 0],
      [RECORD_GSO_TYPE, options.gsoSize === undefined ? GSO_NONE : GSO_TCPV4]
    ] as const
    for (const [index, value] of values) this.#writer.words[word + index] = value
    this.#writer.publish()
    this.#frames.load(this.#ring.first)
    this.capture.take(key, {
      frames: this.#frames, bytes: this.#ring.bytes, timeNs: TIME_NS,
      direction: DIRECTION_INBOUND, reason: options.reason ?? DROP_NONE,
      droppedAt: options.droppedAt ?? ''
    })
    this.#ring.skip()
  }

  /** Ends the capture and has a tool read it. @param args with FILE for its name */
  read (program: string, ...args: readonly string[]): string {
    const directory = mkdtempSync(join(tmpdir(), 'vpclab-pcapng-'))
    try {
      const file = join(directory, 'capture.pcapng')
      writeFileSync(file, Buffer.concat(this.chunks))
      return execFileSync(program, args.map((arg) => arg === 'FILE' ? file : arg),
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    } finally {
      rmSync(directory, { recursive: true })
    }
  }

  /** Fields of every packet, a line each. */
  fields (...names: readonly string[]): string[][] {
    return this.read('tshark', '-n', '-r', 'FILE', '-T', 'fields',
      ...names.flatMap((name) => ['-e', name]))
      .split('\n').filter((line) => line !== '').map((line) => line.split('\t'))
  }
}

const udp = (dstPort: number, dst = '10.0.0.2'): Uint8Array =>
  ipPacket({ src: '10.0.0.1', dst, protocol: PROTOCOL_UDP, dstPort })

test('points, directions, times and comments stand where tools look for them', (t) => {
  const world = new World()
  world.take('a', udp(53))
  world.take('b', udp(54), { reason: DROP_NO_ROUTE, droppedAt: 'eni-7' })
  world.capture.end(TIME_NS + 5n)
  t.deepEqual(world.fields('frame.interface_name', 'frame.packet_flags_direction',
    'frame.time_epoch', 'udp.dstport', 'frame.comment'), [
    ['eni-1 (a)', '0x00000001', '1767323045.000000007', '53', ''],
    ['host-1 underlay', '0x00000001', '1767323045.000000007', '54', 'dropped at eni-7: ' +
      'no-route: The route table of the subnet has no route for the destination.']
  ])
  const info = world.read('capinfos', 'FILE')
  t.regex(info, /File timestamp precision: +nanoseconds \(9\)/)
  t.regex(info, /Capture application: +vpclab/)
  t.regex(info, /Name = eni-1 \(a\)\n +Description = ENI of i-1 \(a\)\n/)
  t.is(info.match(/Number of stat entries = 1/g)?.length, 2)
  t.deepEqual(world.capture.totals, { captured: 2, lost: 0 })
})

test('names of addresses are resolved, and a point may join later', (t) => {
  const world = new World()
  world.capture.name([{ address: Uint8Array.of(10, 0, 0, 1), name: 'alpha' }])
  world.take('a', udp(53))
  world.capture.join('c', 'eni-3', 'ENI that came later', TIME_NS)
  world.capture.name([
    { address: Uint8Array.of(10, 0, 0, 1), name: 'alpha' },
    { address: Uint8Array.of(10, 0, 0, 2), name: 'beta' }
  ])
  world.take('c', udp(54))
  world.capture.end(TIME_NS)
  const output = world.read('tshark', '-N', 'n', '-r', 'FILE', '-T', 'fields', '-e', 'ip.src_host',
    '-e', 'ip.dst_host', '-e', 'frame.interface_name')
  t.is(output.split('\n')[1], 'alpha\tbeta\teni-3')
})

test('a reader that does not read loses packets, told by the next one and at the end', (t) => {
  const world = new World()
  world.take('a', udp(1))
  world.bufferedBytes = CAPTURE_BUFFER_BYTES_MAX + 1
  t.true(world.capture.isStalled)
  world.take('a', ipPacket({ src: '10.0.0.1', dst: '10.0.0.2', payloadBytes: 900 }),
    { gsoSize: 100 })
  world.capture.lose('a', 5)
  world.bufferedBytes = 0
  world.take('b', udp(2))
  world.take('a', udp(3))
  world.take('a', udp(4))
  world.capture.end(TIME_NS)
  t.deepEqual(world.fields('udp.dstport', 'frame.drop_count'),
    [['1', ''], ['2', ''], ['3', '14'], ['4', '']])
  t.deepEqual(world.capture.totals, { captured: 4, lost: 14 })
  const blocks = world.read('tshark', '-r', 'FILE', '-X', 'read_format:MIME Files Format', '-V')
  t.regex(blocks, /Number of Received Packets: 17\n[^]*Number of Dropped Packets: 14\n/)
})

test('a silent capture shows now and then that it is there, if it was asked to', (t) => {
  const second = 1_000_000_000n
  for (const hasHeartbeat of [true, false]) {
    const world = new World({ hasHeartbeat })
    world.capture.flush(TIME_NS)
    const { length } = world.chunks
    world.capture.flush(TIME_NS + second)
    t.is(world.chunks.length, length)
    world.capture.flush(TIME_NS + second + 1n)
    t.is(world.chunks.length, hasHeartbeat ? length + 1 : length)
    world.take('a', udp(53))
    world.capture.end(TIME_NS)
    t.deepEqual(world.fields('udp.dstport'), [['53']])
  }
})

test('a count ends a capture in the middle of a super-packet', (t) => {
  const world = new World({ countMax: 4 })
  t.false(world.capture.isFull)
  world.take('a', ipPacket({ src: '10.0.0.1', dst: '10.0.0.2', payloadBytes: 900 }),
    { gsoSize: 100 })
  world.take('a', udp(1))
  world.capture.end(TIME_NS)
  t.true(world.capture.isFull)
  t.is(world.fields('tcp.dstport').length, 4)
})

test('host, port and protocol choose packets', (t) => {
  const packets = [
    udp(53), udp(54), udp(53, '10.0.0.9'),
    ipPacket({ src: '10.0.0.9', dst: '10.0.0.1', protocol: PROTOCOL_ICMP }),
    ipPacket({ src: '2001:db8::9', dst: '2001:db8::1', dstPort: 53 }), Uint8Array.of(0, 1)
  ]
  const taken = (filter: Partial<CaptureFilter>): number => {
    const world = new World({ filter: { ...EVERYTHING, ...filter } })
    for (const packet of packets) world.take('a', packet)
    return world.capture.totals.captured
  }
  t.is(taken({}), 6)
  t.is(taken({ port: 53 }), 3)
  t.is(taken({ host: filterHost('10.0.0.9') }), 2)
  t.is(taken({ host: filterHost('2001:db8::9') }), 1)
  t.is(taken({ protocols: filterProtocols('icmp') ?? [] }), 1)
  t.is(taken({ protocols: filterProtocols('17') ?? [], port: 53 }), 2)
  t.is(filterHost('10.0.0.256'), null)
  t.is(filterProtocols('256'), null)
  t.is(filterProtocols('sctp'), null)
})
