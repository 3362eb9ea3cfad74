/**
 * Impairments of this host and of the ENIs that are live on it, and the hosts that it is cut off
 * from. One object, built whole.
 */
import {
  IMPAIR_AT_CORRUPT, IMPAIR_AT_DELAY_MS, IMPAIR_AT_DIRECTIONS, IMPAIR_AT_DUPLICATE,
  IMPAIR_AT_JITTER_MS, IMPAIR_AT_LIMIT, IMPAIR_AT_LOSS, IMPAIR_AT_POINT, IMPAIR_AT_RATE,
  IMPAIR_AT_REORDER, IMPAIR_EGRESS, IMPAIR_INGRESS, IMPAIR_WORDS
} from '../dataplane/tables/update.ts'
import type { Impairment } from '../model/impairment.ts'
import { NO_VPC } from './compiled_table.ts'
import type { CompileContext, CompiledTable } from './compiled_table.ts'

const ALL = 'all'
/** Point of what the host sends to the underlay. */
const UNDERLAY = 0
const DIRECTIONS = {
  in: IMPAIR_INGRESS, out: IMPAIR_EGRESS, both: IMPAIR_EGRESS | IMPAIR_INGRESS
} as const

export const impairmentTable: CompiledTable = {
  name: 'impairments',

  note (change, { snapshot }, mark) {
    if (change.noun === 'impairment' || change.noun === 'partition') mark(ALL)
    else if (change.noun === 'host' && snapshot.tables.partition.size > 0) mark(ALL)
  },

  noteMoves (touch, { snapshot }, mark) {
    const { impairment } = snapshot.tables
    if (impairment.size === 0) return
    for (const id of touch.networkInterfaces.keys()) {
      if (impairment.get(id) !== undefined) mark(ALL)
    }
  },

  keysOf (vpcId) {
    return vpcId === NO_VPC ? [ALL] : []
  },

  build (_key, context, draft) {
    const places = placesOf(context)
    const partitioned = partitionedFrom(context)
    if (places.length === 0 && partitioned.length === 0) return null
    draft.impairments.push({
      places: Float64Array.from(places.flat()), partitioned: Uint32Array.from(partitioned)
    })
    return NO_VPC
  },

  remove (_key, _context, draft) {
    draft.impairments.push({ places: new Float64Array(0), partitioned: new Uint32Array(0) })
  }
}

/** A row of IMPAIR_WORDS each. */
function placesOf ({ hostName, snapshot, directory, indexes }: CompileContext): number[][] {
  const places: number[][] = []
  for (const impairment of snapshot.tables.impairment.values()) {
    const { id } = impairment
    if (id === hostName) places.push(rowOf(UNDERLAY, { ...impairment, direction: 'out' }))
    const port = directory.hostOf(id) === hostName ? indexes.port.indexOf(id) : 0
    if (port !== 0) places.push(rowOf(port, impairment))
  }
  return places
}

function rowOf (point: number, impairment: Impairment): number[] {
  const row = new Array<number>(IMPAIR_WORDS).fill(0)
  row[IMPAIR_AT_POINT] = point
  row[IMPAIR_AT_DIRECTIONS] = DIRECTIONS[impairment.direction]
  row[IMPAIR_AT_DELAY_MS] = impairment.delayMs
  row[IMPAIR_AT_JITTER_MS] = impairment.jitterMs
  row[IMPAIR_AT_LOSS] = impairment.lossPercent / 100
  row[IMPAIR_AT_CORRUPT] = impairment.corruptPercent / 100
  row[IMPAIR_AT_DUPLICATE] = impairment.duplicatePercent / 100
  row[IMPAIR_AT_REORDER] = impairment.reorderPercent / 100
  row[IMPAIR_AT_RATE] = impairment.rateBitsPerSecond
  row[IMPAIR_AT_LIMIT] = impairment.limitPackets
  return row
}

function partitionedFrom ({ hostName, snapshot, indexes }: CompileContext): number[] {
  return [...snapshot.tables.partition.values()]
    .filter(({ hosts }) => hosts.includes(hostName))
    .map(({ hosts: [one, other] }) => indexes.host.indexOf(one === hostName ? other : one))
    .filter((hostIndex) => hostIndex !== 0)
}
