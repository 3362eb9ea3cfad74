/** Packets of a capture file in the form of libpcap (draft-ietf-opsawg-pcap), for tests. */
import { assert } from '../../base/assert.ts'

const FILE_HEADER_BYTES = 24
const RECORD_HEADER_BYTES = 16
const RECORD_AT_BYTES = 8
const FILE_AT_LINK_TYPE = 20
const LITTLE_ENDIAN_MAGIC = 0xa1b2c3d4
const LINK_TYPE_ETHERNET = 1
const ETHERNET_AT_TYPE = 12
const ETHERNET_HEADER_BYTES = 14
const ETHERTYPE_IPV4 = 0x0800
const ETHERTYPE_IPV6 = 0x86dd

/** The whole IP packets of a file of Ethernet frames, in order; ARP and the like are left out. */
export function ipPacketsOf (file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  assert(view.getUint32(0, true) === LITTLE_ENDIAN_MAGIC &&
    view.getUint32(FILE_AT_LINK_TYPE, true) === LINK_TYPE_ETHERNET,
  'the capture is of Ethernet frames, written by a little-endian machine')
  const packets: Uint8Array[] = []
  for (let at = FILE_HEADER_BYTES; at < file.length;) {
    const bytes = view.getUint32(at + RECORD_AT_BYTES, true)
    const frameAt = at + RECORD_HEADER_BYTES
    const type = view.getUint16(frameAt + ETHERNET_AT_TYPE)
    at = frameAt + bytes
    if (type !== ETHERTYPE_IPV4 && type !== ETHERTYPE_IPV6) continue
    packets.push(file.slice(frameAt + ETHERNET_HEADER_BYTES, at))
  }
  return packets
}
