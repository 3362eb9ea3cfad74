/**
 * Of what the schemas of the kinds are made (kinds/): blocks, addresses, ports, tags, names, each
 * with the sentence that says what is wrong with another value. Also the names that lab files keep
 * for themselves.
 */
import { z } from 'zod'
import { cidrFault } from './address.ts'
import { isIP, isIPv4 } from 'node:net'

/** Tags of the lab files' own; the value of the first is the name of the file that owns it. */
export const OWNER_TAG = 'lab-file'
/** Hashes of the commands that an instance has run. */
export const COMMANDS_TAG = 'lab-file:commands'
/** The route table, security group and network ACL that a VPC is born with. */
export const MAIN_TABLE = 'main'
export const DEFAULT_GROUP = 'default'
export const DEFAULT_ACL = 'default'
/** The DHCP option set that VPCs have from the start. */
export const DEFAULT_DHCP_OPTIONS = 'default'
/** Field of a tunnel that holds its secret: no plan and no export shows it unasked. */
export const KEY_FIELD = 'pre-shared-key'
/** Nothing at all, where a name stands otherwise. */
export const NONE = 'none'

export const cidr = z.string().superRefine((text, context) => {
  const fault = cidrFault(text)
  if (fault !== null) context.addIssue({ code: 'custom', message: `"${text}" ${fault}` })
}).describe('A block of addresses, 10.0.0.0/16.')

/** A block that EC2 gives to VPCs and subnets. */
export const networkCidr = cidr.superRefine((text, context) => {
  const length = Number(text.split('/')[1])
  if (cidrFault(text) === null && (text.includes(':') || length < 16 || length > 28)) {
    context.addIssue({
      code: 'custom',
      message: `"${text}" is not for a VPC or subnet: an IPv4 block from /16 to /28 is`
    })
  }
})

export const ipv4Address = z.string().refine((text) => isIPv4(text),
  { error: (issue) => `"${String(issue.input)}" is no IPv4 address` })

/** The low half of an IPv6 address: where it stands in its subnet's /64. */
export const ipv6Place = z.string().refine((text) => isIP(text) === 6 && text.startsWith('::'),
  { error: (issue) => `"${String(issue.input)}" is no place in a /64, such as ::10` })

export const tags = z.record(z.string().min(1).max(128), z.string().max(256))
  .superRefine((given, context) => {
    for (const key of Object.keys(given)) {
      if (key === 'Name' || /^(aws:|vpclab:|lab-file)/i.test(key)) {
        context.addIssue({
          code: 'custom',
          path: [key],
          message: `the tag "${key}" is not the file's to give: ` +
            (key === 'Name' ? 'the name is the key above' : 'its prefix is reserved')
        })
      }
    }
  }).describe('All tags besides the name.')

export const zone = z.union([z.string().min(1), z.int().min(1).max(9)])
  .describe('Zone id (use1-az1), zone name (us-east-1a), or number of the zone (1).')

export const port = z.int().min(0).max(65_535)

/** `80` and `8000-8080` as `{ from, to }`. */
const ports = z.union([port, z.string()]).transform((given, context) => {
  const [, first, last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(String(given)) ?? []
  const from = Number(first)
  const to = Number(last ?? first)
  if (first === undefined || to > 65_535 || from > to) {
    context.addIssue({
      code: 'custom', message: `"${String(given)}" is no port or range of ports, such as 8000-8080`
    })
    return z.NEVER
  }
  return { from, to }
}).describe('A port (80) or a range of them (8000-8080).')

/** Numbers of protocols that have a name in EC2's rules. */
export const PROTOCOL_NUMBERS = { tcp: 6, udp: 17, icmp: 1, icmpv6: 58, all: -1 } as const
const protocol = z.union([z.enum(['tcp', 'udp', 'icmp', 'icmpv6', 'all']), z.int().min(0).max(255)])
  .describe('A name, or the number of another protocol.')

export const matcher = {
  protocol,
  ports: ports.optional(),
  'icmp-type': z.int().min(-1).max(255).optional(),
  'icmp-code': z.int().min(-1).max(255).optional()
}

export function checkMatcher (rule: { protocol: string | number, ports?: unknown },
  context: z.RefinementCtx): void {
  const hasPorts = rule.protocol === 'tcp' || rule.protocol === 'udp'
  if (hasPorts !== (rule.ports !== undefined)) {
    context.addIssue({
      code: 'custom',
      message: hasPorts
        ? `a rule for ${String(rule.protocol)} needs "ports": 80, or 0-65535 for all`
        : `"ports" is for tcp and udp, not for ${String(rule.protocol)}`
    })
  }
}

/** What a rule matches, as a file says it. */
export interface MatcherText {
  readonly 'protocol': keyof typeof PROTOCOL_NUMBERS | number
  readonly 'ports'?: { readonly from: number, readonly to: number } | undefined
  readonly 'icmp-type'?: number | undefined
  readonly 'icmp-code'?: number | undefined
}

/** What a rule matches: the number of a protocol; ports, or type and code of ICMP; -1 for all. */
export function matcherFrom (text: MatcherText): { protocol: number, from: number, to: number } {
  const { protocol } = text
  return {
    protocol: typeof protocol === 'number' ? protocol : PROTOCOL_NUMBERS[protocol],
    ...text.ports ?? { from: text['icmp-type'] ?? -1, to: text['icmp-code'] ?? -1 }
  }
}

const PROTOCOL_NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries(PROTOCOL_NUMBERS).map(([name, number]) => [String(number), name]))

/**
 * The inverse of matcherFrom, as short as it can be.
 * @param matched protocol as EC2 names it: a number or a name as text
 */
export function matcherText (matched: { protocol: string, from: number, to: number }): object {
  const { protocol, from, to } = matched
  const name = PROTOCOL_NAMES.get(protocol) ?? protocol
  const shown = /^\d+$/.test(name) ? Number(name) : name
  if (name === 'tcp' || name === 'udp') {
    const whole = from === -1
    return {
      protocol: shown,
      ports: whole ? '0-65535' : from === to ? from : `${String(from)}-${String(to)}`
    }
  }
  return {
    protocol: shown,
    ...name.startsWith('icmp') && from !== -1 ? { 'icmp-type': from } : {},
    ...name.startsWith('icmp') && to !== -1 ? { 'icmp-code': to } : {}
  }
}

/** Exactly one of the keys. */
export function exactlyOne (keys: readonly string[]) {
  return (value: object, context: z.RefinementCtx): void => {
    const given = keys.filter((key) => (value as Record<string, unknown>)[key] !== undefined)
    if (given.length === 1) return
    context.addIssue({
      code: 'custom',
      message: `exactly one of ${keys.join(', ')} is needed, not ` +
        (given.length === 0 ? 'none' : given.join(' and '))
    })
  }
}
