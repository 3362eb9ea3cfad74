/**
 * Site-to-Site VPN with the stock AWS command line:
 *
 *     VPC ── virtual private gateway ══ VPN connection ══ customer gateway 198.51.100.20
 *      └── route table with propagation
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { commandLine } from './command_line.ts'
import { openEndpoint } from './endpoint.ts'

/** What a stock client reads of a connection. */
interface Connection {
  readonly VpnConnectionId: string
  readonly State: string
  readonly CustomerGatewayConfiguration: string
  readonly Options: { readonly TunnelOptions: readonly Tunnel[] }
  readonly VgwTelemetry: readonly { readonly Status: string, readonly StatusMessage: string }[]
  readonly Routes: readonly { readonly DestinationCidrBlock: string, readonly State: string }[]
}
interface Tunnel {
  readonly OutsideIpAddress: string
  readonly TunnelInsideCidr: string
  readonly PreSharedKey: string
  readonly IkeVersions?: readonly { readonly Value: string }[]
}

/** The command line of one test: calls that succeed, and calls that are refused. */
async function open (t: ExecutionContext): Promise<{
  readonly aws: ReturnType<typeof commandLine>
  readonly call: <T>(...words: string[]) => Promise<T>
  readonly refusal: (...words: string[]) => Promise<string>
}> {
  const endpoint = await openEndpoint()
  t.teardown(async () => { await endpoint.close() })
  const aws = commandLine(endpoint)
  return {
    aws,
    call: async <T>(...words: string[]): Promise<T> => {
      const { code, output } = await aws(...words)
      t.is(code, '', words.join(' '))
      return output as T
    },
    refusal: async (...words) => (await aws(...words)).code
  }
}

/** @returns ids of a gateway, a customer gateway and their connection with static routes */
async function join (call: <T>(...words: string[]) => Promise<T>): Promise<{
  readonly vgw: string
  readonly cgw: string
  readonly vpn: string
}> {
  const { VpnGateway: { VpnGatewayId: vgw } } =
    await call<{ VpnGateway: { VpnGatewayId: string } }>('create-vpn-gateway', '--type', 'ipsec.1',
      '--amazon-side-asn', '64600')
  const { CustomerGateway: { CustomerGatewayId: cgw } } =
    await call<{ CustomerGateway: { CustomerGatewayId: string } }>('create-customer-gateway',
      '--type', 'ipsec.1', '--ip-address', '198.51.100.20', '--bgp-asn', '65010')
  const { VpnConnection: { VpnConnectionId: vpn } } = await call<{ VpnConnection: Connection }>(
    'create-vpn-connection', '--type', 'ipsec.1', '--vpn-gateway-id', vgw,
    '--customer-gateway-id', cgw, '--options', JSON.stringify({
      StaticRoutesOnly: true,
      TunnelOptions: [{ TunnelInsideCidr: '169.254.20.0/30', PreSharedKey: 'known.key_1' },
        { IKEVersions: [{ Value: 'ikev2' }] }]
    }))
  return { vgw, cgw, vpn }
}

test('the AWS command line joins an office, and changes the tunnels', async (t) => {
  const { aws, call } = await open(t)
  const { vgw, cgw, vpn } = await join(call)
  t.is((await aws('wait', 'customer-gateway-available', '--customer-gateway-ids', cgw)).code, '')
  t.is((await aws('wait', 'vpn-connection-available', '--vpn-connection-ids', vpn)).code, '')

  const describe = async (): Promise<Connection> =>
    (await call<{ VpnConnections: Connection[] }>('describe-vpn-connections',
      '--filters', `Name=vpn-gateway-id,Values=${vgw}`)).VpnConnections[0] as Connection
  const [first, second] = (await describe()).Options.TunnelOptions as [Tunnel, Tunnel]
  t.is(first.TunnelInsideCidr, '169.254.20.0/30')
  t.is(first.PreSharedKey, 'known.key_1')
  t.deepEqual(second.IkeVersions, [{ Value: 'ikev2' }])
  const { CustomerGatewayConfiguration: xml } = await describe()
  for (const text of [`<vpn_connection id="${vpn}">`, '<ip_address>198.51.100.20</ip_address>',
    `<ip_address>${second.OutsideIpAddress}</ip_address>`, '<ip_address>169.254.20.2</ip_address>',
    '<pre_shared_key>known.key_1</pre_shared_key>', 'NoBGPVPNConnection']) {
    t.true(xml.includes(text), text)
  }
  t.deepEqual((await describe()).VgwTelemetry.map(({ Status, StatusMessage }) =>
    `${Status} ${StatusMessage}`), ['DOWN IPSEC IS DOWN', 'DOWN IPSEC IS DOWN'])

  await call('create-vpn-connection-route', '--vpn-connection-id', vpn,
    '--destination-cidr-block', '192.168.0.0/16')
  t.deepEqual((await describe()).Routes.map(({ DestinationCidrBlock }) => DestinationCidrBlock),
    ['192.168.0.0/16'])
  await call('modify-vpn-tunnel-options', '--vpn-connection-id', vpn,
    '--vpn-tunnel-outside-ip-address', first.OutsideIpAddress,
    '--tunnel-options', '{"DPDTimeoutSeconds":60,"Phase2DHGroupNumbers":[{"Value":20}]}')
  await call('modify-vpn-connection-options', '--vpn-connection-id', vpn,
    '--local-ipv4-network-cidr', '192.168.0.0/16')
  const types = await call<{ VpnConnectionDeviceTypes: { VpnConnectionDeviceTypeId: string }[] }>(
    'get-vpn-connection-device-types')
  for (const { VpnConnectionDeviceTypeId: id } of types.VpnConnectionDeviceTypes) {
    const { VpnConnectionDeviceSampleConfiguration: sample } =
      await call<{ VpnConnectionDeviceSampleConfiguration: string }>(
        'get-vpn-connection-device-sample-configuration', '--vpn-connection-id', vpn,
        '--vpn-connection-device-type-id', id, '--internet-key-exchange-version', 'ikev2')
    t.true(sample.includes(vpn), id)
  }
})

