/**
 * AWS::EC2::VPNGateway, CustomerGateway, VPNConnection, VPNConnectionRoute and
 * VPNGatewayRoutePropagation. CloudFormation Template Reference, "Amazon EC2". The attachment of a
 * gateway stands in internet_gateway.ts.
 */
import type * as Ec2 from '@aws-sdk/client-ec2'
import { TAGS, inPlace, replaces, required } from '../property.ts'
import type { Kind } from '../property.ts'
import type { ResourceCall, ResourceType } from '../resource_type.ts'
import { allowing, pick, text, texts } from '../resource_type.ts'

const vpnGateway: ResourceType = {
  name: 'AWS::EC2::VPNGateway',
  properties: {
    Type: required(replaces('string')), AmazonSideAsn: replaces('integer'), Tags: TAGS
  },
  ref: 'virtual private gateway id',
  attributes: ['VPNGatewayId'],
  tagged: true,
  async create (call) {
    const { VpnGateway: made } = await call.once<Ec2.CreateVpnGatewayResult>('CreateVpnGateway',
      pick(call.properties, 'Type', 'AmazonSideAsn'))
    return made?.VpnGatewayId ?? ''
  },
  read: (_call, id) => ({ VPNGatewayId: id }),
  async delete (call, id) {
    await allowing(['InvalidVpnGatewayID.NotFound'],
      call.ec2('DeleteVpnGateway', { VpnGatewayId: id }))
  }
}

const CUSTOMER_GATEWAY_MEMBERS =
  ['Type', 'BgpAsn', 'BgpAsnExtended', 'IpAddress', 'CertificateArn', 'DeviceName'] as const

const customerGateway: ResourceType = {
  name: 'AWS::EC2::CustomerGateway',
  properties: {
    Type: required(replaces('string')), BgpAsn: replaces('integer'),
    BgpAsnExtended: replaces('integer'), IpAddress: replaces('string'),
    CertificateArn: replaces('string'), DeviceName: replaces('string'), Tags: TAGS
  },
  ref: 'customer gateway id',
  attributes: ['CustomerGatewayId'],
  tagged: true,
  async create (call) {
    const { CustomerGateway: made } = await call.once<Ec2.CreateCustomerGatewayResult>(
      'CreateCustomerGateway', pick(call.properties, ...CUSTOMER_GATEWAY_MEMBERS))
    return made?.CustomerGatewayId ?? ''
  },
  read: (_call, id) => ({ CustomerGatewayId: id }),
  async delete (call, id) {
    await allowing(['InvalidCustomerGatewayID.NotFound'],
      call.ec2('DeleteCustomerGateway', { CustomerGatewayId: id }))
  }
}

const VALUES: Kind = [{ Value: 'string' }]
const NUMBERS: Kind = [{ Value: 'integer' }]

/** VpnTunnelOptionsSpecification; EC2 names its members alike. */
const TUNNEL_KIND: Kind = {
  TunnelInsideCidr: 'string', PreSharedKey: 'string', Phase1LifetimeSeconds: 'integer',
  Phase2LifetimeSeconds: 'integer', RekeyMarginTimeSeconds: 'integer',
  RekeyFuzzPercentage: 'integer', ReplayWindowSize: 'integer', DPDTimeoutSeconds: 'integer',
  DPDTimeoutAction: 'string', Phase1EncryptionAlgorithms: VALUES,
  Phase2EncryptionAlgorithms: VALUES, Phase1IntegrityAlgorithms: VALUES,
  Phase2IntegrityAlgorithms: VALUES, Phase1DHGroupNumbers: NUMBERS,
  Phase2DHGroupNumbers: NUMBERS, IKEVersions: VALUES, StartupAction: 'string',
  EnableTunnelLifecycleControl: 'boolean'
}

const OPTION_MEMBERS = ['StaticRoutesOnly', 'EnableAcceleration', 'LocalIpv4NetworkCidr',
  'RemoteIpv4NetworkCidr'] as const

