/**
 * Control of the lab's HyperPlane cell: it hears which nodes live, which resources there are, and
 * which copies are complete, asks the cell (cell.ts) what follows, and writes that into the records
 * (model/hyperplane_shard.ts), from which every host learns it.
 *
 *     node's process ended ─┐
 *     a gateway came ───────┼─▶ Cell ─▶ assignments ─▶ transaction ─▶ change feed ─▶ hosts, nodes
 *     copy is complete ─────┘
 *
 * A lab with fewer nodes than a shard has no cell, and its NAT and egress-only gateways
 * carry nothing.
 */
import type { AppliedChange } from '../model/commit_feed.ts'
import {
  isResource, isResourceId, nodeNames, resourceIds, resourceOfDigits
} from '../model/hyperplane_shard.ts'
import type { HyperplaneShard } from '../model/hyperplane_shard.ts'
import { put, remove } from '../model/snapshot.ts'
import type { Change, Snapshot } from '../model/snapshot.ts'
import type { Log } from '../observe/log.ts'
import type { Replica } from '../store/replica.ts'
import { Cell } from './cell.ts'
import type { Assignment, CellRecord } from './cell.ts'
import { SHARD_SIZE } from './shuffle_shard.ts'

export interface ControllerOptions {
  readonly replica: Replica
  readonly log: Log
}

export class HyperplaneController {
  /** Null: the lab has fewer nodes than a shard. */
  readonly cell: Cell | null
  readonly #replica: Replica
  readonly #log: Log
  /** Assignments that are to be written, the newest of each resource; null: it is gone. */
  readonly #pending = new Map<string, Assignment | null>()
  #isWriting = false

  constructor (options: ControllerOptions) {
    this.#replica = options.replica
    this.#log = options.log
    const { snapshot } = options.replica
    const names = nodeNames(snapshot)
    if (names.length < SHARD_SIZE) {
      if (names.length > 0) {
        options.log.info({ nodes: names.length, shard: SHARD_SIZE },
          'too few HyperPlane nodes for a cell: NAT gateways will carry nothing')
      }
      this.cell = null
      return
    }
    this.cell = new Cell(names, recordOf(snapshot))
  }

  /** All nodes run: gives out the slots of what there is. */
  begin (): void {
    const { cell } = this
    if (cell === null) return
    const { tables } = this.#replica.snapshot
    for (const id of resourceIds(this.#replica.snapshot)) cell.addResource(id)
    for (const name of cell.nodes) cell.nodeUp(name)
    for (const { id } of tables.hyperplaneShard.values()) {
      if (cell.assignment(id) === null) this.#pending.set(id, null)
    }
    this.#publish(cell.begin())
  }

  /** The process of a node has ended, or runs again. */
  noteNode (name: string, isDown: boolean): void {
    const { cell } = this
    if (cell === null || !cell.nodes.includes(name) || !cell.hasBegun) return
    this.#publish(isDown ? cell.nodeDown(name) : cell.nodeUp(name))
  }

  /** A node has complete copies of a resource's flows. @param eniId as resourceOfDigits takes it */
  copyIsComplete (name: string, eniId: string, epoch: number): void {
    const resourceId = resourceOfDigits(this.#replica.snapshot, eniId)
    const changed = this.cell?.copyIsComplete(name, resourceId, epoch) ?? null
    if (changed !== null) this.#publish([changed])
  }

  onCommit (changes: readonly AppliedChange[]): void {
    const { cell } = this
    if (cell === null || !cell.hasBegun) return
    for (const change of changes) {
      if (!isOfResource(change)) continue
      const { id, record, previous } = change
      if (record !== null && previous === null) this.#publish([cell.addResource(id)])
      else if (record === null && previous !== null) {
        cell.removeResource(id)
        this.#pending.set(id, null)
        this.#publish([])
      }
    }
  }

  #publish (assignments: readonly Assignment[]): void {
    for (const assignment of assignments) this.#pending.set(assignment.resourceId, assignment)
    if (this.#pending.size > 0 && !this.#isWriting) void this.#write()
  }

  /** One transaction at a time, each with all that has come up meanwhile. */
  async #write (): Promise<void> {
    this.#isWriting = true
    try {
      while (this.#pending.size > 0) {
        const changes = [...this.#pending].flatMap(([id, assignment]) =>
          this.#changeOf(id, assignment))
        this.#pending.clear()
        await this.#replica.transact(() => ({ changes, result: null }))
      }
    } catch (error) {
      this.#log.error({ err: error }, 'the shards of HyperPlane resources could not be written')
    } finally {
      this.#isWriting = false
    }
  }

  #changeOf (id: string, assignment: Assignment | null): Change[] {
    const { snapshot } = this.#replica
    const { tables } = snapshot
    if (assignment === null || !isResourceId(snapshot, id)) {
      return tables.hyperplaneShard.get(id) === undefined ? [] : [remove('hyperplaneShard', id)]
    }
    const { epoch, shard, owners, ownerEpochs, replicas, joinedEpochs, complete } = assignment
    return [put('hyperplaneShard',
      { id, epoch, shard, owners, ownerEpochs, replicas, joinedEpochs, complete })]
  }
}

/** Whether the change is of a record that stands for a resource. */
function isOfResource (change: AppliedChange): boolean {
  if (change.noun === 'egressOnlyInternetGateway') return true
  if (change.noun !== 'networkInterface') return false
  const record = change.record ?? change.previous
  return record !== null && isResource(record)
}

/** What an earlier daemon knew. */
function recordOf (snapshot: Snapshot): CellRecord {
  const records: readonly HyperplaneShard[] = [...snapshot.tables.hyperplaneShard.values()]
  return {
    epoch: Math.max(0, ...records.map(({ epoch }) => epoch)),
    complete: Object.fromEntries(records.map(({ id, complete }) => [id, complete]))
  }
}
