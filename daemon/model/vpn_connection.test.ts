/** Virtual private gateways, customer gateways and VPN connections: rules and refusals. */
import test from 'ava'
import { planCreateCustomerGateway, planDeleteCustomerGateway } from './customer_gateway.ts'
import { VpnNetwork } from './test_vpn.ts'
import {
  planCreateVpnConnectionRoute, planDeleteVpnConnection, planDeleteVpnConnectionRoute,
  planModifyVpnConnection, planModifyVpnConnectionOptions, planModifyVpnTunnelCertificate,
  planModifyVpnTunnelOptions, planReplaceVpnTunnel, planVpnTimers
} from './vpn_connection.ts'
import type { CreateVpnConnectionInput } from './vpn_connection.ts'
import {
  planAttachVpnGateway, planDeleteVpnGateway, planDetachVpnGateway, VPN_LINGER_MS, VPN_TYPE
} from './vpn_gateway.ts'
import { telemetryOf } from './vpn_status.ts'
import { insideAddresses, tunnelOptions } from './vpn_tunnel.ts'
import type { TunnelOptionsInput } from './vpn_tunnel.ts'
import { planDeleteVpc } from './vpc.ts'

class Net extends VpnNetwork {
  attach (vpnGatewayId: string, vpcId = this.vpcId): string {
    return this.refusal(() => this.run(
      planAttachVpnGateway(this.view(), { vpnGatewayId, vpcId })))
  }

  deleteVgw (vpnGatewayId = this.vgwId): string {
    return this.refusal(() => this.run(
      planDeleteVpnGateway(this.view(), { vpnGatewayId }, this.context)))
  }

  cgw (changes: Partial<Parameters<typeof planCreateCustomerGateway>[1]>): string {
    return this.refusal(() => this.run(planCreateCustomerGateway(this.view(), {
      type: VPN_TYPE, bgpAsn: undefined, bgpAsnExtended: undefined, ipAddress: '198.51.100.99',
      certificateArn: undefined, deviceName: undefined, tags: {}, ...changes
    }, this.context)))
  }

  refused (changes: Partial<CreateVpnConnectionInput>): string {
    return this.refusal(() => this.createVpn(changes))
  }

  modify (vpnConnectionId: string, options: TunnelOptionsInput, tunnel = 0): string {
    return this.refusal(() => this.run(planModifyVpnTunnelOptions(this.view(),
      { vpnConnectionId, outsideIpAddress: this.outside(vpnConnectionId, tunnel), options },
      this.context)))
  }

  remove (vpnConnectionId: string): string {
    return this.refusal(() => this.run(
      planDeleteVpnConnection(this.view(), { vpnConnectionId }, this.context)))
  }

  route (vpnConnectionId: string, destinationCidrBlock: string): string {
    return this.refusal(() => this.run(planCreateVpnConnectionRoute(this.view(),
      { vpnConnectionId, destinationCidrBlock })))
  }
}

test('a VPC has one virtual private gateway, and a gateway one VPC', (t) => {
  const net = new Net()
  const [other, otherVpc] = [net.createVgw(), net.createVpc()]
  t.is(net.attach(net.vgwId, otherVpc), 'VpnGatewayAttachmentLimitExceeded')
  t.is(net.attach(other), 'InvalidVpcState')
  t.is(net.attach('vgw-0aaaaaaaaaaaaaaaa'), 'InvalidVpnGatewayID.NotFound')
  t.is(net.attach(other, otherVpc), '')
  t.is(net.refusal(() => net.run(planDeleteVpc(net.view(), otherVpc, net.context))),
    'DependencyViolation')
  const detach = (vpnGatewayId: string, vpcId: string): string => net.refusal(() => net.run(
    planDetachVpnGateway(net.view(), { vpnGatewayId, vpcId })))
  t.is(detach(other, net.vpcId), 'InvalidVpnGatewayAttachment.NotFound')
  t.is(net.deleteVgw(other), 'IncorrectState')
  t.is(detach(other, otherVpc), '')
  t.is(net.deleteVgw(other), '')
  t.is(net.deleteVgw(other), 'InvalidVpnGatewayID.NotFound')
  t.is(net.attach(other, otherVpc), 'InvalidVpnGatewayID.NotFound')
})

