/**
 * `vpcctl vpn …`. AWS Site-to-Site VPN User Guide.
 *
 * A tunnel is named by its number, 1 or 2, or by its outside address. Its options are given as
 * `--option name=value`, with EC2's names; values of a list are separated by commas.
 */
import type { VpnConnection } from '@aws-sdk/client-ec2'
import type { VpnAnswer, VpnLogAnswer } from '../../daemon/api/admin/contract.ts'
import {
  type Command, defineCommand, type CommandOption, type Input, TAG_OPTIONS
} from '../command.ts'
import type { Context } from '../context.ts'
import type { Ec2Client } from '../ec2_client.ts'
import type { QueryInput } from '../ec2_query.ts'
import { usageError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'
import {
  CUSTOMER_GATEWAY, nameOf, resolveId, tagSpecification, VPN_CONNECTION, VPN_GATEWAY
} from '../resolve.ts'
import { findConnection, findTunnel } from '../vpn_tunnels.ts'

const COLUMNS: readonly Column<VpnConnection>[] = [
  { header: 'vpn', value: (one) => one.VpnConnectionId ?? '' },
  { header: 'name', value: nameOf, shrinks: true },
  { header: 'state', value: (one) => one.State ?? '' },
  { header: 'vgw', value: (one) => one.VpnGatewayId ?? '', hides: true },
  { header: 'cgw', value: (one) => one.CustomerGatewayId ?? '', hides: true },
  {
    header: 'routing', value: (one) => one.Options?.StaticRoutesOnly === true ? 'static' : 'bgp'
  },
  {
    header: 'tunnels up', align: 'right',
    value: (one) => String((one.VgwTelemetry ?? []).filter(({ Status }) => Status === 'UP').length)
  }
]

type TunnelRow = VpnAnswer['tunnels'][number]

const STATUS_COLUMNS: readonly Column<TunnelRow>[] = [
  { header: 'tunnel', value: ({ number }) => String(number), align: 'right' },
  { header: 'outside', value: ({ outsideIpAddress }) => outsideIpAddress },
  { header: 'inside', value: ({ insideCidr }) => insideCidr },
  { header: 'status', value: ({ status }) => status },
  { header: 'routes', value: ({ paths }) => String(paths.length), align: 'right' },
  { header: 'since', value: ({ sinceMs }) => new Date(sinceMs).toISOString() },
  { header: 'what that means', value: wordsOf, shrinks: true }
]

const LOG_COLUMNS: readonly Column<VpnLogAnswer['lines'][number]>[] = [
  { header: 'time', value: ({ time }) => time },
  { header: 'tunnel', value: ({ tunnel }) => String(tunnel), align: 'right' },
  { header: 'of', value: ({ source }) => source },
  { header: 'what', value: ({ text }) => text, shrinks: true }
]

type PathRow = TunnelRow['paths'][number] & { readonly tunnel: number }

const PATH_COLUMNS: readonly Column<PathRow>[] = [
  { header: 'destination', value: ({ cidr }) => cidr },
  { header: 'tunnel', value: ({ tunnel }) => String(tunnel), align: 'right' },
  { header: 'used', value: ({ isUsed }) => isUsed ? 'yes' : 'no' },
  { header: 'source', value: ({ source }) => source },
  { header: 'as path', value: ({ asPath }) => asPath.join(' '), shrinks: true },
  { header: 'med', value: ({ med }) => String(med), align: 'right' },
  { header: 'communities', value: ({ communities }) => communities.join(' '), shrinks: true }
]

const VPN_ARGUMENT = { syntax: '<vpn>', description: 'id or Name tag' }
const TUNNEL_ARGUMENT = { syntax: '<tunnel>', description: '1, 2, or its outside address' }
const ROUTE_ARGUMENT = { syntax: '<destination>', description: 'IPv4 CIDR' }

/** Options of a tunnel by EC2's names; true: a list. */
const TUNNEL_OPTIONS: Readonly<Record<string, boolean>> = {
  TunnelInsideCidr: false, PreSharedKey: false, Phase1LifetimeSeconds: false,
  Phase2LifetimeSeconds: false, RekeyMarginTimeSeconds: false, RekeyFuzzPercentage: false,
  ReplayWindowSize: false, DPDTimeoutSeconds: false, DPDTimeoutAction: false,
  Phase1EncryptionAlgorithm: true, Phase2EncryptionAlgorithm: true,
  Phase1IntegrityAlgorithm: true, Phase2IntegrityAlgorithm: true, Phase1DHGroupNumber: true,
  Phase2DHGroupNumber: true, IKEVersion: true, StartupAction: false,
  EnableTunnelLifecycleControl: false
}

const CIDR_OPTIONS: readonly CommandOption[] = [
  { flags: '--local <cidr>', description: 'IPv4 network at the customer end' },
  { flags: '--remote <cidr>', description: "IPv4 network at AWS's end" }
]

/** Device types of `vpn config`, by the vendor that GetVpnConnectionDeviceTypes names. */
const VENDORS: Readonly<Record<string, string>> =
  { strongswan: 'strongSwan', bird: 'BIRD', frr: 'FRRouting', generic: 'Generic' }

const lifeCycle: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Join a virtual private gateway and a customer gateway by two tunnels',
    action: 'CreateVpnConnection',
    arguments: [
      { syntax: '<vgw>', description: 'id or Name tag' },
      { syntax: '<cgw>', description: 'id, Name tag or address' }
    ],
    options: [
      { flags: '--static', description: 'routes are typed (add-route) instead of learned' },
      ...CIDR_OPTIONS,
      {
        flags: '--tunnel1 <name=value>', repeats: true,
        description: "an option of tunnel 1, by EC2's name"
      },
      { flags: '--tunnel2 <name=value>', repeats: true, description: 'the same of tunnel 2' },
      ...TAG_OPTIONS
    ],
    examples: [
      'vpcctl vpn create office branch --name office-branch',
      'vpcctl vpn create office branch --static --tunnel1 TunnelInsideCidr=169.254.10.0/30'
    ],
    run: createConnection
  }),
  defineCommand({
    name: 'list',
    summary: 'List VPN connections',
    action: 'DescribeVpnConnections',
    options: [{ flags: '--all', description: 'deleted ones too' }],
    examples: ['vpcctl vpn list'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const { VpnConnections: all = [] } = await ec2.call('DescribeVpnConnections', {})
      const shown = all.filter(({ State }) => input.flag('all') || State !== 'deleted')
      context.output.rows(shown, COLUMNS, ({ VpnConnectionId }) => VpnConnectionId)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show everything about a VPN connection, its keys included',
    action: 'DescribeVpnConnections',
    arguments: [VPN_ARGUMENT],
    examples: ['vpcctl vpn show office-branch'],
    async run (context, input) {
      const { id, connection } = await findConnection(await context.ec2(), input.argument('vpn'))
      context.output.tree(connection, id)
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete a VPN connection for good',
    action: 'DeleteVpnConnection',
    arguments: [VPN_ARGUMENT],
    examples: ['vpcctl vpn delete office-branch'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, VPN_CONNECTION, input.argument('vpn'))
      await ec2.call('DeleteVpnConnection', { VpnConnectionId: id })
      context.output.done(`Deleted ${id}.`, { VpnConnectionId: id })
    }
  }),
  defineCommand({
    name: 'add-route',
    summary: 'Add a static route to a connection without BGP',
    action: 'CreateVpnConnectionRoute',
    arguments: [VPN_ARGUMENT, ROUTE_ARGUMENT],
    examples: ['vpcctl vpn add-route office-branch 192.168.1.0/24'],
    run: async (context, input) => { await changeRoute(context, input, 'Create') }
  }),
  defineCommand({
    name: 'delete-route',
    summary: 'Delete a static route of a connection',
    action: 'DeleteVpnConnectionRoute',
    arguments: [VPN_ARGUMENT, ROUTE_ARGUMENT],
    examples: ['vpcctl vpn delete-route office-branch 192.168.1.0/24'],
    run: async (context, input) => { await changeRoute(context, input, 'Delete') }
  })
]