const vpnConnection: ResourceType = {
  name: 'AWS::EC2::VPNConnection',
  properties: {
    Type: required(replaces('string')), CustomerGatewayId: required(inPlace('string')),
    VpnGatewayId: inPlace('string'), TransitGatewayId: replaces('string'),
    StaticRoutesOnly: replaces('boolean'), EnableAcceleration: replaces('boolean'),
    LocalIpv4NetworkCidr: replaces('string'), RemoteIpv4NetworkCidr: replaces('string'),
    VpnTunnelOptionsSpecifications: replaces([TUNNEL_KIND]), Tags: TAGS
  },
  ref: 'VPN connection id',
  attributes: ['VpnConnectionId'],
  tagged: true,
  async create (call) {
    const { VpnConnection: made } = await call.once<Ec2.CreateVpnConnectionResult>(
      'CreateVpnConnection', {
        ...pick(call.properties, 'Type', 'CustomerGatewayId', 'VpnGatewayId', 'TransitGatewayId'),
        Options: {
          ...pick(call.properties, ...OPTION_MEMBERS),
          TunnelOptions: call.properties['VpnTunnelOptionsSpecifications']
        }
      })
    return made?.VpnConnectionId ?? ''
  },
  async settle (call, id, before) {
    if (before.length === 0) return id
    for (const [name, member] of
      [['CustomerGatewayId', 'customerGatewayId'], ['VpnGatewayId', 'vpnGatewayId']] as const) {
      const wanted = text(call.properties, name)
      const connection = call.view.get('vpnConnection', id)
      if (wanted === undefined || connection?.[member] === wanted) continue
      await call.ec2('ModifyVpnConnection', { VpnConnectionId: id, [name]: wanted })
    }
    return id
  },
  read: (_call, id) => ({ VpnConnectionId: id }),
  async delete (call, id) {
    await allowing(['InvalidVpnConnectionID.NotFound'],
      call.ec2('DeleteVpnConnection', { VpnConnectionId: id }))
  }
}

const vpnConnectionRoute: ResourceType = {
  name: 'AWS::EC2::VPNConnectionRoute',
  properties: {
    VpnConnectionId: required(replaces('string')),
    DestinationCidrBlock: required(replaces('string'))
  },
  ref: 'VPN connection id, `|` and the destination',
  attributes: [],
  tagged: false,
  async create (call) {
    const route = pick(call.properties, 'VpnConnectionId', 'DestinationCidrBlock')
    await call.once('CreateVpnConnectionRoute', route)
    return `${text(route, 'VpnConnectionId') ?? ''}|${text(route, 'DestinationCidrBlock') ?? ''}`
  },
  async delete (call) {
    await allowing(['InvalidRoute.NotFound', 'InvalidVpnConnectionID.NotFound',
      'InvalidVpnConnection.InvalidState'], call.ec2('DeleteVpnConnectionRoute',
      pick(call.properties, 'VpnConnectionId', 'DestinationCidrBlock')))
  }
}

/** Turns the propagation into a table on or off. */
async function propagate (
  call: ResourceCall, verb: 'Enable' | 'Disable', tableIds: readonly string[]): Promise<void> {
  const GatewayId = text(call.properties, 'VpnGatewayId')
  for (const RouteTableId of tableIds) {
    await call.ec2(`${verb}VgwRoutePropagation`, { RouteTableId, GatewayId })
  }
}

const propagation: ResourceType = {
  name: 'AWS::EC2::VPNGatewayRoutePropagation',
  properties: {
    RouteTableIds: required(inPlace(['string'])), VpnGatewayId: required(replaces('string'))
  },
  ref: 'the name of the resource',
  attributes: ['Id'],
  tagged: false,
  create: (call) => Promise.resolve(call.uniqueName),
  async settle (call, id, before) {
    const wanted = texts(call.properties, 'RouteTableIds') ?? []
    const old = before.flatMap((properties) => texts(properties, 'RouteTableIds') ?? [])
    await propagate(call, 'Enable', wanted)
    await propagate(call, 'Disable', [...new Set(old)].filter((one) => !wanted.includes(one)))
    return id
  },
  read: (_call, id) => ({ Id: id }),
  async delete (call) {
    await allowing(['InvalidRouteTableID.NotFound', 'InvalidGatewayID.NotFound'],
      propagate(call, 'Disable', texts(call.properties, 'RouteTableIds') ?? []))
  }
}

export const vpnTypes: readonly ResourceType[] =
  [vpnGateway, customerGateway, vpnConnection, vpnConnectionRoute, propagation]
