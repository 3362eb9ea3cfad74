/**
 * VPN connections: two tunnels between a virtual private gateway and a customer gateway, their
 * options, static routes. Of a tunnel a file may say a part; EC2 chooses the rest, the pre-shared
 * keys among it, which a file may hold and an export writes only when asked.
 */
import type { TunnelOption, VpnConnection } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { QueryInput, QueryValue } from '../../ec2_query.ts'
import { canonicalCidr } from '../address.ts'
import type { FieldChange } from '../plan.ts'
import { canonicalJson, type Fields, given, type LiveResource, sortedText } from '../resource.ts'
import { cidr, KEY_FIELD, tags } from '../schema_parts.ts'
import type { Session } from '../session.ts'
import { type Change, holder, type LabKind } from './kind.ts'

const seconds = z.int().min(1)
const algorithms = z.array(z.string()).min(1)
const groups = z.array(z.int()).min(1)
const ANY = '0.0.0.0/0'

/** An option of a tunnel: its schema, and EC2's names of it in what is described and in a call. */
const OPTIONS = {
  'inside-cidr': [cidr.describe('A /30 in 169.254.0.0/16.'), 'TunnelInsideCidr'],
  [KEY_FIELD]: [z.string().min(8).max(64), 'PreSharedKey'],
  'phase1-lifetime': [seconds, 'Phase1LifetimeSeconds'],
  'phase2-lifetime': [seconds, 'Phase2LifetimeSeconds'],
  'rekey-margin': [seconds, 'RekeyMarginTimeSeconds'],
  'rekey-fuzz': [z.int().min(0).max(100).describe('Percent.'), 'RekeyFuzzPercentage'],
  'replay-window': [z.int().min(64).max(2048).describe('Packets.'), 'ReplayWindowSize'],
  'dpd-timeout': [seconds, 'DpdTimeoutSeconds', 'DPDTimeoutSeconds'],
  'dpd-action': [z.enum(['clear', 'none', 'restart']), 'DpdTimeoutAction', 'DPDTimeoutAction'],
  'phase1-encryption': [algorithms, 'Phase1EncryptionAlgorithms', 'Phase1EncryptionAlgorithm'],
  'phase2-encryption': [algorithms, 'Phase2EncryptionAlgorithms', 'Phase2EncryptionAlgorithm'],
  'phase1-integrity': [algorithms, 'Phase1IntegrityAlgorithms', 'Phase1IntegrityAlgorithm'],
  'phase2-integrity': [algorithms, 'Phase2IntegrityAlgorithms', 'Phase2IntegrityAlgorithm'],
  'phase1-dh-groups': [groups, 'Phase1DHGroupNumbers', 'Phase1DHGroupNumber'],
  'phase2-dh-groups': [groups, 'Phase2DHGroupNumbers', 'Phase2DHGroupNumber'],
  'ike-versions':
    [z.array(z.enum(['ikev1', 'ikev2'])).min(1), 'IkeVersions', 'IKEVersion'],
  'startup-action': [z.enum(['add', 'start']), 'StartupAction'],
  'lifecycle-control': [z.boolean(), 'EnableTunnelLifecycleControl']
} as const satisfies Readonly<Record<string,
  readonly [schema: z.ZodType, member: keyof TunnelOption, parameter?: string]>>

const tunnel = z.strictObject(Object.fromEntries(
  Object.entries(OPTIONS).map(([name, [schema]]) => [name, schema.optional()])) as {
  [K in keyof typeof OPTIONS]: z.ZodOptional<typeof OPTIONS[K][0]>
}).describe('Options that are not EC2\'s defaults.')

export const vpnConnectionSchema = z.strictObject({
  vgw: z.string().describe('Name of a virtual private gateway.'),
  cgw: z.string().describe('Name of a customer gateway.'),
  static: z.boolean().optional().describe('Routes are typed instead of learned by BGP.'),
  'static-routes': z.array(cidr).optional().describe('All of them.'),
  local: cidr.optional().describe('IPv4 network at the customer\'s end.'),
  remote: cidr.optional().describe('IPv4 network at AWS\'s end.'),
  tunnel1: tunnel.optional(),
  tunnel2: tunnel.optional(),
  tags: tags.optional()
}).superRefine((value, context) => {
  if (value['static-routes'] !== undefined && value.static !== true) {
    context.addIssue({
      code: 'custom',
      path: ['static-routes'],
      message: 'a connection with static routes says "static: true"'
    })
  }
})

const TUNNELS = ['tunnel1', 'tunnel2'] as const

