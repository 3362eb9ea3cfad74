/** Brings a congestion mark of the underlay inside, RFC 6040 §4.2 (encap/ecn.ts has the table). */
import { ecnDecapsulate } from '../../encap/ecn.ts'
import * as ecn from '../../encap/ecn.ts'
import * as dropReason from '../drop_reason.ts'
import type { PacketContext } from '../packet.ts'

// Constants of other modules, made this module's own: V8 folds a module's own into the code, and
// loads imported ones from memory, checked, at each use (CONTRIBUTING.md, "Hot code").
const { ECN_DROP } = ecn
const { DROP_CONGESTION_MARK, DROP_NONE } = dropReason

/** Sets `ecn`, the field to deliver with. @returns DROP_NONE or DROP_CONGESTION_MARK */
export function combineCongestion (p: PacketContext): number {
  p.ecn = ecnDecapsulate(p.trafficClass, p.outerTrafficClass)
  return p.ecn === ECN_DROP ? DROP_CONGESTION_MARK : DROP_NONE
}
