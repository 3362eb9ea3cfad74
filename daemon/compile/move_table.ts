/**
 * ENIs that have changed their host a moment ago: for the host that has one now, and for those that
 * it has left. They belong to no VPC here: a host that an ENI was the last one of keeps nothing of
 * the VPC, and forwards all the same.
 */
import { eniBits } from '../base/ids.ts'
import { NO_VPC } from './compiled_table.ts'
import type { CompiledTable } from './compiled_table.ts'

export const moveTable: CompiledTable = {
  name: 'moves',

  note (change, { directory }, mark) {
    // A host that came or went has another number, or none.
    if (change.noun !== 'host' || (change.record !== null && change.previous !== null)) return
    for (const id of directory.departed()) mark(id)
  },

  noteMoves (touch, _context, mark) {
    for (const id of touch.networkInterfaces.keys()) mark(id)
    for (const id of touch.forgottenDepartures) mark(id)
  },

  keysOf (vpcId, { directory }) {
    return vpcId === NO_VPC ? directory.departed() : []
  },

  build (key, { hostName, snapshot, directory, indexes }, draft) {
    const here = directory.hostOf(key)
    const left = directory.departuresOf(key).filter((departure) => departure.hostName !== here)
    if (here === null || left.length === 0) return null
    if (here !== hostName && !left.some((departure) => departure.hostName === hostName)) return null
    const vpcId = snapshot.tables.networkInterface.get(key)?.vpcId ?? ''
    const vni = snapshot.tables.vpc.get(vpcId)?.vni
    const hostIndex = indexes.host.indexOf(here)
    if (vni === undefined || hostIndex === 0) return null
    const formers = left.map((departure) =>
      [indexes.host.indexOf(departure.hostName), departure.remainingMs] as const)
      .filter(([former]) => former !== 0)
    if (formers.length === 0) return null
    const { high: eniIdHigh, low: eniIdLow } = eniBits(key)
    draft.moves.push({
      eniIdHigh, eniIdLow, vni, hostIndex, formers: Uint32Array.from(formers.flat())
    })
    return NO_VPC
  },

  remove (key, _context, draft) {
    const { high: eniIdHigh, low: eniIdLow } = eniBits(key)
    draft.removedMoves.push({ eniIdHigh, eniIdLow })
  }
}
