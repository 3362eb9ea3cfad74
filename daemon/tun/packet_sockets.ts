/**
 * Is somebody capturing in a namespace? A packet socket (packet(7)) that takes packets is how
 * tcpdump, Wireshark and every other capture reads; while one is open on the underlay, the NIC
 * sends one datagram per packet, so that what a person sees is packets, not lumps.
 *
 * /proc/net/packet lists the packet sockets of the namespace of whoever opened it, and goes on
 * doing so: it is opened once inside the namespace and then read again and again from outside,
 * one system call.
 *
 *     sk               RefCnt Type Proto  Iface R Rmem   User   Inode
 *     0000000012345678 3      3    0003   2     1 0      0      23456
 *
 * A socket with protocol 0 takes nothing (it only sends) and does not count. vpclab opens none
 * itself.
 */
import { readSync } from 'node:fs'
import { loadAddon, systemCallError } from './addon.ts'

/** Read at most: about 900 sockets. Further ones are not looked at. */
const LIST_BYTES_MAX = 65_536

/** Column of the protocol, hexadecimal. */
const COLUMN_PROTOCOL = 3

export interface PacketSocketWatch {
  /** True when a socket that takes packets is open now. */
  isCapturing(): boolean
  close(): void
}

/**
 * @param namespacePath /run/netns/name; empty: the thread's own namespace
 * @throws VpclabError VPCLAB_ERR_SYSCALL
 */
export function watchPacketSockets (namespacePath: string): PacketSocketWatch {
  const addon = loadAddon()
  const list = Buffer.alloc(LIST_BYTES_MAX)
  let fd: number
  try {
    fd = addon.openInNamespace(namespacePath, '/proc/thread-self/net/packet')
  } catch (error) {
    throw systemCallError(`Cannot list the packet sockets of "${namespacePath}"`, error)
  }
  return {
    isCapturing: () => {
      const bytes = readSync(fd, list, 0, LIST_BYTES_MAX, 0)
      return listsCapture(list.toString('latin1', 0, bytes))
    },
    close: () => { addon.closeDescriptor(fd) }
  }
}

/** @param text what /proc/net/packet says */
export function listsCapture (text: string): boolean {
  for (const line of text.split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/)
    if (columns.length > COLUMN_PROTOCOL && Number.parseInt(columns[COLUMN_PROTOCOL], 16) !== 0) {
      return true
    }
  }
  return false
}