const readings: readonly Command[] = [
  defineCommand({
    name: 'status',
    summary: 'Show whether the tunnels of a VPN connection are up, and if not, why',
    action: 'GET /vpn (admin API)',
    arguments: [VPN_ARGUMENT],
    examples: ['vpcctl vpn status office-branch'],
    async run (context, input) {
      const rows = await tunnelsOf(context, input)
      context.output.rows(rows, STATUS_COLUMNS, ({ outsideIpAddress }) => outsideIpAddress)
      for (const warning of new Set(rows.flatMap(warningsOf))) context.output.note(warning)
    }
  }),
  defineCommand({
    name: 'log',
    summary: 'Show what has happened to the tunnels of a VPN connection: IKE, IPsec, BGP',
    action: 'GET /vpn/log (admin API)',
    arguments: [VPN_ARGUMENT],
    options: [{ flags: '--tunnel <number>', description: 'of one tunnel', values: ['1', '2'] }],
    examples: ['vpcctl vpn log office-branch', 'vpcctl vpn log office-branch --tunnel 1'],
    async run (context, input) {
      const { id } = await findConnection(await context.ec2(), input.argument('vpn'))
      const { lines } = await context.admin.vpnLog(id)
      const wanted = input.text('tunnel')
      context.output.rows(
        lines.filter(({ tunnel }) => wanted === undefined || tunnel === Number(wanted)),
        LOG_COLUMNS, ({ text }) => text)
    }
  }),
  defineCommand({
    name: 'routes',
    summary: 'Show what the tunnels of a VPN connection have learned, and what of it is used',
    action: 'GET /vpn (admin API)',
    arguments: [VPN_ARGUMENT],
    examples: ['vpcctl vpn routes office-branch'],
    async run (context, input) {
      const rows = (await tunnelsOf(context, input)).flatMap(({ number, paths }) =>
        paths.map((path): PathRow => ({ ...path, tunnel: number })))
      context.output.rows(rows, PATH_COLUMNS, ({ cidr }) => cidr)
    }
  }),
  defineCommand({
    name: 'tunnel-status',
    summary: 'Show the algorithms that a tunnel has agreed on',
    action: 'GetActiveVpnTunnelStatus',
    arguments: [VPN_ARGUMENT, TUNNEL_ARGUMENT],
    examples: ['vpcctl vpn tunnel-status office-branch 1'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const tunnel = await tunnelOf(ec2, input)
      const answer = await ec2.call('GetActiveVpnTunnelStatus', tunnel)
      context.output.tree(answer.ActiveVpnTunnelStatus ?? {}, tunnel.VpnTunnelOutsideIpAddress)
    }
  }),
  defineCommand({
    name: 'replacement-status',
    summary: 'Show when the endpoint of a tunnel was last replaced',
    action: 'GetVpnTunnelReplacementStatus',
    arguments: [VPN_ARGUMENT, TUNNEL_ARGUMENT],
    examples: ['vpcctl vpn replacement-status office-branch 1'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const tunnel = await tunnelOf(ec2, input)
      const answer = await ec2.call('GetVpnTunnelReplacementStatus', tunnel)
      context.output.tree(answer.MaintenanceDetails ?? {}, tunnel.VpnTunnelOutsideIpAddress)
    }
  }),
  defineCommand({
    name: 'config',
    summary: 'Print the configuration of the device at the other end, keys included',
    action: 'GetVpnConnectionDeviceSampleConfiguration, by GetVpnConnectionDeviceTypes',
    arguments: [VPN_ARGUMENT],
    options: [
      {
        flags: '--format <format>', description: 'program it is for (default: generic)',
        values: Object.keys(VENDORS)
      },
      {
        flags: '--ike <version>', description: 'IKE version (default: ikev2)',
        values: ['ikev1', 'ikev2']
      }
    ],
    examples: [
      'vpcctl vpn config office-branch --format strongswan',
      'vpcctl vpn config office-branch --format bird'
    ],
    run: printConfiguration
  })
]

