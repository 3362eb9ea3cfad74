/**
 * `vpcctl capture`: packets of ENIs, instances, VPCs and hosts as pcapng, to a file or into a pipe.
 *
 *     daemon ─ pcapng ─▶ admin socket ─▶ standard output │ file
 *
 * The stream is passed on as it comes; what it holds is made by the daemon (docs/captures.md). The
 * first line on standard error says that the capture has begun: packets sent from then on are in
 * it. SIGINT and SIGTERM end the capture, which then ends its stream with the statistics; a second
 * one ends the command at once. A reader that goes away ends it too.
 *
 * Keys of VPN tunnels go to a file of their own, and only when that is asked for.
 */
import { closeSync, createWriteStream, openSync, writeSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  CAPTURE_HEADER, CAPTURED_TRAILER, LOST_TRAILER
} from '../../daemon/api/admin/contract.ts'
import type { Command, Input } from '../command.ts'
import type { Context } from '../context.ts'
import { CtlError, EXIT_INTERRUPTED, usageError } from '../exit_codes.ts'
import { watchNames } from '../names_file.ts'
import { resolvePoint } from '../points.ts'
import { INSTANCE, NETWORK_INTERFACE, VPC } from '../resolve.ts'
import { resolveTunnels } from '../vpn_tunnels.ts'

const COUNT_MAX = Number.MAX_SAFE_INTEGER
const DURATION_S_MAX = 7 * 24 * 3600
const SNAPLEN_MIN = 64
const SNAPLEN_MAX = 262_144
const PORT_MAX = 65_535
const POINT_KINDS = [INSTANCE, NETWORK_INTERFACE, VPC] as const

export const captureCommand: Command = {
  name: 'capture',
  summary: 'Capture packets as pcapng, into a pipe or a file',
  action: 'GET /capture (admin API)',
  arguments: [{
    syntax: '[points...]',
    description: 'ENIs, instances and VPCs (ids or Name tags) and hosts (host-1: its underlay)'
  }],
  options: [
    {
      flags: '--vpn <tunnel>', repeats: true,
      description: 'a VPN tunnel, outside and inside: <vpn>/1, its outside address, or <vpn>: both'
    },
    {
      flags: '--keys <file>',
      description: "write the tunnels' keys to a new file, as Wireshark's ESP SA table"
    },
    { flags: '-w, --write <file>', description: 'write to a file; - is standard output' },
    { flags: '--direction <direction>', description: 'in or out, seen from the point' },
    { flags: '--drops-only', description: 'only packets that were dropped there' },
    { flags: '--host <address>', description: 'only packets from or to an address' },
    { flags: '--port <port>', description: 'only packets from or to a TCP or UDP port' },
    { flags: '--protocol <protocol>', description: 'only tcp, udp, icmp or a protocol number' },
    { flags: '-c, --count <packets>', description: 'end after so many packets' },
    { flags: '--duration <seconds>', description: 'end after so long' },
    { flags: '-s, --snaplen <bytes>', description: 'most bytes of a packet (default: all)' }
  ],
  note: 'A packet that a guest hands over in one piece of 64 KB is shown as the packets that it\n' +
    'is on the wire. Dropped packets carry the reason as a comment (frame.comment). A reader\n' +
    'that is too slow loses packets of the capture, which are counted in it; traffic is not\n' +
    'affected. tools/wireshark/vpclab.lua shows names of VPCs and ENIs on the underlay.\n' +
    'Who has the file of --keys can read what the tunnels carry: it is for its owner (0600).\n' +
    'Keys of SAs that are made while the capture runs are added. IKE stays encrypted.',
  examples: [
    'vpcctl capture a | wireshark -k -i -',
    'vpcctl capture web host-1 host-2 -w web.pcapng',
    'vpcctl capture a --drops-only | tshark -r - -T fields -e ip.dst -e frame.comment',
    'vpcctl capture --vpn office-branch/1 --keys esp_sa -w tunnel.pcapng'
  ],
  run: capture
}

async function capture (context: Context, input: Input): Promise<number> {
  const file = input.text('write')
  const toFile = file !== undefined && file !== '-'
  if (!toFile && process.stdout.isTTY) {
    const words = [...input.rest('points'), ...input.texts('vpn').map((one) => `--vpn ${one}`)]
    throw usageError('a capture is not for a terminal: give it to a program ' +
      `("vpcctl capture ${words.join(' ')} | tshark -r -", or wireshark -k -i -), ` +
      'or to a file with -w')
  }
  const tunnels = await tunnelsOf(context, input)
  const points = [...await Promise.all(
    input.rest('points').map((point) => resolvePoint(context, POINT_KINDS, point))), ...tunnels]
  if (points.length === 0) throw usageError('nothing to capture is named: a point, or --vpn')
  const query = queryOf(points, input)
  // A closed pipe is noticed by writing to it.
  if (!toFile) query.set('heartbeat', '1')
  const durationS = input.integer('duration', 1, DURATION_S_MAX)
  const target: Writable = toFile ? await openFile(file) : process.stdout
  const keys = await followKeys(context, input, tunnels)
  const stream = await context.admin.capture(query).catch((error: unknown) => {
    keys?.destroy()
    throw error
  })
  const stopNames = watchNames(context)
  const release = endWhenAsked(context, stream, durationS)
  say(context, `Capturing on ${points.join(', ')}${toFile ? ` into ${file}` : ''}\n`)
  try {
    await pipeline(stream, target, { end: toFile })
  } catch (error) {
    throw failureOf(error as NodeJS.ErrnoException, file)
  } finally {
    release()
    stopNames()
    keys?.destroy()
  }
  return report(context, stream, toFile ? file : null)
}

