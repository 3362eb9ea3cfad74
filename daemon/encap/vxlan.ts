/**
 * VXLAN, RFC 7348 §5: a whole Ethernet frame on UDP port 4789. The form in which copies of mirrored
 * packets reach their target (dataplane/mirror.ts), so that tcpdump, Wireshark and a `vxlan` device
 * of Linux read them unaided.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    |R|R|R|R|I|R|R|R|            Reserved                           |
 *    |                VXLAN Network Identifier (VNI) |   Reserved    |
 *
 * The UDP checksum of the datagram is 0, as §5 advises.
 */
import { writeU32 } from '../wire/bytes.ts'

export const VXLAN_UDP_PORT = 4789

export const VXLAN_AT_FLAGS = 0 // u32  flags:8, reserved:24
export const VXLAN_AT_VNI = 4 // u32  VNI:24, reserved:8
export const VXLAN_HEADER_BYTES = 8
/** The I flag: the VNI is valid. */
const VXLAN_FLAGS_WORD = 0x08000000

/** Highest VNI. */
export const VXLAN_VNI_MAX = 0xffffff

/** Writes the header. @param vni 0..VXLAN_VNI_MAX */
export function writeVxlan (bytes: Uint8Array, at: number, vni: number): void {
  writeU32(bytes, at + VXLAN_AT_FLAGS, VXLAN_FLAGS_WORD)
  writeU32(bytes, at + VXLAN_AT_VNI, vni << 8)
}
