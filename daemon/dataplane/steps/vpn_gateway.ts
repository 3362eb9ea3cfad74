/**
 * The virtual private gateway, systems 7.1: out by the tunnel that has learned, or was given, the
 * longest prefix of the destination (which of several is control's decision), and in from a tunnel
 * to the VPC. Every edge takes up what comes for a gateway; a tunnel's keys are at one edge, so the
 * others hand on what is for it, once.
 */
import { findPrefix } from '../../wire/address.ts'
import { IPV4_VERSION } from '../../wire/ipv4.ts'
import { ACTION_ENCAPSULATE, ACTION_SEAL } from '../action.ts'
import {
  DROP_GATEWAY_DOWN, DROP_NONE, DROP_TOO_BIG, DROP_VPN_NO_ROUTE, DROP_VPN_NO_TUNNEL, DROP_VPN_SOURCE
} from '../drop_reason.ts'
import type { PacketContext } from '../packet.ts'
import type { Tables } from '../tables/tables.ts'

/** For a packet that has come to the gateway `portIndex`. @returns DROP_* */
export function chooseTunnel (p: PacketContext, tables: Tables): number {
  const { ports, vpn } = tables
  const [high, low] = [ports.eniHigh[p.portIndex], ports.eniLow[p.portIndex]]
  if (p.version !== IPV4_VERSION) return DROP_VPN_NO_ROUTE
  const tunnel = vpn.findRoute(high, low, p.dst0, p.dst1, p.dst2, p.dst3)
  if (tunnel === 0) return DROP_VPN_NO_ROUTE
  if (!vpn.findTunnel(tunnel)) return DROP_VPN_NO_TUNNEL
  const host = vpn.foundHostIndex
  if (host === tables.hostIndex) {
    p.action = ACTION_SEAL
    p.target = tunnel
    return DROP_NONE
  }
  // What another edge has handed on goes no further: the two do not agree yet.
  const isHandedOn = p.isFromUnderlay !== 0 && p.sourceEniHigh === high && p.sourceEniLow === low
  if (isHandedOn) return DROP_VPN_NO_TUNNEL
  if (!tables.hosts.has(host)) return DROP_GATEWAY_DOWN
  p.action = ACTION_ENCAPSULATE
  p.target = host
  p.isRoutedToGateway = 1
  p.mapping.eniHigh = high
  p.mapping.eniLow = low
  return p.wireBytesMax > tables.pathMtu ? DROP_TOO_BIG : DROP_NONE
}

/** Whether the destination is inside a block of VPC `vpcIndex`. */
export function isOfVpc (p: PacketContext, tables: Tables): boolean {
  const blocks = tables.vpcs.get(p.vpcIndex)?.blocks
  return blocks !== undefined && findPrefix(blocks, p.dst0, p.dst1, p.dst2, p.dst3) >= 0
}

/**
 * What comes from a tunnel is not of the VPC: groups know their members by address.
 * @returns DROP_NONE or DROP_VPN_SOURCE
 */
export function checkTunnelSource (p: PacketContext, tables: Tables): number {
  const blocks = tables.vpcs.get(p.vpcIndex)?.blocks
  return blocks !== undefined && findPrefix(blocks, p.src0, p.src1, p.src2, p.src3) >= 0
    ? DROP_VPN_SOURCE
    : DROP_NONE
}
