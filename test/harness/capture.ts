/**
 * Captures of the underlay: stock tcpdump writes the file, stock tshark and pcap-parser read it.
 *
 * A capture is ready when tcpdump listens and the lab's agents have seen its packet socket and send
 * one datagram per packet; what is sent from then on is in the file as single frames.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'pcap-parser'
import { Background, command, inside } from './command.ts'

export interface CaptureOptions {
  readonly namespace: string
  readonly device: string
  readonly filter: string
  /** Awaited after tcpdump listens, before the capture counts as started. */
  readonly whenListening: () => Promise<void>
}

/** Has tshark verify every checksum, which it does not do by itself. */
const VERIFY_CHECKSUMS = ['ip', 'udp', 'tcp'].flatMap(
  (protocol) => ['-o', `${protocol}.check_checksum:TRUE`])

/**
 * Bytes that are kept of a frame: more than the MTU of any device here. tcpdump's own 262,144 would
 * leave its ring room for 256 frames, since on a TUN libpcap gives each a slot of that size when it
 * is to hand frames over at once; a burst of more was lost whenever tcpdump did not run for a
 * moment.
 */
const SNAPSHOT_BYTES = 16_384
/** Of the ring that the kernel fills, KiB: 4,000 slots. */
const RING_KIBIBYTES = 65_536

/** What no frame of ours may be. tshark's status 0 of a checksum is "bad". */
const BROKEN_FRAMES = ['_ws.malformed', ...['ip', 'udp', 'tcp', 'icmp', 'icmpv6'].map(
  (protocol) => `${protocol}.checksum.status == 0`)].join(' || ')

export class Capture implements AsyncDisposable {
  readonly path: string
  readonly #directory: string
  readonly #tcpdump: Background

  private constructor (directory: string, path: string, tcpdump: Background) {
    this.#directory = directory
    this.path = path
    this.#tcpdump = tcpdump
  }

  static async start (options: CaptureOptions): Promise<Capture> {
    const directory = mkdtempSync(join(tmpdir(), 'vpclab-capture-'))
    const path = join(directory, 'underlay.pcap')
    const tcpdump = new Background('ip', inside(options.namespace, [
      'tcpdump', '-i', options.device, '-n', '-U', '--immediate-mode',
      '-s', String(SNAPSHOT_BYTES), '-B', String(RING_KIBIBYTES), '-Z', 'root', '-w', path,
      options.filter]))
    const capture = new Capture(directory, path, tcpdump)
    try {
      await tcpdump.printed('listening on')
      await options.whenListening()
      return capture
    } catch (error) {
      await capture[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Ends the capture; its file is complete then. @returns packets the kernel did not hand over */
  async stop (): Promise<number> {
    const output = await this.#tcpdump.stop('SIGINT')
    return Number(/(\d+) packets? dropped by kernel/.exec(output)?.[1] ?? 0)
  }

  /**
   * Fields of every frame that matches, as tshark prints them: outer value first, inner after a
   * comma.
   * @param filter a display filter; empty for every frame
   */
  async fields (
    names: readonly string[], filter = ''): Promise<Record<string, string>[]> {
    const output = await command('tshark', '-r', this.path, ...VERIFY_CHECKSUMS, '-T', 'fields',
      '-E', 'separator=/t', ...names.flatMap((name) => ['-e', name]),
      ...(filter === '' ? [] : ['-Y', filter]))
    return output.split('\n').filter((line) => line !== '').map((line) => {
      const values = line.split('\t')
      return Object.fromEntries(names.map((name, at) => [name, values[at] ?? '']))
    })
  }

  /** One line per malformed frame or bad checksum; empty when every frame is good. */
  async brokenFrames (): Promise<string[]> {
    const output = await command(
      'tshark', '-r', this.path, ...VERIFY_CHECKSUMS, '-Y', BROKEN_FRAMES)
    return output.split('\n').filter((line) => line !== '')
  }

  /** The bytes of every frame, read by pcap-parser. */
  frames (): Promise<Uint8Array[]> {
    return new Promise((resolve, reject) => {
      const frames: Uint8Array[] = []
      const parser = parse(this.path)
      parser.on('packetData', (data) => { frames.push(data) })
      parser.on('error', reject)
      parser.on('end', () => { resolve(frames) })
    })
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.#tcpdump.stop('SIGKILL')
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
