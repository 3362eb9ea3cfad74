/** The network of test_network.ts with a virtual private gateway, and short ways to VPNs. */
import { certificateArn } from './certificate.ts'
import type { Certificate } from './certificate.ts'
import type { CertificateAuthority } from './certificate_authority.ts'
import { planCreateCustomerGateway } from './customer_gateway.ts'
import { requireRecord } from './resource_kind.ts'
import { put } from './snapshot.ts'
import { TestNetwork } from './test_network.ts'
import { planCreateVpnConnection } from './vpn_connection.ts'
import type { CreateVpnConnectionInput, VpnConnection } from './vpn_connection.ts'
import { planAttachVpnGateway, planCreateVpnGateway, VPN_TYPE } from './vpn_gateway.ts'
import { planBgpSession, planIpsecSession, tunnelKey } from './vpn_status.ts'
import type { BgpPath, IpsecSession } from './vpn_status.ts'

/** A path as a neighbour of AS 65010 announces it. */
export function bgpPath (cidr: string, changes: Partial<BgpPath> = {}): BgpPath {
  return { cidr, asPath: [65_010], med: null, communities: [], nextHop: '169.254.10.2', ...changes }
}

/** A subordinate authority, and a certificate of a customer gateway that it has issued. */
const AUTHORITY: CertificateAuthority = {
  id: '5f0c1d2e-0000-4000-8000-000000000001', accountId: '111111111111', region: 'us-east-1',
  tags: {}, type: 'SUBORDINATE', subject: [['CommonName', 'vpn.example.com']],
  keyAlgorithm: 'RSA_2048', signingAlgorithm: 'SHA256WITHRSA', state: 'ACTIVE', csr: '',
  certificate: '-----BEGIN CERTIFICATE-----\nsubordinate\n-----END CERTIFICATE-----\n',
  chain: '-----BEGIN CERTIFICATE-----\nroot\n-----END CERTIFICATE-----\n', revocationList: null,
  idempotencyToken: null, createdMs: 0, changedMs: 0
}
const CERTIFICATE: Certificate = {
  id: '0f1e2d3c-4b5a-4978-8000-000000000002', accountId: AUTHORITY.accountId,
  region: AUTHORITY.region, tags: {}, domainName: 'branch.example.com',
  subjectAlternativeNames: ['branch.example.com'], keyAlgorithm: 'RSA_2048',
  authorityId: AUTHORITY.id, certificate: '', chain: '', endpointOf: null,
  isToBeRenewed: false, idempotencyToken: null,
  createdMs: 0
}

export class VpnNetwork extends TestNetwork {
  /** Attached to the VPC. */
  readonly vgwId = this.createVgw(undefined, this.vpcId)
  #devices = 0

  createVgw (amazonSideAsn?: number, vpcId: string | null = null): string {
    const id = this.run(planCreateVpnGateway(this.view(),
      { type: VPN_TYPE, amazonSideAsn, availabilityZone: undefined, tags: {} }, this.context))
    if (vpcId !== null) this.run(planAttachVpnGateway(this.view(), { vpnGatewayId: id, vpcId }))
    return id
  }

  /** @param ipAddress a new device when it is left out */
  createCgw (bgpAsn = 65_010, ipAddress = `198.51.100.${String(++this.#devices)}`,
    certificateArn?: string): string {
    return this.run(planCreateCustomerGateway(this.view(), {
      type: VPN_TYPE, bgpAsn, bgpAsnExtended: undefined, ipAddress, certificateArn,
      deviceName: undefined, tags: {}
    }, this.context))
  }

  /** @returns the ARN of a certificate that a customer gateway may have */
  certify (changes: Partial<Certificate> = {}): string {
    const certificate = { ...CERTIFICATE, ...changes }
    this.apply([put('certificateAuthority', AUTHORITY), put('certificate', certificate)])
    return certificateArn(certificate)
  }

  createVpn (changes: Partial<CreateVpnConnectionInput> = {}): string {
    return this.run(planCreateVpnConnection(this.view(), {
      type: VPN_TYPE, customerGatewayId: changes.customerGatewayId ?? this.createCgw(),
      vpnGatewayId: this.vgwId, transitGatewayId: undefined, enableAcceleration: false,
      staticRoutesOnly: false, tunnelInsideIpVersion: undefined,
      localIpv4NetworkCidr: undefined, remoteIpv4NetworkCidr: undefined, tunnels: [], tags: {},
      ...changes
    }, this.context))
  }

  vpn (id: string): VpnConnection { return requireRecord(this.view(), 'vpnConnection', id) }

  outside (id: string, tunnel: number): string {
    return this.vpn(id).tunnels[tunnel]?.outsideIpAddress ?? ''
  }

  /** @param generation of the endpoint that is up */
  ipsec (vpnConnectionId: string, tunnel: number, isUp: boolean, generation = 0): void {
    this.run(planIpsecSession(this.snapshot, {
      vpnConnectionId, outsideIpAddress: this.outside(vpnConnectionId, tunnel), isUp,
      sinceMs: this.context.nowMs, message: null, negotiated: null,
      generation: isUp ? generation : null
    }))
  }

  bgp (vpnConnectionId: string, tunnel: number, isUp: boolean, paths: readonly BgpPath[]): void {
    this.run(planBgpSession(this.snapshot, {
      vpnConnectionId, outsideIpAddress: this.outside(vpnConnectionId, tunnel), isUp,
      sinceMs: this.context.nowMs, message: null, paths
    }))
  }

  ipsecOf (vpnConnectionId: string, tunnel: number): IpsecSession {
    const key = tunnelKey(vpnConnectionId, this.outside(vpnConnectionId, tunnel))
    const session = this.snapshot.tables.ipsecSession.get(key)
    if (session === undefined) throw new Error(`nothing is known of ${key}`)
    return session
  }

  /** Both engines say that the tunnel is up. */
  up (vpnConnectionId: string, tunnel: number, ...paths: readonly BgpPath[]): void {
    this.ipsec(vpnConnectionId, tunnel, true)
    if (!this.vpn(vpnConnectionId).staticRoutesOnly) this.bgp(vpnConnectionId, tunnel, true, paths)
  }
}
