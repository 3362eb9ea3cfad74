/**
 * `vpcctl trace <point> --live`: a capture of the point's packets, of which each conversation is
 * traced once, and again when it fares otherwise.
 *
 *     GET /capture ─▶ pcapng blocks ─▶ one packet of each conversation ─▶ POST /trace ─▶ print
 *
 * A trace tells what the present rules and tables do with the packet, which is what they did unless
 * somebody changed them since it passed. At most LIVE_TRACES_PER_S are asked for; how many
 * conversations that left out is said at the end.
 */
import type { IncomingMessage } from 'node:http'
import { CAPTURE_HEADER } from '../daemon/api/admin/contract.ts'
import type { TraceAnswer } from '../daemon/api/admin/contract.ts'
import type { Context } from './context.ts'
import { CtlError } from './exit_codes.ts'
import { untilInterrupted } from './interrupt.ts'
import { printWalk } from './walk.ts'

/** Traces asked for in a second. */
export const LIVE_TRACES_PER_S = 20
/** Conversations that are remembered as traced; beyond it the oldest is traced anew. */
export const LIVE_CONVERSATIONS_MAX = 10_000
/** A conversation is looked at again after so long, for it may fare otherwise now. */
const LOOK_AGAIN_MS = 2000
/** Enough of a packet for its headers. */
const SNAP_BYTES = 128

// pcapng, draft-ietf-opsawg-pcapng: Enhanced Packet Block, as the daemon writes it.
const BLOCK_ENHANCED_PACKET = 6
const BLOCK_BYTES_MIN = 12
const PACKET_AT_CAPTURED = 20
const PACKET_AT_ORIGINAL = 24
const PACKET_AT_DATA = 28
const OPTION_FLAGS = 2
const DIRECTION_MASK = 3
const DIRECTION_INBOUND = 1
const PACKET_BYTES_MIN = 20

interface SeenPacket {
  readonly direction: 'in' | 'out'
  readonly bytes: Buffer
  readonly totalBytes: number
}

/** @param point ENI or instance @param countMax traces after which it ends */
export async function runLiveTrace (
  context: Context, point: string, countMax: number
): Promise<void> {
  const enis = await enisOf(context, point)
  await Promise.race(enis.map(async (eni) => { await traceEni(context, eni, countMax) }))
}

/** The ENI to watch; of an instance the first. */
async function enisOf (context: Context, point: string): Promise<string[]> {
  if (point.startsWith('eni-')) return [point]
  const ec2 = await context.ec2()
  const filter = point.startsWith('i-')
    ? [{ Name: 'attachment.instance-id', Value: [point] },
        { Name: 'attachment.device-index', Value: ['0'] }]
    : [{ Name: 'addresses.private-ip-address', Value: [point] }]
  const enis = await ec2.all('DescribeNetworkInterfaces', { Filter: filter },
    (page) => page.NetworkInterfaces)
  const [eni] = enis.flatMap(({ NetworkInterfaceId: id }) => id ?? [])
  if (eni === undefined) throw new CtlError('NameNotFound', `No ENI belongs to ${point}`)
  return [eni]
}

async function traceEni (context: Context, eni: string, countMax: number): Promise<void> {
  const query = new URLSearchParams({ points: eni, snaplen: String(SNAP_BYTES), heartbeat: '1' })
  const stream = await context.admin.capture(query)
  const live = new LiveTraces(context, eni, countMax)
  context.output.note(`Tracing what passes ${eni}; an interruption ends it`)
  await untilInterrupted(async (signal) => {
    const stop = (): void => {
      context.admin.stopCapture(String(stream.headers[CAPTURE_HEADER])).catch(() => undefined)
    }
    signal.addEventListener('abort', stop)
    try {
      for await (const packet of packetsOf(stream)) {
        await live.take(packet)
        if (live.isFull || signal.aborted) break
      }
    } finally {
      signal.removeEventListener('abort', stop)
      stream.destroy()
    }
  })
  if (live.skipped > 0) {
    context.output.note(`${String(live.skipped)} packets of other conversations came faster than ` +
      `${String(LIVE_TRACES_PER_S)} a second, and were not traced`)
  }
}

/** What has been traced of one ENI. */
class LiveTraces {
  /** Packets for which there was no time. */
  skipped = 0
  readonly #context: Context
  readonly #eni: string
  readonly #countMax: number
  /** Conversation → when it was looked at last, and how it fared. */
  readonly #seen = new Map<string, { atMs: number, fate: string }>()
  #count = 0
  #secondMs = 0
  #ofSecond = 0

  constructor (context: Context, eni: string, countMax: number) {
    this.#context = context
    this.#eni = eni
    this.#countMax = countMax
  }