const changes: readonly Command[] = [
  defineCommand({
    name: 'move',
    summary: 'Lead a VPN connection to another gateway, or to another customer gateway',
    action: 'ModifyVpnConnection',
    arguments: [VPN_ARGUMENT],
    options: [
      { flags: '--vgw <vgw>', description: 'id or Name tag' },
      { flags: '--cgw <cgw>', description: 'id, Name tag or address' }
    ],
    examples: ['vpcctl vpn move office-branch --cgw new-router'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const [vgw, cgw] = [input.text('vgw'), input.text('cgw')]
      if ((vgw === undefined) === (cgw === undefined)) {
        throw usageError('either --vgw or --cgw is needed')
      }
      const { VpnConnection: changed } = await ec2.call('ModifyVpnConnection', {
        VpnConnectionId: await resolveId(ec2, VPN_CONNECTION, input.argument('vpn')),
        VpnGatewayId: vgw === undefined ? undefined : await resolveId(ec2, VPN_GATEWAY, vgw),
        CustomerGatewayId: cgw === undefined ? undefined
          : await resolveId(ec2, CUSTOMER_GATEWAY, cgw)
      })
      context.output.row(changed ?? {}, COLUMNS, ({ VpnConnectionId }) => VpnConnectionId)
    }
  }),
  defineCommand({
    name: 'networks',
    summary: 'Set the networks that the tunnels of a VPN connection carry',
    action: 'ModifyVpnConnectionOptions',
    arguments: [VPN_ARGUMENT],
    options: CIDR_OPTIONS,
    examples: ['vpcctl vpn networks office-branch --local 192.168.0.0/16'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const { VpnConnection: changed } = await ec2.call('ModifyVpnConnectionOptions', {
        VpnConnectionId: await resolveId(ec2, VPN_CONNECTION, input.argument('vpn')),
        LocalIpv4NetworkCidr: input.text('local'), RemoteIpv4NetworkCidr: input.text('remote')
      })
      context.output.row(changed ?? {}, COLUMNS, ({ VpnConnectionId }) => VpnConnectionId)
    }
  }),
  defineCommand({
    name: 'tunnel',
    summary: 'Change options of one tunnel, which goes down and comes up again',
    action: 'ModifyVpnTunnelOptions',
    arguments: [VPN_ARGUMENT, TUNNEL_ARGUMENT],
    options: [{
      flags: '--option <name=value>', repeats: true, required: true,
      description: "by EC2's name: PreSharedKey, IKEVersion, DPDTimeoutSeconds …"
    }],
    examples: ['vpcctl vpn tunnel office-branch 1 --option IKEVersion=ikev2'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const { VpnConnection: changed } = await ec2.call('ModifyVpnTunnelOptions', {
        ...await tunnelOf(ec2, input), TunnelOptions: tunnelInput(input.texts('option'))
      })
      context.output.row(changed ?? {}, COLUMNS, ({ VpnConnectionId }) => VpnConnectionId)
    }
  }),
  defineCommand({
    name: 'renew-certificate',
    summary: "Give AWS's side of a tunnel a new certificate",
    action: 'ModifyVpnTunnelCertificate',
    arguments: [VPN_ARGUMENT, TUNNEL_ARGUMENT],
    examples: ['vpcctl vpn renew-certificate office-branch 1'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const tunnel = await tunnelOf(ec2, input)
      await ec2.call('ModifyVpnTunnelCertificate', tunnel)
      context.output.done(`Renewed the certificate of ${tunnel.VpnTunnelOutsideIpAddress}.`, tunnel)
    }
  }),
  defineCommand({
    name: 'replace-tunnel',
    summary: "Make AWS's endpoint of a tunnel anew",
    action: 'ReplaceVpnTunnel',
    arguments: [VPN_ARGUMENT, TUNNEL_ARGUMENT],
    examples: ['vpcctl vpn replace-tunnel office-branch 1'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const tunnel = await tunnelOf(ec2, input)
      await ec2.call('ReplaceVpnTunnel', tunnel)
      context.output.done(`Replaced ${tunnel.VpnTunnelOutsideIpAddress}.`, tunnel)
    }
  })
]