test('the ASN of a virtual private gateway is a private one', (t) => {
  const net = new Net()
  const create = (asn: number): string => net.refusal(() => net.createVgw(asn))
  for (const asn of [64_511, 65_535, 4_199_999_999, 4_294_967_295]) {
    t.is(create(asn), 'InvalidParameterValue', String(asn))
  }
  for (const asn of [64_512, 65_534, 4_200_000_000, 4_294_967_294]) t.is(create(asn), '')
  t.is(create(64_600), 'VpnGatewayLimitExceeded', 'five of a Region')
})

test('a customer gateway has a public address or a certificate, and an ASN of its own', (t) => {
  const net = new Net()
  for (const ipAddress of ['10.0.0.1', '192.168.1.1', '172.31.0.1', '100.64.0.1', '127.0.0.1',
    '169.254.1.1', '224.0.0.1', '2001:db8::1', '198.51.100', 'x']) {
    t.is(net.cgw({ ipAddress }), 'InvalidParameterValue', ipAddress)
  }
  for (const bgpAsn of [0, 2_147_483_648, 7224, 9059, 10_124, 17_943]) {
    t.is(net.cgw({ bgpAsn }), 'InvalidParameterValue', String(bgpAsn))
  }
  t.is(net.cgw({ bgpAsnExtended: 2_147_483_647 }), 'InvalidParameterValue')
  t.is(net.cgw({ bgpAsn: 65_000, bgpAsnExtended: 4_200_000_000 }), 'InvalidParameterCombination')
  t.is(net.cgw({ ipAddress: undefined }), 'MissingParameter')
  t.is(net.cgw({ certificateArn: 'arn:aws:acm:x' }), 'InvalidParameterValue')
  t.is(net.cgw({ deviceName: 'x'.repeat(256) }), 'InvalidParameterValue')
  t.is(net.cgw({ certificateArn: net.certify().replace('0f1e', '0f1f') }), 'InvalidParameterValue')
  t.is(net.cgw({ ipAddress: undefined, certificateArn: net.certify({ authorityId: null }) }),
    'InvalidParameterValue', 'an imported one has no authority')
  t.is(net.cgw({ ipAddress: undefined, certificateArn: net.certify() }), '')
  t.is(net.cgw({ bgpAsnExtended: 4_294_967_295 }), '')
  const count = (): number => net.snapshot.tables.customerGateway.size
  const [first, before] = [net.createCgw(65_010, '198.51.100.7'), count()]
  t.is(net.createCgw(65_010, '198.51.100.7'), first, 'the same again is the same record')
  t.is(count(), before)
  t.not(net.createCgw(65_011, '198.51.100.7'), first)
})

test('a connection has two tunnels with addresses and keys of their own', (t) => {
  const net = new Net()
  const { tunnels } = net.vpn(net.createVpn())
  const { tunnels: others } = net.vpn(net.createVpn())
  const all = [...tunnels, ...others]
  t.is(tunnels.length, 2)
  t.is(new Set(all.map(({ outsideIpAddress }) => outsideIpAddress)).size, 4)
  t.is(new Set(all.map(({ insideCidr }) => insideCidr)).size, 4)
  t.is(new Set(all.map(({ preSharedKey }) => preSharedKey)).size, 4)
  for (const { insideCidr, outsideIpAddress, preSharedKey } of all) {
    t.regex(insideCidr, /^169\.254\.\d+\.\d+\/30$/)
    t.regex(outsideIpAddress, /^192\.0\.2\.\d+$/)
    t.regex(preSharedKey ?? '', /^(?!0)[A-Za-z0-9._]{32}$/)
  }
  t.deepEqual(insideAddresses({ insideCidr: '169.254.10.4/30' }),
    { aws: '169.254.10.5', customer: '169.254.10.6' })
})

