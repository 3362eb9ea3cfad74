/**
 * Tunnels of a lab, whose packets pass all that a customer's do: an instance, its host, an edge,
 * the internet between.
 *
 *     both ends   a ── host-1 ══ edge-1 ── ESP ── router ── ESP ── edge-2 ══ host-2 ── b
 *     strongSwan  a ── host-1 ══ edge   ── ESP ── router ── customer gateway ── host behind
 *
 * Two VPCs are each other's customer: the gateway of each names the other's outside address. Where
 * nothing is between them ESP is protocol 50; `behind NAT` the router changes the port of IKE, so
 * that both find a NAT on their way, and ESP travels in UDP.
 */
import * as ec2 from '@aws-sdk/client-ec2'
import { routerNamespace } from '../../daemon/host/paths.ts'
import { command, eventually, inside } from '../../test/harness/command.ts'
import { openGroup } from '../../test/harness/internet.ts'
import type { Instance } from '../../test/harness/instance.ts'
import { Lab, TWO_HOSTS_ONE_ZONE } from '../../test/harness/lab.ts'
import type { TestVpc } from '../../test/harness/lab.ts'
import {
  customerGateway, mainRouteTable, telemetry, VPN_UP_MS_MAX, vpnConnection, vpnGateway, whenTunnels,
  withCustomer
} from '../../test/harness/vpn.ts'
import type { Office, VpnConnection } from '../../test/harness/vpn.ts'
import type { TunnelEnd } from '../tunnel/system.ts'
import type { Cipher, VpnSystem } from './system.ts'

const EDGES = 2
/** 1,500 bytes, and 60 of outer headers. */
const UNDERLAY_MTU = 1560
const SECRET = 'bench.secret_9'
const OFFICE: Office = { letter: 'b', address: '198.51.100.200', lan: '192.168.7.0/24' }
const OFFICE_HOST = '192.168.7.10'
/** Until the other side's outside address is known. */
const NOBODY = '198.51.100.250'
const IKE_PORT_BEHIND_NAT = 10_500

interface Site {
  readonly vpc: TestVpc
  readonly vgwId: string
  readonly instance: Instance
}

export interface VpclabSystems {
  /** Processes of the edges' data planes; those of the hosts are threads of the daemon. */
  readonly edges: readonly number[]
  readonly systems: readonly VpnSystem[]
}

/** Runs `body` with a lab and its tunnels. */
export async function withVpclab (body: (built: VpclabSystems) => Promise<void>): Promise<void> {
  const lab = await Lab.start(
    { hosts: TWO_HOSTS_ONE_ZONE, edges: EDGES, underlayMtu: UNDERLAY_MTU })
  try {
    const left = await makeSite(lab, '10.0.0.0/16', '10.0.1.0/24', 'host-1')
    const right = await makeSite(lab, '10.1.0.0/16', '10.1.1.0/24', 'host-2')
    const pair = await joinSites(lab, left, right)
    const office = await vpnConnection(lab, left.vgwId,
      await customerGateway(lab, OFFICE.address, 65_010), { StaticRoutesOnly: true })
    await lab.ec2.send(new ec2.CreateVpnConnectionRouteCommand(
      { VpnConnectionId: office.vpnId, DestinationCidrBlock: OFFICE.lan }))
    await withCustomer(lab, office.vpnId, OFFICE, async (name) => {
      await whenTunnels(lab, office.vpnId, 'UP', office.tunnels)
      const edges = (await lab.status()).hosts.flatMap(({ pid }) => pid === null ? [] : [pid])
      const common = { path: 'two-hosts' as const, a: endOf(left),
        carriers: [lab.daemonPid, ...edges] }
      await body({ edges, systems: [
        { ...common, name: 'vpclab', b: endOf(right), use: pair.use(false) },
        { ...common, name: 'vpclab behind NAT', b: endOf(right), use: pair.use(true) },
        { ...common, name: 'vpclab to strongSwan',
          b: { namespace: `${name}-lan`, address: OFFICE_HOST } }
      ] })
    })
  } finally {
    const remains = await lab.down()
    if (remains.length > 0) console.error(`The lab left behind: ${remains.join(', ')}`)
  }
}

