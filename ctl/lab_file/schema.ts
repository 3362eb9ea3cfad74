/**
 * What a lab file may say: the one description of it, by which a file is checked, typed, and
 * described to editors (`labs/schema.json` is made from here).
 *
 *     name ── hosts, region, underlay-mtu      the lab itself
 *      ├── dhcp-options                        of the account
 *      ├── vpcs ── subnets, route-tables, security-groups, network-acls, enis, instances
 *      └── checks                              what "vpcctl validate" tries
 *
 * Everything is named by the key under which it stands; that name becomes its Name tag, and other
 * parts refer to it by it. A field that is left out is not looked at: the lab keeps what it has.
 * Field names are those of vpcctl's options. docs/lab_files.md tells it to people.
 */
import { z } from 'zod'
import { cidrFault } from './address.ts'
import { isIP, isIPv4 } from 'node:net'

/** Tags of the lab files' own; the value of the first is the name of the file that owns it. */
export const OWNER_TAG = 'lab-file'
/** Hashes of the commands that an instance has run. */
export const COMMANDS_TAG = 'lab-file:commands'
/** Commands of an instance: their hashes fit into the 256 characters of one tag. */
export const INSTANCE_COMMANDS_MAX = 28
/** Checks of one file: each runs programs in the lab. */
export const CHECKS_MAX = 1000
/** The route table, security group and network ACL that a VPC is born with. */
export const MAIN_TABLE = 'main'
export const DEFAULT_GROUP = 'default'
export const DEFAULT_ACL = 'default'
/** The DHCP option set that VPCs have from the start, and the name for none at all. */
export const DEFAULT_DHCP_OPTIONS = 'default'
export const NO_DHCP_OPTIONS = 'none'

const cidr = z.string().superRefine((text, context) => {
  const fault = cidrFault(text)
  if (fault !== null) context.addIssue({ code: 'custom', message: `"${text}" ${fault}` })
}).describe('A block of addresses, 10.0.0.0/16.')

/** A block that EC2 gives to VPCs and subnets. */
const networkCidr = cidr.superRefine((text, context) => {
  const length = Number(text.split('/')[1])
  if (cidrFault(text) === null && (text.includes(':') || length < 16 || length > 28)) {
    context.addIssue({
      code: 'custom',
      message: `"${text}" is not for a VPC or subnet: an IPv4 block from /16 to /28 is`
    })
  }
})

const ipv4Address = z.string().refine((text) => isIPv4(text),
  { error: (issue) => `"${String(issue.input)}" is no IPv4 address` })

/** The low half of an IPv6 address: where it stands in its subnet's /64. */
const ipv6Place = z.string().refine((text) => isIP(text) === 6 && text.startsWith('::'),
  { error: (issue) => `"${String(issue.input)}" is no place in a /64, such as ::10` })

const tags = z.record(z.string().min(1).max(128), z.string().max(256))
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

const zone = z.union([z.string().min(1), z.int().min(1).max(9)])
  .describe('Zone id (use1-az1), zone name (us-east-1a), or number of the zone (1).')

const port = z.int().min(0).max(65_535)

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

const matcher = {
  protocol,
  ports: ports.optional(),
  'icmp-type': z.int().min(-1).max(255).optional(),
  'icmp-code': z.int().min(-1).max(255).optional()
}

