/**
 * What a lab file may say: the one description of it, by which a file is checked, typed, and
 * described to editors (`labs/schema.json` is made from here).
 *
 *     name ── hosts, region, underlay-mtu      the lab itself
 *      ├── dhcp-options, elastic-ips, …        of the account
 *      ├── vpcs ── subnets, route-tables, …    what EC2 makes in a VPC
 *      └── checks                              what "vpcctl validate" tries
 *
 * Everything is named by the key under which it stands; that name becomes its Name tag, and other
 * parts refer to it by it. A field that is left out is not looked at: the lab keeps what it has.
 * Field names are those of vpcctl's options. Each kind's own schema is in kinds/. docs/lab_files.md
 * tells it to people.
 */
import { z } from 'zod'
import { customerGatewaySchema } from './kinds/customer_gateway.ts'
import { dhcpOptionsSchema } from './kinds/dhcp_options.ts'
import { egressOnlyInternetGatewaySchema } from './kinds/egress_only_internet_gateway.ts'
import { elasticIpSchema } from './kinds/elastic_ip.ts'
import { eniSchema } from './kinds/eni.ts'
import { hostedZones } from './kinds/hosted_zone.ts'
import { instanceSchema } from './kinds/instance.ts'
import { internetGatewaySchema } from './kinds/internet_gateway.ts'
import { natGatewaySchema } from './kinds/nat_gateway.ts'
import { networkAclSchema } from './kinds/network_acl.ts'
import { peeringSchema } from './kinds/peering.ts'
import { routeTableSchema } from './kinds/route_table.ts'
import { securityGroupSchema } from './kinds/security_group.ts'
import { subnetSchema } from './kinds/subnet.ts'
import { vpcFields } from './kinds/vpc.ts'
import { vpnConnectionSchema } from './kinds/vpn_connection.ts'
import { vpnGatewaySchema } from './kinds/vpn_gateway.ts'
import { cidr, exactlyOne, port, zone } from './schema_parts.ts'

/** Checks of one file: each runs programs in the lab. */
export const CHECKS_MAX = 1000

/** Parts of one kind by name. */
function named<Schema extends z.ZodType> (schema: Schema) {
  return z.record(z.string(), schema).optional()
}

const vpc = z.strictObject({
  ...vpcFields,
  'subnets': named(subnetSchema),
  'route-tables': named(routeTableSchema)
    .describe('"main" is the main one, which the VPC has anyway.'),
  'security-groups': named(securityGroupSchema)
    .describe('"default" is the one that the VPC has anyway.'),
  'network-acls': named(networkAclSchema)
    .describe('"default" is the one that the VPC has anyway.'),
  'egress-only-internet-gateways': named(egressOnlyInternetGatewaySchema),
  'nat-gateways': named(natGatewaySchema),
  'enis': named(eniSchema),
  'instances': named(instanceSchema)
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
    target: z.string()
      .describe('local, or the name of an ENI, instance, gateway or peering.'),
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
  'dhcp-options': named(dhcpOptionsSchema),
  'elastic-ips': named(elasticIpSchema),
  vpcs: named(vpc),
  'internet-gateways': named(internetGatewaySchema),
  peerings: named(peeringSchema),
  'vpn-gateways': named(vpnGatewaySchema),
  'customer-gateways': named(customerGatewaySchema),
  'vpn-connections': named(vpnConnectionSchema),
  'hosted-zones': hostedZones.optional(),
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