test('what joins the wrong things is refused', (t) => {
  const net = new Net()
  t.is(net.refused({ vpnGatewayId: undefined }), 'MissingParameter')
  t.is(net.refused({ transitGatewayId: 'tgw-0aaaaaaaaaaaaaaaa' }), 'InvalidParameterCombination')
  t.is(net.refused({ vpnGatewayId: undefined, transitGatewayId: 'tgw-0aaaaaaaaaaaaaaaa' }),
    'InvalidTransitGatewayID.NotFound')
  t.is(net.refused({ vpnGatewayId: 'vgw-0aaaaaaaaaaaaaaaa' }), 'InvalidVpnGatewayID.NotFound')
  t.is(net.refused({ customerGatewayId: 'cgw-0aaaaaaaaaaaaaaaa' }),
    'InvalidCustomerGatewayID.NotFound')
  t.is(net.refused({ type: 'ipsec.2' }), 'InvalidParameterValue')
  t.is(net.refused({ enableAcceleration: true }), 'InvalidParameterCombination')
  t.is(net.refused({ tunnelInsideIpVersion: 'ipv6' }), 'InvalidParameterCombination')
  t.is(net.refused({ tunnels: [{}, {}, {}] }), 'InvalidParameterValue')
  t.is(net.refused({ localIpv4NetworkCidr: '2001:db8::/32' }), 'InvalidParameterValue')
  t.is(net.refused({ customerGatewayId: net.createCgw(64_512) }), 'AsnConflict')
  const customerGatewayId = net.createCgw(65_010, '198.51.100.200')
  net.createVpn({ customerGatewayId })
  t.is(net.refused({ customerGatewayId }), 'InvalidOption.Conflict')
  t.is(net.refused({ customerGatewayId: net.createCgw(65_011, '198.51.100.200') }),
    'InvalidCustomerGateway.DuplicateIpAddress')
  const gone = net.createVgw()
  net.deleteVgw(gone)
  t.is(net.refused({ vpnGatewayId: gone }), 'InvalidVpnGatewayState')
  for (let n = 0; n < 9; n++) t.is(net.refused({}), '')
  t.is(net.refused({}), 'VpnConnectionLimitExceeded')
})

test('every option of a tunnel has its range', (t) => {
  const net = new Net()
  const id = net.createVpn()
  const bad: readonly TunnelOptionsInput[] = [
    { phase1LifetimeSeconds: 899 }, { phase1LifetimeSeconds: 28_801 },
    { phase2LifetimeSeconds: 899 }, { phase2LifetimeSeconds: 3601 },
    { rekeyMarginTimeSeconds: 59 }, { rekeyMarginTimeSeconds: 1801 },
    { phase2LifetimeSeconds: 900, rekeyMarginTimeSeconds: 451 },
    { rekeyFuzzPercentage: -1 }, { rekeyFuzzPercentage: 101 }, { replayWindowSize: 63 },
    { replayWindowSize: 2049 }, { dpdTimeoutSeconds: 29 }, { dpdTimeoutAction: 'stop' },
    { startupAction: 'now' }, { phase1EncryptionAlgorithms: ['DES'] },
    { phase2EncryptionAlgorithms: ['AES128', 'x'] }, { phase1IntegrityAlgorithms: ['MD5'] },
    { phase1DHGroupNumbers: [5] }, { phase2DHGroupNumbers: [1] }, { ikeVersions: ['ikev3'] },
    { preSharedKey: 'short' }, { preSharedKey: '0beginswithzero' }, { preSharedKey: 'not good!!' },
    { preSharedKey: 'x'.repeat(65) }, { insideCidr: '169.254.10.0/29' },
    { insideCidr: '10.0.0.0/30' }, { insideCidr: '169.254.169.252/30' },
    { insideCidr: '169.254.0.0/30' }, { insideCidr: '169.254.5.0/30' }
  ]
  for (const options of bad) {
    t.is(net.modify(id, options), 'InvalidParameterValue', JSON.stringify(options))
  }
  t.is(net.modify(id, { phase1LifetimeSeconds: 3600 }), 'InvalidParameterCombination',
    'phase 2 lasts as long')
  t.is(net.modify(id, { startupAction: 'start', ikeVersions: ['ikev1'] }),
    'InvalidParameterCombination')
  t.is(net.modify(id, {}), 'MissingParameter')
  t.is(net.modify(id, { insideCidr: net.vpn(id).tunnels[1]?.insideCidr }), 'InvalidCidr.InUse')
  const before = net.vpn(id).tunnels[1]
  t.is(net.modify(id, { insideCidr: '169.254.77.77/30', phase2DHGroupNumbers: [20, 5],
    preSharedKey: 'good.key_1' }), '')
  const [changed, other] = net.vpn(id).tunnels
  t.is(changed?.insideCidr, '169.254.77.76/30')
  t.deepEqual(changed?.options, { phase2DHGroupNumbers: [5, 20] }, 'weakest first')
  t.is(changed === undefined ? 0 : tunnelOptions(changed).phase1LifetimeSeconds, 28_800)
  t.deepEqual(other, before, 'the other one stays as it is')
})

