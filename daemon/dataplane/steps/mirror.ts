/**
 * Traffic mirroring, systems 8.3 to 8.5 and 2.7 steps 4 and 13: whether a packet that the groups of
 * its ENI let through is to be copied, and by which session. The sessions of the ENI are asked by
 * number; the first whose filter accepts the packet takes it, so that it is copied once at most.
 *
 * Packets from and to the VPC's resolver are copied when the filter names the network service
 * `amazon-dns`, and never by its rules. Copies themselves are never copied. AWS, "Traffic Mirroring
 * filters and filter rules".
 */
import type { PacketContext } from '../packet.ts'
import type { Tables } from '../tables/tables.ts'

/** `mirrorSession` of a packet that is not copied. */
export const MIRROR_NONE = -1

/**
 * Sets `mirrorSession`.
 * @param direction EGRESS or INGRESS, as the ENI `portIndex` sees the packet
 */
export function chooseMirror (p: PacketContext, tables: Tables, direction: number): void {
  const mirror = tables.mirrors.get(p.portIndex)
  if (mirror === undefined || p.isCopy !== 0) return
  const { resolver, sessions } = mirror
  const isDns = (resolver[0] | resolver[1] | resolver[2] | resolver[3]) !== 0 && (
    (resolver[3] === p.dst3 && resolver[2] === p.dst2 && resolver[1] === p.dst1 &&
      resolver[0] === p.dst0) ||
    (resolver[3] === p.src3 && resolver[2] === p.src2 && resolver[1] === p.src1 &&
      resolver[0] === p.src0))
  for (let index = 0; index < sessions.length; index++) {
    const session = sessions[index]
    if (isDns ? session.mirrorsDns : session.accepts(p, direction)) {
      p.mirrorSession = index
      return
    }
  }
}