async function makeSite (lab: Lab, cidr: string, subnetCidr: string, host: string): Promise<Site> {
  const vpc = await lab.vpc(cidr)
  const subnet = await lab.subnet(vpc, subnetCidr)
  await openGroup(lab, vpc)
  const vgwId = await vpnGateway(lab, vpc)
  await lab.ec2.send(new ec2.EnableVgwRoutePropagationCommand(
    { GatewayId: vgwId, RouteTableId: await mainRouteTable(lab, vpc) }))
  return { vpc, vgwId, instance: await lab.instance(subnet, { host }) }
}

function endOf ({ instance }: Site): TunnelEnd {
  return { namespace: instance.namespace, address: instance.ipv4 }
}

/** Each the other's customer, by one tunnel, whose ends are at two edges. */
async function joinSites (lab: Lab, left: Site, right: Site):
Promise<{ use: (isBehindNat: boolean) => (cipher: Cipher) => Promise<void> }> {
  const tunnel = { PreSharedKey: SECRET }
  const options = { StaticRoutesOnly: true, TunnelOptions: [tunnel, tunnel] }
  const nobody = await customerGateway(lab, NOBODY, 65_020)
  const one = await vpnConnection(lab, left.vgwId, nobody, options)
  const ours = one.tunnels[0]!
  const other = await vpnConnection(lab, right.vgwId,
    await customerGateway(lab, ours, 65_021), options)
  const theirs = other.tunnels[firstEdge(one) === firstEdge(other) ? 1 : 0]!
  await lab.ec2.send(new ec2.ModifyVpnConnectionCommand({
    VpnConnectionId: one.vpnId, CustomerGatewayId: await customerGateway(lab, theirs, 65_022)
  }))
  for (const [{ vpnId }, to] of [[one, right], [other, left]] as const) {
    await lab.ec2.send(new ec2.CreateVpnConnectionRouteCommand(
      { VpnConnectionId: vpnId, DestinationCidrBlock: to.vpc.cidr }))
  }
  let number = 0
  return {
    use: (isBehindNat) => async (cipher) => {
      await changePortOfIke(lab, ours, isBehindNat)
      const options = tunnelOptions(cipher, ++number)
      await retune(lab, other, theirs, { ...options, StartupAction: 'add' })
      const before = await retune(lab, one, ours, { ...options, StartupAction: 'start' })
      await eventually(`a tunnel with ${cipher}`, async () => {
        const seen = (await telemetry(lab, one.vpnId)).get(ours)
        return seen?.Status === 'UP' && (seen.LastStatusChange?.getTime() ?? 0) !== before
      }, VPN_UP_MS_MAX)
    }
  }
}

/** Index of the edge that has a connection's first tunnel (daemon/model/vpn_placement.ts). */
function firstEdge ({ vpnId }: VpnConnection): number {
  return Number.parseInt(vpnId.slice(-8), 16) % EDGES
}

/** Has the router give IKE of an address another port, both ways: a NAT without state. */
async function changePortOfIke (lab: Lab, address: string, isOn: boolean): Promise<void> {
  const port = String(IKE_PORT_BEHIND_NAT)
  const rules = `table ip bench
delete table ip bench
table ip bench { chain forward { type filter hook forward priority 0;
  ${isOn ? `ip saddr ${address} udp sport 500 udp sport set ${port}
  ip daddr ${address} udp dport ${port} udp dport set 500` : ''}
}; }`
  await command('ip', ...inside(routerNamespace(lab.name),
    ['sh', '-c', `echo '${rules}' | nft -f -`]))
}

/** With one cipher of ESP alone, and something that differs each time: so a tunnel begins anew. */
function tunnelOptions (
  cipher: Cipher, number: number): ec2.ModifyVpnTunnelOptionsSpecification {
  return {
    Phase2EncryptionAlgorithms: [{ Value: cipher }],
    Phase2IntegrityAlgorithms: [{ Value: 'SHA2-256' }],
    IKEVersions: [{ Value: 'ikev2' }],
    ReplayWindowSize: 1024 + number % 2
  }
}

/** Has a tunnel begin anew. @returns when its telemetry had changed last */
async function retune (lab: Lab, { vpnId }: VpnConnection, outside: string,
  options: ec2.ModifyVpnTunnelOptionsSpecification): Promise<number> {
  const before = (await telemetry(lab, vpnId)).get(outside)?.LastStatusChange?.getTime() ?? 0
  await lab.ec2.send(new ec2.ModifyVpnTunnelOptionsCommand({
    VpnConnectionId: vpnId, VpnTunnelOutsideIpAddress: outside, TunnelOptions: options
  }))
  return before
}
