/**
 * TCP header, RFC 9293 §3.1. `at` is the offset of the header inside `bytes`.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    |          Source Port          |       Destination Port        |
 *    |                        Sequence Number                        |
 *    |                    Acknowledgment Number                      |
 *    |Offset | Rsrvd |    Flags      |            Window             |
 *    |           Checksum            |         Urgent Pointer        |
 */
export const TCP_AT_SRC_PORT = 0 // u16
export const TCP_AT_DST_PORT = 2 // u16
export const TCP_AT_SEQUENCE = 4 // u32
export const TCP_AT_ACKNOWLEDGMENT = 8 // u32
export const TCP_AT_DATA_OFFSET = 12 // u8   data offset:4 (unit: 32-bit words), reserved:4
export const TCP_AT_FLAGS = 13 // u8   CWR ECE URG ACK PSH RST SYN FIN
export const TCP_AT_WINDOW = 14 // u16
export const TCP_AT_CHECKSUM = 16 // u16  over pseudo-header, header and payload
export const TCP_AT_URGENT = 18 // u16
export const TCP_AT_OPTIONS = 20
export const TCP_HEADER_BYTES_MIN = 20

/** RFC 9293 §3.1, options: end of list, no operation, maximum segment size (4 bytes). */
export const TCP_OPTION_END = 0
export const TCP_OPTION_NOP = 1
export const TCP_OPTION_MSS = 2
export const TCP_OPTION_MSS_BYTES = 4

export const TCP_FLAG_FIN = 0x01
export const TCP_FLAG_SYN = 0x02
export const TCP_FLAG_RST = 0x04
export const TCP_FLAG_PSH = 0x08
export const TCP_FLAG_ACK = 0x10
export const TCP_FLAG_URG = 0x20
export const TCP_FLAG_CWR = 0x80
/** Flags that open or end a connection. */
export const TCP_FLAGS_NOTED = TCP_FLAG_SYN | TCP_FLAG_FIN | TCP_FLAG_RST

/** Header length in bytes, 0..60; at least 20 once `parse` accepted the packet. */
export function tcpHeaderBytes (view: DataView, at: number): number {
  return (view.getUint8(at + TCP_AT_DATA_OFFSET) >>> 4) << 2
}
