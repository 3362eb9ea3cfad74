/**
 * Sockets inside a namespace of somebody else, for Node to serve: `net.Server.listen({ fd })`,
 * `dgram.Socket.bind({ fd })`. Node itself opens sockets only where its thread lives.
 */
import { loadAddon, systemCallError } from './addon.ts'

export type SocketKind = 'stream' | 'datagram'

/**
 * Opens a socket that is bound and does not listen yet.
 * @param namespacePath /run/netns/name; empty: the thread's own namespace
 * @returns a descriptor, which belongs to whatever of Node is given it
 * @throws VpclabError VPCLAB_ERR_SYSCALL
 */
export function openSocket (
  namespacePath: string, kind: SocketKind, address: string, port: number
): number {
  const addon = loadAddon()
  try {
    return addon.openSocket(namespacePath, kind === 'stream' ? 1 : 0, address, port)
  } catch (error) {
    throw systemCallError(
      `Cannot open ${kind} socket "${address}" port ${String(port)} in "${namespacePath}"`, error)
  }
}

/**
 * TTL (IPv4) or hop limit (IPv6) of everything that the socket sends from now on, what the kernel
 * sends again included.
 * @param hops 1..255
 * @throws VpclabError VPCLAB_ERR_SYSCALL
 */
export function setHopLimit (fd: number, family: 'ipv4' | 'ipv6', hops: number): void {
  const addon = loadAddon()
  try {
    addon.setHopLimit(fd, family === 'ipv6' ? 1 : 0, hops)
  } catch (error) {
    throw systemCallError(`Cannot set the hop limit of descriptor ${String(fd)}`, error)
  }
}