test('a certificate takes the place of the key', (t) => {
  const net = new Net()
  const customerGatewayId = net.createCgw(65_010, '198.51.100.50', net.certify())
  t.is(net.refused({ customerGatewayId, tunnels: [{ preSharedKey: 'good.key_1' }] }),
    'InvalidParameterCombination')
  const id = net.createVpn({ customerGatewayId })
  t.is(net.vpn(id).tunnels[0]?.preSharedKey, null)
  t.is(net.modify(id, { preSharedKey: 'good.key_1' }), 'InvalidParameterCombination')
  const renew = (vpnConnectionId: string): string => net.refusal(() => net.run(
    planModifyVpnTunnelCertificate(net.view(),
      { vpnConnectionId, outsideIpAddress: net.outside(vpnConnectionId, 0) })))
  t.is(renew(id), '')
  t.is(renew(net.createVpn()), 'InvalidParameterCombination')
})

test('static routes are for static connections, at most 100', (t) => {
  const net = new Net()
  const [dynamic, id] = [net.createVpn(), net.createVpn({ staticRoutesOnly: true })]
  t.is(net.route(dynamic, '192.168.0.0/24'), 'InvalidVpnConnection.InvalidType')
  t.is(net.route(id, '192.168.0.0/33'), 'InvalidParameterValue')
  t.is(net.route(id, '2001:db8::/32'), 'InvalidParameterValue')
  t.is(net.route(id, '192.168.0.7/24'), '')
  t.is(net.route(id, '192.168.0.0/24'), '', 'twice is no error')
  t.deepEqual(net.vpn(id).staticRoutes, ['192.168.0.0/24'])
  for (let n = 1; n < 100; n++) t.is(net.route(id, `192.168.${String(n)}.0/24`), '')
  t.is(net.route(id, '192.168.100.0/24'), 'RouteLimitExceeded')
  const remove = (destinationCidrBlock: string): string => net.refusal(() => net.run(
    planDeleteVpnConnectionRoute(net.view(), { vpnConnectionId: id, destinationCidrBlock })))
  t.is(remove('192.168.100.0/24'), 'InvalidRoute.NotFound')
  t.is(remove('192.168.99.0/24'), '')
  t.is(net.vpn(id).staticRoutes.length, 99)
})

test('a deleted connection frees what it used, is seen for an hour, and changes no more', (t) => {
  const net = new Net()
  const customerGatewayId = net.createCgw()
  const id = net.createVpn({ customerGatewayId })
  const removeCgw = (): string => net.refusal(() => net.run(
    planDeleteCustomerGateway(net.view(), { customerGatewayId }, net.context)))
  net.up(id, 0)
  t.is(removeCgw(), 'IncorrectState')
  t.is(net.remove(id), '')
  t.is(net.snapshot.tables.ipsecSession.size, 0)
  t.is(net.snapshot.tables.bgpSession.size, 0)
  net.up(id, 0)
  t.is(net.snapshot.tables.ipsecSession.size, 0, 'nothing is learned of what is gone')
  t.is(net.remove(id), 'InvalidVpnConnectionID.NotFound')
  t.is(net.modify(id, { replayWindowSize: 64 }), 'InvalidVpnConnection.InvalidState')
  t.is(removeCgw(), '')
  t.is(net.refused({ customerGatewayId }), 'InvalidCustomerGatewayID.NotFound')
  const { nowMs } = net.context
  t.is(net.run(planVpnTimers(net.snapshot, { nowMs: nowMs + VPN_LINGER_MS - 1 })), 0)
  t.is(net.run(planVpnTimers(net.snapshot, { nowMs: nowMs + VPN_LINGER_MS })), 2)
  t.is(net.snapshot.tables.vpnConnection.size, 0)
})

