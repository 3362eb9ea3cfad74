/**
 * Drops by ENI, for as long as the ENI exists. The worker counts by port, and begins a port's row
 * anew when its index goes to another ENI; what an ENI had counted by then is kept here, so that an
 * instance that was stopped and started still says why its packets did not arrive.
 *
 *     update removes a port ──▶ note(): its row is added to what is kept for its ENI
 *     list()                ──▶ kept + row of its present port, if it has one
 *
 * A row is as old as the worker's last commit of its counters. Memory: one number per reason and
 * ENI that was ever on the host and was not deleted.
 */
import { recordOfPort } from '../compile/gateway_port.ts'
import { PORT_NONE, readDrops } from '../dataplane/counters.ts'
import type { TableUpdate } from '../dataplane/tables/update.ts'

export interface EniDrops {
  /** null: no ENI can be named. */
  readonly networkInterfaceId: string | null
  /** DROP_* */
  readonly reason: number
  readonly packets: number
}

export class DropHistory {
  readonly #shared: ArrayBufferLike
  readonly #eniOfPort = new Map<number, string>()
  /** ENI → reason → packets. */
  readonly #kept = new Map<string, Map<number, number>>()

  /** @param shared what the worker commits its counters to (dataplane/counters.ts) */
  constructor (shared: ArrayBufferLike) {
    this.#shared = shared
  }

  /** To be called with each update before it is posted, so that no row is begun anew unread. */
  note (update: TableUpdate): void {
    const leaving = new Set(update.removedPorts ?? [])
    if (leaving.size > 0) {
      for (const { portIndex, reason, packets } of readDrops(this.#shared)) {
        const eni = this.#eniOfPort.get(portIndex)
        if (leaving.has(portIndex) && eni !== undefined) add(this.#kept, eni, reason, packets)
      }
    }
    for (const portIndex of leaving) this.#eniOfPort.delete(portIndex)
    for (const port of update.ports ?? []) {
      this.#eniOfPort.set(port.portIndex, recordOfPort(port))
    }
  }

  /** The ENI was deleted. */
  forget (networkInterfaceId: string): void {
    this.#kept.delete(networkInterfaceId)
  }

  /** All drops that are not 0, those of no ENI first. */
  list (): EniDrops[] {
    const unnamed: EniDrops[] = []
    const totals = new Map([...this.#kept].map(([eni, reasons]) => [eni, new Map(reasons)]))
    for (const { portIndex, reason, packets } of readDrops(this.#shared)) {
      const eni = this.#eniOfPort.get(portIndex)
      if (portIndex === PORT_NONE) unnamed.push({ networkInterfaceId: null, reason, packets })
      else if (eni !== undefined) add(totals, eni, reason, packets)
    }
    const named = [...totals].flatMap(([networkInterfaceId, reasons]) => [...reasons]
      .map(([reason, packets]) => ({ networkInterfaceId, reason, packets })))
    return [...unnamed, ...named]
  }
}

function add (
  totals: Map<string, Map<number, number>>, eni: string, reason: number, packets: number
): void {
  const reasons = totals.get(eni) ?? new Map<number, number>()
  reasons.set(reason, (reasons.get(reason) ?? 0) + packets)
  totals.set(eni, reasons)
}
