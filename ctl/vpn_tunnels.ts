/**
 * Tunnels of VPN connections by what people call them: a connection and 1 or 2, or the outside
 * address.
 */
import type { VpnConnection } from '@aws-sdk/client-ec2'
import { isIPv4 } from 'node:net'
import type { Ec2Client } from './ec2_client.ts'
import { CtlError } from './exit_codes.ts'
import { resolveId, VPN_CONNECTION } from './resolve.ts'

/** @param reference id or Name tag @throws CtlError NameNotFound */
export async function findConnection (ec2: Ec2Client, reference: string):
Promise<{ readonly id: string, readonly connection: VpnConnection }> {
  const id = await resolveId(ec2, VPN_CONNECTION, reference)
  const { VpnConnections: found } =
    await ec2.call('DescribeVpnConnections', { VpnConnectionId: [id] })
  return { id, connection: found?.[0] ?? {} }
}

/**
 * The parameters that name a tunnel.
 * @param text `1`, `2`, or its outside address
 * @throws CtlError NameNotFound
 */
export async function findTunnel (ec2: Ec2Client, vpn: string, text: string): Promise<{
  VpnConnectionId: string
  VpnTunnelOutsideIpAddress: string
}> {
  const { id, connection } = await findConnection(ec2, vpn)
  const address = outsideAddresses(connection).find((outside, at) =>
    text === String(at + 1) || text === outside)
  if (address === undefined) {
    throw new CtlError('NameNotFound', `${id} has no tunnel "${text}": its tunnels are 1 and 2`)
  }
  return { VpnConnectionId: id, VpnTunnelOutsideIpAddress: address }
}

/**
 * Outside addresses of what is meant: `<vpn>` both tunnels, `<vpn>/1` one, an address itself.
 * @throws CtlError NameNotFound
 */
export async function resolveTunnels (ec2: Ec2Client, reference: string): Promise<string[]> {
  if (isIPv4(reference)) return [reference]
  const [, vpn, number] = /^(.+)\/([12])$/.exec(reference) ?? []
  if (vpn !== undefined && number !== undefined) {
    return [(await findTunnel(ec2, vpn, number)).VpnTunnelOutsideIpAddress]
  }
  return outsideAddresses((await findConnection(ec2, reference)).connection)
}

function outsideAddresses ({ Options }: VpnConnection): string[] {
  return (Options?.TunnelOptions ?? []).map(({ OutsideIpAddress = '' }) => OutsideIpAddress)
}
