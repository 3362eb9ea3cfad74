/**
 * What tests and benches of Site-to-Site VPN do again and again: a gateway, a connection to a
 * customer's address, its telemetry, and a customer gateway of stock programs that
 * scripts/netns/customer_gateway.sh makes from what `vpcctl vpn config` prints, unedited.
 */
import * as ec2 from '@aws-sdk/client-ec2'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { routerNamespace } from '../../daemon/host/paths.ts'
import { command, eventually, ROOT, tryCommand } from './command.ts'
import type { Lab, TestVpc } from './lab.ts'

const SCRIPT = `${ROOT}/scripts/netns/customer_gateway.sh`
export const VPCCTL = `${ROOT}/bin/vpcctl`
/** How long a tunnel may take until its telemetry says what is wanted. */
export const VPN_UP_MS_MAX = 90_000

/** A customer's site: where its device is on the internet, and the network behind. */
export interface Office {
  readonly letter: string
  readonly address: string
  readonly lan: string
  /** Whom its certificate is for; absent: it has keys. */
  readonly domain?: string
}

export interface VpnConnection {
  readonly vpnId: string
  /** Outside addresses. */
  readonly tunnels: readonly string[]
}

/** Makes a gateway, of a VPC if there is one. */
export async function vpnGateway (lab: Lab, vpc?: TestVpc): Promise<string> {
  const { VpnGateway } = await lab.ec2.send(new ec2.CreateVpnGatewayCommand({ Type: 'ipsec.1' }))
  const vgwId = VpnGateway?.VpnGatewayId ?? ''
  if (vpc !== undefined) await attachGateway(lab, vgwId, vpc)
  return vgwId
}

export async function attachGateway (lab: Lab, vgwId: string, vpc: TestVpc): Promise<void> {
  await lab.ec2.send(new ec2.AttachVpnGatewayCommand({ VpnGatewayId: vgwId, VpcId: vpc.id }))
}

/** @param where the device's address, or the ARN of its certificate */
export async function customerGateway (lab: Lab, where: string, asn: number): Promise<string> {
  const { CustomerGateway } = await lab.ec2.send(new ec2.CreateCustomerGatewayCommand({
    Type: 'ipsec.1', BgpAsn: asn,
    ...where.startsWith('arn:') ? { CertificateArn: where } : { IpAddress: where }
  }))
  return CustomerGateway?.CustomerGatewayId ?? ''
}

export async function vpnConnection (
  lab: Lab, vgwId: string, cgwId: string, options: ec2.VpnConnectionOptionsSpecification
): Promise<VpnConnection> {
  const { VpnConnection } = await lab.ec2.send(new ec2.CreateVpnConnectionCommand({
    Type: 'ipsec.1', CustomerGatewayId: cgwId, VpnGatewayId: vgwId, Options: options
  }))
  return {
    vpnId: VpnConnection?.VpnConnectionId ?? '',
    tunnels: (VpnConnection?.Options?.TunnelOptions ?? [])
      .map(({ OutsideIpAddress = '' }) => OutsideIpAddress)
  }
}

/** The route table that subnets of a VPC have unless they are told another. */
export async function mainRouteTable (lab: Lab, vpc: TestVpc): Promise<string> {
  const { RouteTables = [] } = await lab.ec2.send(new ec2.DescribeRouteTablesCommand({
    Filters: [
      { Name: 'vpc-id', Values: [vpc.id] }, { Name: 'association.main', Values: ['true'] }
    ]
  }))
  return RouteTables[0]?.RouteTableId ?? ''
}

/** Runs `body` with the customer gateway up. @param body is told its name */
export async function withCustomer (
  lab: Lab, vpnId: string, office: Office, body: (name: string) => Promise<void>
): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), 'vpclab-site-'))
  const name = `cgw${office.letter}${String(process.pid % 100_000)}`
  const config = async (format: string): Promise<string> => {
    const file = join(path, format)
    writeFileSync(file, await command(VPCCTL, '--lab', lab.name, 'vpn', 'config', vpnId,
      '--format', format))
    return file
  }
  const exported = join(path, 'certificate')
  try {
    await command('chmod', '755', path)
    if (office.domain !== undefined) {
      await command(VPCCTL, '--lab', lab.name, 'certificate', 'export', office.domain, exported)
    }
    await command(SCRIPT, 'up', name, '--wan', routerNamespace(lab.name),
      '--next-hop', '198.51.100.1', '--address', office.address, '--lan', office.lan,
      '--strongswan', await config('strongswan'), '--bird', await config('bird'),
      ...office.domain === undefined ? [] : ['--certificates', exported])
    await body(name)
  } catch (error) {
    const status = await tryCommand(VPCCTL, ['--lab', lab.name, 'vpn', 'status', vpnId])
    const logs = await tryCommand('sh', ['-c', `tail -n 40 /run/vpclab-cgw/${name}/*/charon.log`])
    throw new Error(`${status.stdout}\n${logs.stdout}`, { cause: error })
  } finally {
    await command(SCRIPT, 'down', name)
    rmSync(path, { recursive: true })
  }
}

/** What DescribeVpnConnections says of each tunnel, by outside address. */
export async function telemetry (lab: Lab, vpnId: string): Promise<Map<string, ec2.VgwTelemetry>> {
  const { VpnConnections = [] } = await lab.ec2.send(new ec2.DescribeVpnConnectionsCommand(
    { VpnConnectionIds: [vpnId] }))
  return new Map((VpnConnections[0]?.VgwTelemetry ?? [])
    .map((one) => [one.OutsideIpAddress ?? '', one]))
}

export async function whenTunnels (
  lab: Lab, vpnId: string, status: ec2.TelemetryStatus, which: readonly string[]
): Promise<void> {
  await eventually(`${which.join()} ${status}`, async () => {
    const seen = await telemetry(lab, vpnId)
    return which.every((address) => seen.get(address)?.Status === status)
  }, VPN_UP_MS_MAX)
}