export const VPN_CONNECTION: LabKind<VpnConnection> = {
  section: 'vpn-connections',
  place: 'file',
  word: 'VPN connection',
  order: 5,
  goes: 'first',
  changed: 'between',
  created: {
    static: false, 'static-routes': [], local: ANY, remote: ANY, tunnel1: {}, tunnel2: {}, tags: {}
  },
  immutable: ['static'],
  lost: 'its keys and outside addresses',
  agrees: {
    'static-routes': (wanted, live) =>
      sortedText(wanted as readonly string[]) === sortedText(live as readonly string[])
  },
  partial: TUNNELS,
  normal: (part) => part['static-routes'] === undefined
    ? part
    : { ...part, 'static-routes': (part['static-routes'] as string[]).map(canonicalCidr) },
  references (part, refer) {
    refer.to('vpn-gateway', part['vgw'], 'vgw')
    refer.to('customer-gateway', part['cgw'], 'cgw')
  },
  holders: ({ fields }) => [
    ...holder('vpn-gateway', null, fields['vgw']),
    ...holder('customer-gateway', null, fields['cgw'])
  ],
  async list ({ ec2 }) {
    return (await ec2.call('DescribeVpnConnections', {})).VpnConnections ?? []
  },
  identify: ({ VpnConnectionId: id = '', Tags: tags, State }) =>
    State === 'deleting' || State === 'deleted' ? null : { id, vpcId: undefined, tags },
  read: ({ VpnGatewayId, CustomerGatewayId, Options, Routes = [] }, lab) => ({
    vgw: lab.nameOf(VpnGatewayId),
    cgw: lab.nameOf(CustomerGatewayId),
    static: Options?.StaticRoutesOnly ?? false,
    'static-routes': Routes.filter(({ State }) => State !== 'deleted')
      .map(({ DestinationCidrBlock = '' }) => DestinationCidrBlock),
    local: Options?.LocalIpv4NetworkCidr ?? ANY,
    remote: Options?.RemoteIpv4NetworkCidr ?? ANY,
    ...Object.fromEntries(TUNNELS.map((name, index) =>
      [name, readTunnel(Options?.TunnelOptions?.[index] ?? {})]))
  }),
  async create (session, { fields, ...resource }) {
    const tunnels = TUNNELS.map((name) => tunnelInput(fields[name] as Fields | undefined ?? {}))
    const { VpnConnection } = await session.ec2.call('CreateVpnConnection', {
      Type: 'ipsec.1',
      VpnGatewayId: session.id('vpn-gateway', null, String(fields['vgw'])),
      CustomerGatewayId: session.id('customer-gateway', null, String(fields['cgw'])),
      Options: {
        StaticRoutesOnly: fields['static'] === true,
        LocalIpv4NetworkCidr: fields['local'] as string | undefined,
        RemoteIpv4NetworkCidr: fields['remote'] as string | undefined,
        ...tunnels.some((one) => Object.keys(one).length > 0) && {
          // EC2 counts list members by their numbers: an empty one would not be there.
          TunnelOptions: tunnels.map((one) =>
            Object.keys(one).length > 0 ? one : { StartupAction: 'add' })
        }
      },
      ...session.tagsFor('vpn-connection', { ...resource, fields })
    })
    const id = VpnConnection?.VpnConnectionId
    for (const route of fields['static-routes'] as readonly string[] | undefined ?? []) {
      await session.ec2.call('CreateVpnConnectionRoute',
        { VpnConnectionId: id, DestinationCidrBlock: route })
    }
    return id
  },
  changes: {
    vgw: async (session, live, { to }) => {
      await session.ec2.call('ModifyVpnConnection',
        { VpnConnectionId: live.id, VpnGatewayId: session.id('vpn-gateway', null, String(to)) })
    },
    cgw: async (session, live, { to }) => {
      await session.ec2.call('ModifyVpnConnection',
        {
        VpnConnectionId: live.id,
        CustomerGatewayId: session.id('customer-gateway', null, String(to))
      })
    },
    'static-routes': changeStaticRoutes,
    local: changeNetwork('LocalIpv4NetworkCidr'),
    remote: changeNetwork('RemoteIpv4NetworkCidr'),
    ...Object.fromEntries(TUNNELS.map((name, index) => [name, changeTunnel(index)]))
  },
  async remove ({ ec2 }, { id }) { await ec2.call('DeleteVpnConnection', { VpnConnectionId: id }) }
}

function readTunnel (described: TunnelOption): Fields {
  return given(Object.fromEntries(Object.entries(OPTIONS).map(([name, [, member]]) => {
    const value: unknown = described[member]
    return [name, Array.isArray(value)
      ? value.map((item: { Value?: unknown }) => item.Value)
      : value]
  })))
}

function tunnelInput (options: Fields): QueryInput {
  return Object.fromEntries(Object.entries(OPTIONS).flatMap(([name, [, member, parameter]]) => {
    const value = options[name] as QueryValue
    return value === undefined
      ? []
      : [[parameter ?? member, Array.isArray(value)
          ? (value as readonly QueryValue[]).map((Value) => ({ Value }))
          : value]]
  }))
}

async function changeStaticRoutes ({ ec2 }: Session, { id: VpnConnectionId }: LiveResource,
  { from, to }: FieldChange): Promise<void> {
  const before = (from ?? []) as readonly string[]
  const after = to as readonly string[]
  for (const DestinationCidrBlock of before.filter((one) => !after.includes(one))) {
    await ec2.call('DeleteVpnConnectionRoute', { VpnConnectionId, DestinationCidrBlock })
  }
  for (const DestinationCidrBlock of after.filter((one) => !before.includes(one))) {
    await ec2.call('CreateVpnConnectionRoute', { VpnConnectionId, DestinationCidrBlock })
  }
}

function changeNetwork (parameter: string): Change {
  return async ({ ec2 }, { id }, { to }) => {
    await ec2.call('ModifyVpnConnectionOptions',
      { VpnConnectionId: id, [parameter]: String(to) })
  }
}

/** Only what differs is said: each such call makes the tunnel anew. */
function changeTunnel (index: number): Change {
  return async ({ ec2 }, { id: VpnConnectionId }, { from, to }) => {
    const { VpnConnections } =
      await ec2.call('DescribeVpnConnections', { VpnConnectionId: [VpnConnectionId] })
    const VpnTunnelOutsideIpAddress =
      VpnConnections?.[0]?.Options?.TunnelOptions?.[index]?.OutsideIpAddress
    const before = (from ?? {}) as Fields
    const differing = Object.entries(to as Fields).filter(([name, value]) =>
      canonicalJson(before[name]) !== canonicalJson(value))
    await ec2.call('ModifyVpnTunnelOptions', {
      VpnConnectionId, VpnTunnelOutsideIpAddress,
      TunnelOptions: tunnelInput(Object.fromEntries(differing))
    })
  }
}