function checkMatcher (rule: { protocol: string | number, ports?: unknown },
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

const peers = z.union([z.string(), z.array(z.string()).min(1)])
  .transform((peer) => typeof peer === 'string' ? [peer] : peer)
  .describe('Blocks of addresses, or names of security groups of the VPC.')
const ruleDescription = z.string().max(255).optional()
const ingressRule =
  z.strictObject({ ...matcher, from: peers, description: ruleDescription })
    .superRefine(checkMatcher)
const egressRule =
  z.strictObject({ ...matcher, to: peers, description: ruleDescription })
    .superRefine(checkMatcher)

/** A rule of a security group; `from` when it is inbound, `to` when it is outbound. */
export interface GroupRule {
  readonly 'protocol': keyof typeof PROTOCOL_NUMBERS | number
  readonly 'ports'?: { readonly from: number, readonly to: number } | undefined
  readonly 'icmp-type'?: number | undefined
  readonly 'icmp-code'?: number | undefined
  readonly 'from'?: readonly string[] | undefined
  readonly 'to'?: readonly string[] | undefined
  readonly 'description'?: string | undefined
}

const aclEntry = z.strictObject({ ...matcher, action: z.enum(['allow', 'deny']), cidr })
  .superRefine(checkMatcher)

const aclEntries = z.record(z.string().regex(/^\d{1,5}$/, 'a rule is named by its number, 1 to ' +
  '32766'), aclEntry).describe('All rules of this direction by number.')

/** Exactly one of the keys. */
function exactlyOne (keys: readonly string[]) {
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

const routeTarget = z.strictObject({ eni: z.string().optional(), instance: z.string().optional() })
  .superRefine(exactlyOne(['eni', 'instance']))

const vpcFields = {
  cidr: z.union([networkCidr, z.array(networkCidr).min(1)])
    .transform((given) => typeof given === 'string' ? [given] : given)
    .describe('The block, or all blocks, the first one the primary one.'),
  ipv6: z.boolean().optional().describe('Whether the VPC has an IPv6 /56; the lab chooses which.'),
  'dns-support': z.boolean().optional(),
  'dns-hostnames': z.boolean().optional(),
  'dhcp-options': z.string().optional()
    .describe('Name of a DHCP option set; "default": AWS\'s own; "none".'),
  tags: tags.optional()
}

const subnet = z.strictObject({
  cidr: networkCidr.optional().describe('Left out for a subnet of IPv6 alone.'),
  zone: zone.optional(),
  ipv6: z.int().min(0).max(255).optional().describe('Which /64 of the VPC\'s /56 it has.'),
  'route-table': z.string().optional().describe('"main": the main one of the VPC.'),
  'network-acl': z.string().optional().describe('"default": the default one of the VPC.'),
  'map-public-ip': z.boolean().optional(),
  'assign-ipv6': z.boolean().optional().describe('Whether new ENIs get an IPv6 address unasked.'),
  dns64: z.boolean().optional(),
  tags: tags.optional()
}).superRefine((value, context) => {
  if (value.cidr === undefined && value.ipv6 === undefined) {
    context.addIssue({ code: 'custom', message: 'a subnet needs "cidr", or "ipv6" and no "cidr"' })
  }
})

const routeTable = z.strictObject({
  routes: z.record(cidr, routeTarget).optional()
    .describe('All routes but the local ones: target by destination.'),
  tags: tags.optional()
})

const securityGroup = z.strictObject({
  description: z.string().min(1).max(255).optional(),
  ingress: z.array(ingressRule).optional().describe('All inbound rules.'),
  egress: z.array(egressRule).optional().describe('All outbound rules.'),
  tags: tags.optional()
})

const networkAcl = z.strictObject({
  ingress: aclEntries.optional(), egress: aclEntries.optional(), tags: tags.optional()
})

/** Of an ENI by itself and of the one that an instance is born with. */
const interfaceFields = {
  address: ipv4Address.optional().describe('Primary private IPv4 address; left out, a free one.'),
  addresses: z.array(ipv4Address).optional().describe('All secondary IPv4 addresses.'),
  ipv6: z.union([z.literal(true), z.array(ipv6Place)]).optional()
    .describe('true: one IPv6 address, any; or all by their place in the /64: ["::10"].'),
  groups: z.array(z.string()).min(1).optional().describe('Names of security groups of the VPC.'),
  'source-dest-check': z.boolean().optional()
}

const eni = z.strictObject({
  subnet: z.string(),
  ...interfaceFields,
  description: z.string().max(255).optional(),
  tags: tags.optional()
})

const command = z.union([z.string().min(1), z.strictObject({
  run: z.string().min(1),
  when: z.enum(['once', 'always']).optional()
    .describe('once (default): after the instance is made; always: at each apply.'),
  background: z.boolean().optional()
    .describe('A service: each apply starts it when it does not run.'),
  listens: z.int().min(1).max(65_535).optional()
    .describe('TCP port of the service: apply waits until it listens there.')
}).superRefine((value, context) => {
  if (value.background === true && value.when !== undefined) {
    context.addIssue({
      code: 'custom', path: ['when'], message: 'a service is started whenever it does not run'
    })
  }
  if (value.background !== true && value.listens !== undefined) {
    context.addIssue({
      code: 'custom', path: ['listens'], message: '"listens" is for a service: "background: true"'
    })
  }
})]).transform((given): LabCommand => typeof given === 'string'
  ? { run: given, when: 'once', background: false, listens: undefined }
  : {
      run: given.run,
      when: given.when ?? 'once',
      background: given.background ?? false,
      listens: given.listens
    })

/** A command of an instance, whole. */
export interface LabCommand {
  readonly run: string
  readonly when: 'once' | 'always'
  readonly background: boolean
  readonly listens: number | undefined
}

const instance = z.strictObject({
  subnet: z.string().optional().describe('Where eth0 is; left out when the first of "enis" is it.'),
  ...interfaceFields,
  enis: z.array(z.string()).optional().describe('ENIs of the file, in the order of devices.'),
  image: z.string().optional().describe('Image id.'),
  device: z.enum(['tun', 'tap']).optional()
    .describe('What its ENIs are inside: IP alone, or Ethernet; tun when left out.'),
  type: z.string().optional().describe('Instance type: how many ENIs and addresses.'),
  host: z.string().optional().describe('Host of the lab; left out, one of the zone.'),
  'user-data': z.string().optional().describe('A script that runs inside at first boot.'),
  state: z.enum(['running', 'stopped']).optional(),
  commands: z.array(command).max(INSTANCE_COMMANDS_MAX).optional()
    .describe('Shell commands that apply runs inside, in order.'),
  tags: tags.optional()
}).superRefine((value, context) => {
  if (value.subnet === undefined && (value.enis ?? []).length === 0) {
    context.addIssue({ code: 'custom', message: 'an instance needs "subnet" or "enis"' })
  }
  const misplaced = Object.keys(interfaceFields).find((field) =>
    value.subnet === undefined && value[field as keyof typeof value] !== undefined)
  if (misplaced !== undefined) {
    context.addIssue({
      code: 'custom',
      path: [misplaced],
      message: `"${misplaced}" belongs to the ENI that is eth0 where the instance has no "subnet"`
    })
  }
})

const vpc = z.strictObject({
  ...vpcFields,
  subnets: z.record(z.string(), subnet).optional(),
  'route-tables': z.record(z.string(), routeTable).optional()
    .describe('"main" is the main one, which the VPC has anyway.'),
  'security-groups': z.record(z.string(), securityGroup).optional()
    .describe('"default" is the one that the VPC has anyway.'),
  'network-acls': z.record(z.string(), networkAcl).optional()
    .describe('"default" is the one that the VPC has anyway.'),
  enis: z.record(z.string(), eni).optional(),
  instances: z.record(z.string(), instance).optional()
})

const dhcpOptions = z.strictObject({
  options: z.record(z.string(), z.union([z.string(), z.array(z.string()).min(1)])
    .transform((given) => typeof given === 'string' ? [given] : given))
    .describe('Values by name: domain-name-servers, domain-name, ntp-servers …'),
  tags: tags.optional()
})

const count = z.int().min(1).max(1000)
const timeout = z.number().min(0.1).max(600).describe('Seconds.')
const from = z.string().describe('Name of an instance; vpc/name where two VPCs have it.')
const to = z.string().describe('Name of an instance, or an address or host name.')
const family = z.enum(['ipv4', 'ipv6']).optional()
  .describe('Which address of the instance "to" is meant (default: ipv4).')
const target = { from, to, family, timeout: timeout.optional() }

const checkKinds = {
  ping: z.strictObject({ ...target, count: count.optional() })
    .describe('Every echo is answered.'),
  tcp: z.strictObject({
    ...target, port, expect: z.enum(['connected', 'refused', 'timeout']).optional()
  }).describe('A TCP connection is made, or refused, or unanswered.'),
  http: z.strictObject({
    ...target,
    port: port.optional(),
    path: z.string().startsWith('/', 'a path begins with "/"').optional(),
    status: z.int().min(100).max(599).optional(),
    body: z.string().optional().describe('What the body contains.')
  }).describe('An HTTP server answers.'),
  dns: z.strictObject({
    from, name: z.string(), addresses: z.array(z.string()).min(1), timeout: timeout.optional()
  }).describe('The instance\'s resolver finds these addresses.'),
  route: z.strictObject({
    table: z.string().describe('Name of a route table; vpc/name where two VPCs have it.'),
    destination: cidr,
    target: z.string().describe('local, or the name of an ENI or instance.'),
    state: z.enum(['active', 'blackhole']).optional()
  }).describe('A route table has a route.'),
  'path-mtu': z.strictObject({ ...target, mtu: z.int().min(68).max(65_535) })
    .describe('Packets of this size pass unfragmented, larger ones do not.'),
  'must-not-reach': z.strictObject({
    ...target, port: port.optional(), drop: z.string().optional()
      .describe('Reason for which the lab must count a drop: no-route, blackhole …')
  }).describe('No echo (or, with a port, no TCP connection) is answered.'),
  command: z.strictObject({
    in: from,
    run: z.string().min(1),
    'exit-code': z.int().min(0).max(255).optional(),
    output: z.string().optional().describe('What standard output contains.'),
    timeout: timeout.optional()
  }).describe('A shell command ends as expected.')
} as const

export type CheckKind = keyof typeof checkKinds
export const CHECK_KINDS = Object.keys(checkKinds) as readonly CheckKind[]

const check = z.strictObject({
  name: z.string().min(1).optional(),
  ...Object.fromEntries(Object.entries(checkKinds).map(([kind, schema]) =>
    [kind, schema.optional()])) as {
    [K in keyof typeof checkKinds]: z.ZodOptional<typeof checkKinds[K]>
  }
}).superRefine(exactlyOne(CHECK_KINDS))

const hosts = z.union([
  z.int().min(0).max(1024),
  z.record(z.string(), zone)
]).describe('How many, or the zone of each by name.')

export const LAB_FILE_SCHEMA = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][\w.-]{0,99}$/,
    'a file\'s name is letters, digits, dots, dashes and underlines')
    .describe('Name of the file; what it makes carries it in the tag "lab-file".'),
  description: z.string().optional(),
  hosts: hosts.optional(),
  region: z.string().optional(),
  edges: z.int().min(0).max(32).optional()
    .describe('Doors to the internet; 3 unless the file says so, 0 for none.'),
  'underlay-mtu': z.int().min(1280).max(65_535).optional(),
  'dhcp-options': z.record(z.string(), dhcpOptions).optional(),
  vpcs: z.record(z.string(), vpc).optional(),
  checks: z.array(check).max(CHECKS_MAX).optional()
}).describe('A lab of vpclab: what "vpcctl apply" makes and "vpcctl validate" checks.')

/** A file that was read and checked. */
export type LabFile = z.output<typeof LAB_FILE_SCHEMA>
export type LabVpc = z.output<typeof vpc>
export type LabCheck = z.output<typeof check>

/** The JSON Schema of a lab file, for editors. */
export function labFileJsonSchema (): object {
  return z.toJSONSchema(LAB_FILE_SCHEMA, { io: 'input', unrepresentable: 'any' })
}