test('a connection moves to another gateway or device and keeps its keys', (t) => {
  const net = new Net()
  const id = net.createVpn()
  const before = net.vpn(id)
  const move = (target: { vpnGatewayId?: string, customerGatewayId?: string },
    vpnConnectionId = id): string => net.refusal(() => net.run(planModifyVpnConnection(net.view(),
    { vpnConnectionId, vpnGatewayId: undefined, transitGatewayId: undefined,
      customerGatewayId: undefined, ...target }, net.context)))
  const hub = net.createVgw(64_600)
  t.is(move({}), 'MissingParameter')
  t.is(move({ vpnGatewayId: net.vgwId }), 'InvalidParameterValue')
  t.is(move({ vpnGatewayId: hub, customerGatewayId: net.createCgw() }),
    'InvalidParameterCombination')
  t.is(move({ customerGatewayId: net.createCgw(64_512) }), 'AsnConflict')
  t.is(move({ vpnGatewayId: hub }), '')
  const after = net.vpn(id)
  t.is(after.vpnGatewayId, hub)
  t.deepEqual(after.tunnels.map(({ preSharedKey, insideCidr }) => [preSharedKey, insideCidr]),
    before.tunnels.map(({ preSharedKey, insideCidr }) => [preSharedKey, insideCidr]))
  t.not(after.tunnels[0]?.replacedMs, null, 'its endpoints begin anew')
  const fixed = net.createVpn({ staticRoutesOnly: true })
  net.route(fixed, '192.168.0.0/24')
  t.is(move({ vpnGatewayId: hub }, fixed), 'InvalidParameterCombination')
})

test('the networks of both tunnels change together, and an endpoint alone', (t) => {
  const net = new Net()
  const id = net.createVpn()
  const change = (local?: string): string => net.refusal(() => net.run(
    planModifyVpnConnectionOptions(net.view(), { vpnConnectionId: id,
      localIpv4NetworkCidr: local, remoteIpv4NetworkCidr: undefined })))
  t.is(change(), 'MissingParameter')
  t.is(change('x'), 'InvalidParameterValue')
  t.is(change('192.168.0.1/16'), '')
  t.is(net.vpn(id).localIpv4NetworkCidr, '192.168.0.0/16')
  const replace = (outsideIpAddress: string): string => net.refusal(() => net.run(
    planReplaceVpnTunnel(net.view(), { vpnConnectionId: id, outsideIpAddress }, net.context)))
  t.is(replace('192.0.2.250'), 'InvalidParameterValue')
  t.is(replace(net.outside(id, 1)), '')
  t.deepEqual(net.vpn(id).tunnels.map(({ replacedMs }) => replacedMs),
    [null, net.context.nowMs])
})

test('telemetry: dynamic tunnels need IPsec and BGP, static ones IPsec', (t) => {
  const net = new Net()
  const [id, fixed] = [net.createVpn(), net.createVpn({ staticRoutesOnly: true })]
  const see = (vpnId: string): string => {
    const connection = net.vpn(vpnId)
    const [tunnel] = connection.tunnels
    if (tunnel === undefined) return ''
    const { status, statusMessage } = telemetryOf(net.snapshot, connection, tunnel)
    return `${status} ${statusMessage}`
  }
  t.is(see(id), 'DOWN IPSEC IS DOWN')
  net.ipsec(id, 0, true)
  t.is(see(id), 'DOWN IPSEC IS UP')
  net.bgp(id, 0, true, [])
  t.is(see(id), 'UP 0 BGP ROUTES')
  net.ipsec(id, 0, false)
  t.is(see(id), 'DOWN IPSEC IS DOWN')
  net.ipsec(fixed, 0, true)
  t.is(see(fixed), 'UP IPSEC IS UP')
})