async function tunnelsOf (context: Context, input: Input): Promise<string[]> {
  const references = input.texts('vpn')
  if (references.length === 0) return []
  const ec2 = await context.ec2()
  const found = await Promise.all(references.map((one) => resolveTunnels(ec2, one)))
  return [...new Set(found.flat())]
}

/**
 * Writes keys for as long as the capture runs; when this resolves those of the present are written.
 * @returns null when nobody asks for keys
 */
async function followKeys (
  context: Context, input: Input, tunnels: readonly string[]): Promise<IncomingMessage | null> {
  const path = input.text('keys')
  if (path === undefined) return null
  if (tunnels.length === 0) throw usageError('--keys is for VPN tunnels: name one with --vpn')
  const keys = await context.admin.vpnKeys(tunnels)
  let file: number
  try {
    file = newFile(path)
  } catch (error) {
    keys.destroy()
    throw error
  }
  const begun = new Promise<void>((resolve) => {
    keys.on('data', (chunk: Buffer) => {
      writeSync(file, chunk)
      resolve()
    })
    keys.once('close', () => {
      closeSync(file)
      resolve()
    })
  })
  keys.on('error', () => { /* the daemon went away, and the capture's stream tells it */ })
  await begun
  return keys
}

/** @returns a descriptor @throws CtlError Usage when it is there already, or cannot be made */
function newFile (path: string): number {
  try {
    return openSync(path, 'wx', CAPTURE_FILE_MODE)
  } catch (error) {
    throw usageError((error as NodeJS.ErrnoException).code === 'EEXIST'
      ? `${path} is there already: keys are written to a new file only`
      : `${path} cannot be written: ${(error as Error).message}`)
  }
}

/** Wireshark takes for an error what its capture program says there: it asks with --quiet. */
function say (context: Context, text: string): void {
  if (context.output.form !== 'quiet') process.stderr.write(text)
}

function report (context: Context, { trailers }: IncomingMessage, file: string | null): number {
  const captured = Number(trailers[CAPTURED_TRAILER] ?? Number.NaN)
  const lost = Number(trailers[LOST_TRAILER] ?? Number.NaN)
  if (Number.isNaN(captured)) {
    throw new CtlError('InvalidAnswer', 'The daemon broke the capture off: it has no statistics')
  }
  say(context, `${String(captured)} packets captured, ${String(lost)} lost\n`)
  if (file !== null && context.output.form === 'json') {
    context.output.json({ file, captured, lost })
  }
  return 0
}

/** Ends the capture on signals and after its duration. @returns undoes that */
function endWhenAsked (
  context: Context, stream: IncomingMessage, durationS: number | undefined
): () => void {
  const id = String(stream.headers[CAPTURE_HEADER])
  let isAsked = false
  const end = (): void => {
    isAsked = true
    // When it has ended meanwhile, its stream tells so itself.
    context.admin.stopCapture(id).catch(() => undefined)
  }
  const onSignal = (): void => {
    if (isAsked) process.exit(EXIT_INTERRUPTED)
    end()
  }
  const timer = durationS === undefined ? undefined : setTimeout(end, durationS * 1000)
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return () => {
    clearTimeout(timer)
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}

/** A capture holds other people's traffic. */
const CAPTURE_FILE_MODE = 0o600

/** @throws CtlError Usage when it cannot be written */
function openFile (path: string): Promise<Writable> {
  return new Promise((resolve, reject) => {
    const stream = createWriteStream(path, { mode: CAPTURE_FILE_MODE })
    stream.once('open', () => { resolve(stream) })
    stream.once('error', (error) => {
      reject(usageError(`${path} cannot be written: ${error.message}`))
    })
  })
}

function failureOf (error: NodeJS.ErrnoException, file: string | undefined): Error {
  if (error.code === 'ENOSPC' || error.code === 'EIO') {
    return new CtlError('VPCLAB_ERR_SYSCALL',
      `${file ?? 'standard output'} cannot be written any more: ${error.message}`)
  }
  if (error.code === 'ECONNRESET' || error.code === 'ERR_STREAM_PREMATURE_CLOSE') {
    return new CtlError('VPCLAB_ERR_LAB_DOWN', 'The daemon went away while it captured')
  }
  return error
}

function queryOf (points: readonly string[], input: Input): URLSearchParams {
  const direction = input.text('direction')
  if (direction !== undefined && direction !== 'in' && direction !== 'out') {
    throw usageError(`--direction is "in" or "out", not "${direction}"`)
  }
  const values = {
    points: points.join(','),
    direction,
    dropsOnly: input.flag('dropsOnly') ? 1 : undefined,
    host: input.text('host'),
    port: input.integer('port', 0, PORT_MAX),
    protocol: input.text('protocol'),
    count: input.integer('count', 1, COUNT_MAX),
    snaplen: input.integer('snaplen', SNAPLEN_MIN, SNAPLEN_MAX)
  }
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) query.set(name, String(value))
  }
  return query
}
