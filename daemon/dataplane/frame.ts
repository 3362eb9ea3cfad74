/**
 * Frames of a guest on Ethernet that are no IP packets (tun/native/link.h): ARP, and what a VPC
 * does not know. ARP (RFC 826) is answered by the router, for the addresses that steps/neighbor.ts
 * names and with the router's MAC; that is how a guest finds its way into an IP network without
 * broadcasts. Replies and announcements of the guest go nowhere: nobody's cache takes them.
 *
 * The MAC in an answer is the ENI's own whatever the request says, so that a request can be a lie
 * about the sender's address and still changes nothing but what its sender believes.
 */
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../encap/geneve.ts'
import {
  ARP_AT_HARDWARE, ARP_AT_LENGTHS, ARP_AT_OPERATION, ARP_AT_PROTOCOL, ARP_AT_SENDER,
  ARP_AT_SENDER_MAC, ARP_AT_TARGET, ARP_AT_TARGET_MAC, ARP_HEADER_BYTES, ARP_HARDWARE_ETHERNET,
  ARP_LENGTHS_IPV4, ARP_REPLY, ARP_REQUEST, ETHERTYPE_ARP
} from '../wire/arp.ts'
import { loadI32, loadU16, writeU16, writeU32 } from '../wire/bytes.ts'
import {
  ETHERNET_AT_DST, ETHERNET_AT_SRC, ETHERNET_AT_TYPE, ETHERNET_HEADER_BYTES
} from '../wire/ethernet.ts'
import {
  DROP_ARP_REFUSED, DROP_ETHERTYPE, DROP_MAC_SPOOFED, DROP_MALFORMED, DROP_NONE,
  DROP_TRANSMIT_QUEUE_FULL
} from './drop_reason.ts'
import { isEniMac, writeEniMac, writeRouterMac } from './link_address.ts'
import type { PacketContext } from './packet.ts'
import type { RouterParts } from './router_parts.ts'
import { isIpv4AnsweredFor } from './steps/neighbor.ts'

const ANSWER_BYTES = ETHERNET_HEADER_BYTES + ARP_HEADER_BYTES

/**
 * Takes a frame of the ENI `p.portIndex` to its end. Precondition: the context was loaded, `at` is
 * the Ethernet header.
 * @returns DROP_NONE when it was answered
 */
export function takeFrame (p: PacketContext, parts: RouterParts): number {
  const { tables, view } = parts
  const type = loadU16(view, p.at + ETHERNET_AT_TYPE)
  if (!isEniMac(view, p.at + ETHERNET_AT_SRC, tables.ports, p.portIndex)) return DROP_MAC_SPOOFED
  if (type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6) return DROP_MALFORMED
  if (type !== ETHERTYPE_ARP) return DROP_ETHERTYPE
  const at = p.at + ETHERNET_HEADER_BYTES
  if (p.bytes < ANSWER_BYTES || loadU16(view, at + ARP_AT_HARDWARE) !== ARP_HARDWARE_ETHERNET ||
    loadU16(view, at + ARP_AT_PROTOCOL) !== ETHERTYPE_IPV4 ||
    loadU16(view, at + ARP_AT_LENGTHS) !== ARP_LENGTHS_IPV4) return DROP_ARP_REFUSED
  if (!isEniMac(view, at + ARP_AT_SENDER_MAC, tables.ports, p.portIndex)) return DROP_MAC_SPOOFED
  const target = loadI32(view, at + ARP_AT_TARGET)
  const sender = loadI32(view, at + ARP_AT_SENDER)
  if (loadU16(view, at + ARP_AT_OPERATION) !== ARP_REQUEST || sender === target ||
    !isIpv4AnsweredFor(p.portIndex, tables, target)) return DROP_ARP_REFUSED
  return answer(p, parts, sender, target)
}

function answer (p: PacketContext, parts: RouterParts, sender: number, target: number): number {
  const { ports, subnets } = parts.tables
  const at = parts.transmit.hasRoom(1) ? parts.transmit.allocate(ANSWER_BYTES) : -1
  if (at < 0) return DROP_TRANSMIT_QUEUE_FULL
  const { bytes } = parts
  const arpAt = at + ETHERNET_HEADER_BYTES
  writeEniMac(bytes, at + ETHERNET_AT_DST, ports, p.portIndex)
  writeRouterMac(bytes, at + ETHERNET_AT_SRC, subnets.get(ports.subnetIndex[p.portIndex]))
  writeU16(bytes, at + ETHERNET_AT_TYPE, ETHERTYPE_ARP)
  writeU16(bytes, arpAt + ARP_AT_HARDWARE, ARP_HARDWARE_ETHERNET)
  writeU16(bytes, arpAt + ARP_AT_PROTOCOL, ETHERTYPE_IPV4)
  writeU16(bytes, arpAt + ARP_AT_LENGTHS, ARP_LENGTHS_IPV4)
  writeU16(bytes, arpAt + ARP_AT_OPERATION, ARP_REPLY)
  writeRouterMac(bytes, arpAt + ARP_AT_SENDER_MAC, subnets.get(ports.subnetIndex[p.portIndex]))
  writeU32(bytes, arpAt + ARP_AT_SENDER, target)
  writeEniMac(bytes, arpAt + ARP_AT_TARGET_MAC, ports, p.portIndex)
  writeU32(bytes, arpAt + ARP_AT_TARGET, sender)
  parts.transmit.sendFrame(at, ANSWER_BYTES, ports.nicPort[p.portIndex])
  return DROP_NONE
}
