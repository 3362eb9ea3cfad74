/**
 * What BIRD's `show protocols all` and `show route all` say, as values. Formats of BIRD 2.0
 * (nest/proto.c, proto/bgp/bgp.c, nest/rt-show.c); bird_show.test.ts has answers of a real one.
 */
import { formatCidr, parseCidr } from '../model/cidr.ts'
import type { BgpPath } from '../model/vpn_status.ts'
import type { ReplyLine } from './bird_control.ts'

/** Codes of the lines that are looked at: nest/cli.h and doc/reply_codes. */
const CODE_PROTOCOL = 1002
const CODE_PROTOCOL_DETAILS = 1006
const CODE_ROUTE = 1007
const CODE_ROUTE_ATTRIBUTES = 1012

export interface ProtocolStatus {
  readonly isEstablished: boolean
  /** BIRD's words for why it is not; empty: none. */
  readonly lastError: string
  /** It was ended by its limit of prefixes, and waits to be enabled. */
  readonly isOverLimit: boolean
  /** Another text whenever routes have changed. */
  readonly routesMark: string
}

const LIMIT_ERROR = 'Automatic shutdown: Route limit exceeded'

/** BGP protocols by name. */
export function parseProtocols (lines: readonly ReplyLine[]): Map<string, ProtocolStatus> {
  const found = new Map<string, ProtocolStatus>()
  let name = ''
  let details: string[] = []
  const finish = (): void => {
    if (name !== '') found.set(name, statusOf(details))
    details = []
  }
  for (const { code, text } of lines) {
    if (code === CODE_PROTOCOL) {
      finish()
      const [first = '', kind] = text.trim().split(/\s+/)
      name = kind === 'BGP' ? first : ''
    } else if (code === CODE_PROTOCOL_DETAILS) details.push(text.trim())
  }
  finish()
  return found
}

function statusOf (details: readonly string[]): ProtocolStatus {
  const value = (label: string): string =>
    details.find((line) => line.startsWith(label))?.slice(label.length).trim() ?? ''
  const lastError = value('Last error:')
  return {
    isEstablished: value('BGP state:') === 'Established',
    lastError,
    isOverLimit: lastError === LIMIT_ERROR,
    routesMark: [value('Routes:'), value('Import updates:'), value('Import withdraws:')].join('|')
  }
}

/** A route as the table has it, best or not. */
export interface LearnedRoute {
  /** Name of the protocol that learned it. */
  readonly protocol: string
  readonly path: BgpPath
}

/** Learned IPv4 routes, in order of the table. Those that cannot be read are left out. */
export function parseRoutes (lines: readonly ReplyLine[]): LearnedRoute[] {
  const routes: LearnedRoute[] = []
  let cidr = ''
  let attributes = new Map<string, string>()
  let protocol = ''
  const finish = (): void => {
    const parsed = parseCidr(cidr)
    if (protocol !== '' && parsed?.family === 4) {
      routes.push({ protocol, path: pathOf(formatCidr(parsed), attributes) })
    }
    protocol = ''
    attributes = new Map()
  }
  for (const { code, text } of lines) {
    if (code === CODE_ROUTE) {
      // The prefix stands in the first of several routes to it alone; ways (`via`) are indented.
      const match = /^(\S+\/\d+)?\s+\w+ \[(\S+) /.exec(text)
      if (match === null) continue
      finish()
      cidr = match[1] ?? cidr
      protocol = match[2] ?? ''
    } else if (code === CODE_ROUTE_ATTRIBUTES) {
      const match = /^\s*BGP\.(\w+):\s?(.*)$/.exec(text)
      if (match?.[1] !== undefined) attributes.set(match[1], match[2] ?? '')
    }
  }
  finish()
  return routes
}

function pathOf (cidr: string, attributes: ReadonlyMap<string, string>): BgpPath {
  const med = attributes.get('med')
  return {
    cidr,
    asPath: (attributes.get('as_path')?.match(/\d+/g) ?? []).map(Number),
    med: med === undefined ? null : Number(med),
    communities: [...(attributes.get('community') ?? '').matchAll(/\((\d+),(\d+)\)/g)]
      .map(([, high = '', low = '']) => `${high}:${low}`),
    nextHop: attributes.get('next_hop')?.split(' ')[0] ?? ''
  }
}

/**
 * BIRD's last error for people: who ended the session, and what to look at.
 * @param error empty: nothing has happened yet
 */
export function errorInWords (error: string, peer: {
  readonly peerAsn: number
  readonly peerAddress: string
  readonly pathsMax: number
}, ownAsn: number): string {
  const { peerAsn, peerAddress, pathsMax } = peer
  const known: Readonly<Record<string, string>> = {
    '': `${peerAddress} has not been reached yet`,
    [LIMIT_ERROR]: `${peerAddress} announced more than ${String(pathsMax)} prefixes: the session ` +
      'was ended, and is tried again every minute',
    'BGP Error: Bad peer AS': `${peerAddress} says another AS than ${String(peerAsn)}, the ASN ` +
      'of the customer gateway',
    'Received: Bad peer AS': `${peerAddress} expects another AS than ${String(ownAsn)}, that of ` +
      'the virtual private gateway',
    'BGP Error: Hold timer expired':
      `nothing was heard of ${peerAddress} for the hold time of 30 s`,
    'Received: Hold timer expired': `${peerAddress} heard nothing for its hold time`,
    'BGP Error: Bad BGP identifier': `${peerAddress} has no BGP identifier (router id), or ours`,
    'Error: Neighbor lost': 'the inside address is gone: the tunnel has no device',
    'Socket: Connection refused': `${peerAddress} takes no BGP: nothing listens on TCP port 179`,
    'Socket: Connection closed': `${peerAddress} closed the connection`,
    'Socket: Connection reset by peer': `${peerAddress} reset the connection`,
    'Socket: No route to host': `${peerAddress} does not answer`,
    'Socket: Connection timed out': `${peerAddress} does not answer`
  }
  return known[error] ?? (error.startsWith('Received: ')
    ? `${peerAddress} ended the session: ${error.slice('Received: '.length)}`
    : `the session ended: ${error}`)
}
