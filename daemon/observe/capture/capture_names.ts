/**
 * Names for a capture file, from the records: what a point is called, and which address is whose.
 * A name is the Name tag of the ENI, else that of its instance; without either the id stands alone.
 */
import type { NetworkInterface } from '../../model/network_interface.ts'
import type { Snapshot } from '../../model/snapshot.ts'
import { addressWords, isIpv4Words } from '../../wire/address.ts'
import { writeU32 } from '../../wire/bytes.ts'
import type { AddressName } from './pcapng.ts'

/** Names of addresses in one file; more are left out. */
export const CAPTURE_NAMES_MAX = 10_000

/** `a`, or the empty text. */
function nameOfEni (snapshot: Snapshot, eni: NetworkInterface): string {
  const own = eni.tags['Name']
  if (own !== undefined && own !== '') return own
  const instanceId = eni.attachment?.instanceId
  if (instanceId === undefined) return ''
  const name = snapshot.tables.instance.get(instanceId)?.tags['Name']
  return name === undefined || name === '' ? '' : name
}

/** `eni-… (a)` */
export function pointName (snapshot: Snapshot, eni: NetworkInterface): string {
  const name = nameOfEni(snapshot, eni)
  return name === '' ? eni.id : `${eni.id} (${name})`
}

/** `ENI of i-… (a) in vpc-… (web), subnet-…: 10.0.1.4, 02:…` */
export function pointDescription (snapshot: Snapshot, eni: NetworkInterface, host: string): string {
  const withName = (id: string, tags: Readonly<Record<string, string>> | undefined): string =>
    tags?.['Name'] === undefined ? id : `${id} (${tags['Name']})`
  const { instance, vpc, subnet } = snapshot.tables
  const instanceId = eni.attachment?.instanceId
  const of = instanceId === undefined
    ? ''
    : ` of ${withName(instanceId, instance.get(instanceId)?.tags)}`
  const addresses = [...eni.privateIpAddresses, ...eni.ipv6Addresses, eni.macAddress].join(', ')
  return `ENI${of} in ${withName(eni.vpcId, vpc.get(eni.vpcId)?.tags)}, ` +
    `${withName(eni.subnetId, subnet.get(eni.subnetId)?.tags)} on ${host}: ${addresses}`
}

/** Which end of a tunnel's ESP a point shows. */
export type TunnelSide = 'outside' | 'inside'
/** A tunnel of a VPN connection, 1 or 2. */
export interface TunnelName {
  readonly vpnConnectionId: string
  readonly number: number
  readonly outsideIpAddress: string
  readonly edge: string
}

/** `vpn-… tunnel 1 outside` */
export function tunnelPointName (
  { vpnConnectionId, number }: TunnelName, side: TunnelSide): string {
  return `${vpnConnectionId} tunnel ${String(number)} ${side}`
}

/** `IKE and ESP of 198.51.100.10 on edge-1, tunnel 1 of vpn-… (office-branch) to cgw-…` */
export function tunnelDescription (
  snapshot: Snapshot, { vpnConnectionId, number, outsideIpAddress, edge }: TunnelName,
  side: TunnelSide
): string {
  const connection = snapshot.tables.vpnConnection.get(vpnConnectionId)
  const name = connection?.tags['Name']
  return `${side === 'outside' ? 'IKE and ESP' : 'Content of the ESP'} of ${outsideIpAddress} on ` +
    `${edge}, tunnel ${String(number)} of ${vpnConnectionId}` +
    `${name === undefined || name === '' ? '' : ` (${name})`} to ` +
    (connection?.customerGatewayId ?? '')
}

/**
 * Names of the addresses of ENIs, and of the hosts. An address that two VPCs of the file have names
 * nobody: the file has one table for all.
 */
export function addressNames (
  snapshot: Snapshot, wanted: (eni: NetworkInterface) => boolean, withHosts: boolean
): AddressName[] {
  const names = new Map<string, string | null>()
  const add = (address: string, name: string): void => {
    names.set(address, names.has(address) && names.get(address) !== name ? null : name)
  }
  for (const eni of snapshot.tables.networkInterface.values()) {
    if (!wanted(eni)) continue
    const name = nameOfEni(snapshot, eni) || (eni.attachment?.instanceId ?? eni.id)
    for (const address of [...eni.privateIpAddresses, ...eni.ipv6Addresses]) add(address, name)
  }
  if (withHosts) {
    for (const { id, underlayAddress } of snapshot.tables.host.values()) add(underlayAddress, id)
  }
  return [...names].flatMap(([address, name]) =>
    name === null ? [] : [{ address: addressBytes(address), name }]).slice(0, CAPTURE_NAMES_MAX)
}

function addressBytes (text: string): Uint8Array {
  const words = addressWords(text)
  const bytes = new Uint8Array(16)
  words.forEach((word, index) => { writeU32(bytes, 4 * index, word) })
  return isIpv4Words(words[0]! | 0, words[1]! | 0, words[2]! | 0) ? bytes.slice(12) : bytes
}