export const vpnConnectionCommands: readonly Command[] = [...lifeCycle, ...readings, ...changes]

async function createConnection (context: Context, input: Input): Promise<void> {
  const ec2 = await context.ec2()
  const tunnels = [tunnelInput(input.texts('tunnel1')), tunnelInput(input.texts('tunnel2'))]
  const hasTunnels = tunnels.some((tunnel) => Object.keys(tunnel).length > 0)
  const { VpnConnection: made } = await ec2.call('CreateVpnConnection', {
    Type: 'ipsec.1',
    VpnGatewayId: await resolveId(ec2, VPN_GATEWAY, input.argument('vgw')),
    CustomerGatewayId: await resolveId(ec2, CUSTOMER_GATEWAY, input.argument('cgw')),
    Options: {
      StaticRoutesOnly: input.flag('static'), LocalIpv4NetworkCidr: input.text('local'),
      RemoteIpv4NetworkCidr: input.text('remote'),
      // EC2 counts list members by their numbers: an empty one would not be there.
      ...(hasTunnels && { TunnelOptions: tunnels.map((tunnel) =>
        Object.keys(tunnel).length > 0 ? tunnel : { StartupAction: 'add' }) })
    },
    ...tagSpecification('vpn-connection', input.tags())
  })
  context.output.row(made ?? {}, COLUMNS, ({ VpnConnectionId }) => VpnConnectionId)
}

