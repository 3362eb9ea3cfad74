/**
 * `vpcctl trace web tcp 10.0.2.20:443`: the way of one packet, on every host that it would pass,
 * with the thing and the rule that decides at each step. Nothing is sent, and no flow is made.
 *
 * `--live` traces the packets that pass an ENI now: each conversation once, and again when it fares
 * otherwise (live_trace.ts).
 */
import type { PacketRequest } from '../../daemon/api/admin/contract.ts'
import { type Command, defineCommand, type Input } from '../command.ts'
import type { Context } from '../context.ts'
import { usageError } from '../exit_codes.ts'
import { parseEnd, printWalk, resolveEnd } from '../walk.ts'

const PORT_MAX = 65_535
const PACKET_BYTES_MAX = 65_535
const TTL_MAX = 255
const ICMP_TYPE_MAX = 255
/** By the letters with which tcpdump writes them. */
const TCP_FLAGS: Readonly<Record<string, number>> =
  { F: 0x01, S: 0x02, R: 0x04, P: 0x08, '.': 0x10 }

export const traceCommand: Command = defineCommand({
  name: 'trace',
  summary: 'Print every step and rule that a packet would meet, without sending it',
  action: 'POST /trace (admin API)',
  arguments: [
    { syntax: '<point>', description: 'who sends: ENI, instance (id or Name tag) or address' },
    { syntax: '[protocol]', description: 'tcp, udp, icmp, icmpv6 or a number' },
    { syntax: '[address]', description: 'where to: 10.0.2.20:443, db:443, [2001:db8::1]:443' }
  ],
  options: [
    { flags: '--in', description: 'the packet arrives at <point>, and [address] is its sender' },
    { flags: '--from-port <port>', description: 'source port (default: 32768)' },
    { flags: '--source <address>', description: 'another source address than the sender\'s own' },
    {
      flags: '--tcp-flags <flags>',
      description: 'as tcpdump has them: S, S., ., F., R (default: S)'
    },
    { flags: '--icmp-type <type>', description: 'ICMP type (default: echo request)' },
    { flags: '--bytes <bytes>', description: 'size of the IP packet (default: its headers)' },
    { flags: '--ttl <ttl>', description: 'TTL or hop limit (default: 64)' },
    { flags: '--live', description: 'trace the packets that pass <point> now, until interrupted' },
    { flags: '--count <count>', description: 'with --live: end after so many traces' }
  ],
  note: 'With --in the port of [address] is the one that the packet arrives at. Conversations ' +
    'that the hosts remember count, as they would for the packet. Exit codes: 0 delivered, ' +
    '1 dropped.',
  examples: [
    'vpcctl trace web tcp 10.0.2.20:443',
    'vpcctl trace web icmp db --json',
    'vpcctl trace db --in tcp web:5432',
    'vpcctl trace web --live --count 10'
  ],
  async run (context, input) {
    if (input.flag('live')) return await traceLive(context, input)
    const protocol = input.optionalArgument('protocol')
    const address = input.optionalArgument('address')
    if (protocol === undefined || address === undefined) {
      throw usageError('[protocol] and [address] are needed: "vpcctl trace web tcp 10.0.2.20:443"')
    }
    const { end, port } = parseEnd(address)
    const [point, other] = await Promise.all(
      [input.argument('point'), end].map((name) => resolveEnd(context, name)))
    const [from = '', to = ''] = input.flag('in') ? [other, point] : [point, other]
    const answer = await context.admin.trace({
      from, to, protocol, ...port === undefined ? {} : { port }, ...packetOptions(input)
    })
    if (context.output.form === 'json') context.output.json(answer)
    else if (context.output.form === 'quiet') {
      context.output.text(answer.obstacle?.reason ?? 'delivered')
    } else printWalk(context.output, answer)
    return answer.obstacle === null ? 0 : 1
  }
})

function packetOptions (input: Input): Partial<PacketRequest> {
  const values = {
    fromPort: input.integer('fromPort', 0, PORT_MAX),
    source: input.text('source'),
    tcpFlags: tcpFlags(input.text('tcpFlags')),
    icmpType: input.integer('icmpType', 0, ICMP_TYPE_MAX),
    bytes: input.integer('bytes', 1, PACKET_BYTES_MAX),
    ttl: input.integer('ttl', 0, TTL_MAX)
  }
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}

function tcpFlags (text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  return text.split('').reduce((flags, letter) => {
    const flag = TCP_FLAGS[letter]
    if (flag === undefined) {
      throw usageError(`--tcp-flags has the letters ${Object.keys(TCP_FLAGS).join(' ')}, ` +
        `not "${letter}"`)
    }
    return flags | flag
  }, 0)
}

async function traceLive (context: Context, input: Input): Promise<number> {
  if (input.optionalArgument('protocol') !== undefined) {
    throw usageError('--live traces what passes: it takes no packet')
  }
  const count = input.integer('count', 1, Number.MAX_SAFE_INTEGER) ?? Infinity
  const point = await resolveEnd(context, input.argument('point'))
  const { runLiveTrace } = await import('../live_trace.ts')
  await runLiveTrace(context, point, count)
  return 0
}