test('the AWS command line routes a VPC to the office, and takes it all apart', async (t) => {
  const { aws, call, refusal } = await open(t)
  const { vgw, cgw, vpn } = await join(call)
  const { Vpc: { VpcId: vpc } } = await call<{ Vpc: { VpcId: string } }>('create-vpc',
    '--cidr-block', '10.0.0.0/16')
  await call('attach-vpn-gateway', '--vpn-gateway-id', vgw, '--vpc-id', vpc)
  const { RouteTable: { RouteTableId: table } } =
    await call<{ RouteTable: { RouteTableId: string } }>('create-route-table', '--vpc-id', vpc)
  await call('enable-vgw-route-propagation', '--route-table-id', table, '--gateway-id', vgw)
  const { RouteTables: [described] } = await call<{ RouteTables: { PropagatingVgws: object[] }[] }>(
    'describe-route-tables', '--route-table-ids', table)
  t.deepEqual(described?.PropagatingVgws, [{ GatewayId: vgw }])
  await call('create-route', '--route-table-id', table, '--destination-cidr-block',
    '172.16.0.0/12', '--gateway-id', vgw)

  t.is(await refusal('delete-vpn-gateway', '--vpn-gateway-id', vgw), 'IncorrectState')
  t.is(await refusal('delete-customer-gateway', '--customer-gateway-id', cgw), 'IncorrectState')
  t.is(await refusal('delete-vpc', '--vpc-id', vpc), 'DependencyViolation')
  await call('delete-vpn-connection', '--vpn-connection-id', vpn)
  t.is((await aws('wait', 'vpn-connection-deleted', '--vpn-connection-ids', vpn)).code, '')
  await call('detach-vpn-gateway', '--vpn-gateway-id', vgw, '--vpc-id', vpc)
  t.is(await refusal('enable-vgw-route-propagation', '--route-table-id', table, '--gateway-id',
    vgw), 'Gateway.NotAttached')
  await call('delete-customer-gateway', '--customer-gateway-id', cgw)
  await call('delete-vpn-gateway', '--vpn-gateway-id', vgw)
})

test('a template makes a VPN, and its deletion leaves nothing', async (t) => {
  const endpoint = await openEndpoint()
  t.teardown(async () => { await endpoint.close() })
  const cloudformation = commandLine(endpoint, 'cloudformation')
  const template = JSON.stringify({
    Resources: {
      Vpc: { Type: 'AWS::EC2::VPC', Properties: { CidrBlock: '10.0.0.0/16' } },
      Table: { Type: 'AWS::EC2::RouteTable', Properties: { VpcId: { Ref: 'Vpc' } } },
      Gateway: {
        Type: 'AWS::EC2::VPNGateway', Properties: { Type: 'ipsec.1', AmazonSideAsn: 64_700 }
      },
      Attachment: {
        Type: 'AWS::EC2::VPCGatewayAttachment',
        Properties: { VpcId: { Ref: 'Vpc' }, VpnGatewayId: { Ref: 'Gateway' } }
      },
      Device: {
        Type: 'AWS::EC2::CustomerGateway',
        Properties: { Type: 'ipsec.1', BgpAsn: 65_020, IpAddress: '198.51.100.21' }
      },
      Connection: {
        Type: 'AWS::EC2::VPNConnection',
        Properties: {
          Type: 'ipsec.1', StaticRoutesOnly: true, CustomerGatewayId: { Ref: 'Device' },
          VpnGatewayId: { Ref: 'Gateway' },
          VpnTunnelOptionsSpecifications: [{ TunnelInsideCidr: '169.254.30.0/30' }]
        }
      },
      Office: {
        Type: 'AWS::EC2::VPNConnectionRoute',
        Properties: {
          VpnConnectionId: { Ref: 'Connection' }, DestinationCidrBlock: '192.168.7.0/24'
        }
      },
      Propagation: {
        Type: 'AWS::EC2::VPNGatewayRoutePropagation', DependsOn: 'Attachment',
        Properties: { RouteTableIds: [{ Ref: 'Table' }], VpnGatewayId: { Ref: 'Gateway' } }
      }
    }
  })
  t.is((await cloudformation('create-stack', '--stack-name', 'vpn', '--template-body', template))
    .code, '')
  t.is((await cloudformation('wait', 'stack-create-complete', '--stack-name', 'vpn')).code, '')
  const aws = commandLine(endpoint)
  const { output } = await aws('describe-vpn-connections')
  const [connection] = output['VpnConnections'] as Connection[]
  t.is(connection?.Options.TunnelOptions[0]?.TunnelInsideCidr, '169.254.30.0/30')
  t.is(connection?.Routes[0]?.DestinationCidrBlock, '192.168.7.0/24')
  t.is((await cloudformation('delete-stack', '--stack-name', 'vpn')).code, '')
  t.is((await cloudformation('wait', 'stack-delete-complete', '--stack-name', 'vpn')).code, '')
  t.is((await aws('wait', 'vpn-connection-deleted', '--vpn-connection-ids',
    connection?.VpnConnectionId ?? '')).code, '')
})
