/** Gives later fragments the ports of the first: policy judges the packet as a whole. */
import { PROTOCOL_ICMP, PROTOCOL_ICMPV6 } from '../../wire/ip_protocol.ts'
import { icmpIsEcho } from '../../wire/icmp.ts'
import { icmpv6IsEcho } from '../../wire/icmpv6.ts'
import type { PacketContext } from '../packet.ts'
import type { Tables } from '../tables/tables.ts'

/** Precondition: the packet was parsed, `portIndex` is the ENI whose policy is asked next. */
export function followFragments (p: PacketContext, tables: Tables, view: DataView): void {
  if (p.isFragment === 0) return
  const { fragments, flows } = tables
  if (p.isLaterFragment === 0) {
    fragments.store(p, view, flows.nowTick)
  } else if (p.knowsPorts === 0 && fragments.recall(p, view, flows.nowTick)) {
    p.knowsPorts = 1
    p.hasConnection = speaksOfNothingElse(p) ? 1 : 0
  }
}

/** Whether the packet is a conversation of its own: all but ICMP other than echo. */
function speaksOfNothingElse (p: PacketContext): boolean {
  switch (p.protocol) {
    case PROTOCOL_ICMP: return icmpIsEcho(p.icmpType)
    case PROTOCOL_ICMPV6: return icmpv6IsEcho(p.icmpType)
    default: return true
  }
}