/** @param texts `name=value` each */
function tunnelInput (texts: readonly string[]): QueryInput {
  return Object.fromEntries(texts.map((text) => {
    const [name = '', ...rest] = text.split('=')
    const isList = TUNNEL_OPTIONS[name]
    if (isList === undefined || rest.length === 0) {
      throw usageError('an option of a tunnel is "name=value" with a name of ' +
        `${Object.keys(TUNNEL_OPTIONS).join(', ')}, not "${text}"`)
    }
    const value = rest.join('=')
    return [name, isList ? value.split(',').map((Value) => ({ Value })) : value]
  }))
}

async function changeRoute (
  context: Context, input: Input, verb: 'Create' | 'Delete'): Promise<void> {
  const ec2 = await context.ec2()
  const route = {
    VpnConnectionId: await resolveId(ec2, VPN_CONNECTION, input.argument('vpn')),
    DestinationCidrBlock: input.argument('destination')
  }
  await ec2.call(verb === 'Create' ? 'CreateVpnConnectionRoute' : 'DeleteVpnConnectionRoute',
    route)
  context.output.done(verb === 'Create'
    ? `Added ${route.DestinationCidrBlock} to ${route.VpnConnectionId}.`
    : `Deleted ${route.DestinationCidrBlock} from ${route.VpnConnectionId}.`, route)
}

async function printConfiguration (context: Context, input: Input): Promise<void> {
  const ec2 = await context.ec2()
  const VpnConnectionId = await resolveId(ec2, VPN_CONNECTION, input.argument('vpn'))
  const vendor = VENDORS[input.text('format') ?? 'generic']
  const { VpnConnectionDeviceTypes: types } = await ec2.call('GetVpnConnectionDeviceTypes', {})
  const type = types?.find(({ Vendor }) => Vendor === vendor)
  const answer = await ec2.call('GetVpnConnectionDeviceSampleConfiguration', {
    VpnConnectionId, VpnConnectionDeviceTypeId: type?.VpnConnectionDeviceTypeId ?? '',
    InternetKeyExchangeVersion: input.text('ike')
  })
  const text = answer.VpnConnectionDeviceSampleConfiguration ?? ''
  if (context.output.form === 'human') context.output.text(text.trimEnd())
  else context.output.tree(answer, VpnConnectionId)
}

async function tunnelsOf (context: Context, input: Input): Promise<readonly TunnelRow[]> {
  const id = await resolveId(await context.ec2(), VPN_CONNECTION, input.argument('vpn'))
  const { tunnels } = await context.admin.vpn()
  return tunnels.filter(({ vpnConnectionId }) => vpnConnectionId === id)
}

async function tunnelOf (ec2: Ec2Client, input: Input): ReturnType<typeof findTunnel> {
  return await findTunnel(ec2, input.argument('vpn'), input.argument('tunnel'))
}

/** Why a tunnel is down, as far as the engines say; what its status means otherwise. */
function wordsOf ({ status, ipsec, bgp }: TunnelRow): string {
  if (status === 'UP') return bgp === null ? 'IPsec is up' : 'IPsec and BGP are up'
  return ipsec.isUp
    ? `IPsec is up, BGP is not${because(bgp?.message ?? null)}`
    : `IPsec is down${because(ipsec.message)}`
}

/** Sites that overlap, in words. */
function warningsOf ({ overlaps }: TunnelRow): string[] {
  return overlaps.map(({ cidr, otherCidr, otherConnectionId, otherCustomerGatewayId }) =>
    `Warning: this site announces ${cidr}, and ${otherCustomerGatewayId} by ${otherConnectionId} ` +
    `announces ${otherCidr}. Sites of one virtual private gateway must not overlap: packets go ` +
    'by the longest prefix, then by the shortest AS path, to one of the two. (Two devices of the ' +
    'same site may announce the same.)')
}

function because (message: string | null): string { return message === null ? '' : `: ${message}` }