  get isFull (): boolean { return this.#count >= this.#countMax }

  async take (packet: SeenPacket): Promise<void> {
    const key = conversationOf(packet)
    if (key === null) return
    const nowMs = this.#context.clock.monotonicMs()
    const seen = this.#seen.get(key)
    if (seen !== undefined && nowMs - seen.atMs < LOOK_AGAIN_MS) return
    if (!this.#hasTime(nowMs)) {
      this.skipped++
      return
    }
    const answer = await this.#ask(packet)
    const fate = answer === null ? 'refused' : answer.obstacle?.reason ?? 'delivered'
    this.#remember(key, { atMs: nowMs, fate })
    if (answer === null || seen?.fate === fate) return
    this.#count++
    const { output } = this.#context
    if (output.form === 'json') output.jsonLine(answer)
    else if (output.form === 'quiet') output.text(fate)
    else printWalk(output, answer)
  }

  async #ask (packet: SeenPacket): Promise<TraceAnswer | null> {
    const { direction, totalBytes } = packet
    try {
      return await this.#context.admin.trace(
        { at: this.#eni, direction, totalBytes, bytesHex: packet.bytes.toString('hex') })
    } catch (error) {
      if (!(error instanceof CtlError) || error.code === 'VPCLAB_ERR_LAB_DOWN') throw error
      this.#context.output.note(error.message)
      return null
    }
  }

  #hasTime (nowMs: number): boolean {
    if (nowMs - this.#secondMs >= 1000) {
      this.#secondMs = nowMs
      this.#ofSecond = 0
    }
    return this.#ofSecond++ < LIVE_TRACES_PER_S
  }

  #remember (key: string, seen: { atMs: number, fate: string }): void {
    this.#seen.delete(key)
    this.#seen.set(key, seen)
    if (this.#seen.size <= LIVE_CONVERSATIONS_MAX) return
    for (const oldest of this.#seen.keys()) {
      this.#seen.delete(oldest)
      return
    }
  }
}

/** Direction, addresses, protocol and ports as text; null for what has none of them. */
function conversationOf ({ direction, bytes }: SeenPacket): string | null {
  if (bytes.length < PACKET_BYTES_MIN) return null
  const isIpv6 = bytes.readUInt8(0) >>> 4 === 6
  const headerBytes = isIpv6 ? 40 : (bytes.readUInt8(0) & 0x0f) * 4
  const addresses = isIpv6 ? bytes.subarray(8, 40) : bytes.subarray(12, 20)
  const protocol = bytes.readUInt8(isIpv6 ? 6 : 9)
  const ports = bytes.subarray(headerBytes, headerBytes + 4)
  // The checksum of ICMP differs from packet to packet; type and code stand before it.
  const isIcmp = protocol === 1 || protocol === 58
  return [direction, protocol, addresses.toString('hex'),
    ports.subarray(0, isIcmp ? 2 : 4).toString('hex')].join(' ')
}

/** The packets of a pcapng stream, as they come. */
async function * packetsOf (stream: IncomingMessage): AsyncGenerator<SeenPacket> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    while (rest.length - at >= BLOCK_BYTES_MIN) {
      const blockBytes = rest.readUInt32LE(at + 4)
      if (blockBytes < BLOCK_BYTES_MIN || rest.length - at < blockBytes) break
      const block = rest.subarray(at, at + blockBytes)
      if (block.readUInt32LE(0) === BLOCK_ENHANCED_PACKET) yield packetOf(block)
      at += blockBytes
    }
    rest = rest.subarray(at)
  }
}

function packetOf (block: Buffer): SeenPacket {
  const capturedBytes = block.readUInt32LE(PACKET_AT_CAPTURED)
  const end = PACKET_AT_DATA + capturedBytes
  return {
    direction: directionOf(block, end + (-capturedBytes & 3)),
    bytes: block.subarray(PACKET_AT_DATA, end),
    totalBytes: block.readUInt32LE(PACKET_AT_ORIGINAL)
  }
}

/** The option that says which way the packet went, as the instance sees it. */
function directionOf (block: Buffer, optionsAt: number): 'in' | 'out' {
  let at = optionsAt
  while (at + 4 <= block.length - 4) {
    const code = block.readUInt16LE(at)
    const bytes = block.readUInt16LE(at + 2)
    if (code === OPTION_FLAGS) {
      return (block.readUInt32LE(at + 4) & DIRECTION_MASK) === DIRECTION_INBOUND ? 'in' : 'out'
    }
    if (code === 0) break
    at += 4 + bytes + (-bytes & 3)
  }
  return 'out'
}
