/**
 * Who asks: the ENI behind the address that a packet has in the services' namespace
 * (dataplane/link_local_service.ts). The router wrote that address, so it is believed.
 */
import {
  ADDRESS_INDEX_UNNAMED, SYNTHETIC_IPV6_WORD, isSyntheticIpv4, nameInIpv4, portOfName, syntheticIpv4
} from '../dataplane/link_local_service.ts'
import { formatAddress, IPV4_MAPPED_WORD, parseAddress } from '../wire/address.ts'
import type { EndpointData, VpcData } from './update.ts'

/** The ENI that asks, and what of its VPC decides what it is told. */
export interface Viewer {
  readonly endpoint: EndpointData
  readonly vpc: VpcData
}

/** As wire/address.ts has them, u32 each. */
export type AddressWords = readonly [number, number, number, number]

/** @returns the port index that an address names, or 0 */
export function portOfAddress (address: string | AddressWords): number {
  const words = typeof address === 'string' ? parseAddress(address) : address
  if (words === null) return 0
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = words
  if (w0 === 0 && w1 === 0 && w2 === IPV4_MAPPED_WORD) {
    return isSyntheticIpv4(w3) ? portOfName(nameInIpv4(w3)) : 0
  }
  return (w0 | 0) === SYNTHETIC_IPV6_WORD ? portOfName(w1) : 0
}

const EPOCH_SHIFT = 22

/** The same ENI, by broadcast: where it has, or is to keep, no address. */
export function broadcastAddressOf (text: string): string {
  const words = parseAddress(text)
  if (words === null) return text
  const address = words[3] ?? 0
  const name = nameInIpv4(address)
  return formatAddress(Uint32Array.of(0, 0, IPV4_MAPPED_WORD, syntheticIpv4(
    (address >>> EPOCH_SHIFT) & 0x7f, portOfName(name), ADDRESS_INDEX_UNNAMED, 0)))
}
