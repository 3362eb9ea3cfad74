/**
 * A HyperPlane cell as control sees it: which nodes live, which resources it serves, and for each
 * resource who owns which slot of its flows. Pure state: events in, assignments out.
 *
 *     shard     the three nodes of a resource (shuffle_shard.ts), from all configured nodes
 *     owner     of a slot: its home node when that lives and has a complete copy of the
 *               resource's flows; else the next of the shard that has one; else any that lives
 *     replicas  nodes of the shard that live: each gets a copy of every flow before it counts
 *     epoch     rises with every change of an assignment, never falls: a node that holds an older
 *               one does not decide (dataplane/hyperplane/shard.ts)
 *
 *     DOWN ──nodeUp──▶ joining ──copyIsComplete──▶ complete ──nodeDown──▶ DOWN
 *
 * A node that comes up again is nobody's owner until it says that its copy is complete: what its
 * file holds may be of yesterday. Where no node of a shard has a complete copy, all of its flows
 * are lost anyway, and the first that lives begins anew.
 */
import { assert } from '../base/assert.ts'
import { chooseShard, SHARD_SIZE } from './shuffle_shard.ts'

export interface Assignment {
  readonly resourceId: string
  readonly epoch: number
  /** Nodes of the shard, slot by slot: the homes. */
  readonly shard: readonly string[]
  /** Owner of each slot; null while no node of the shard lives. */
  readonly owners: readonly (string | null)[]
  /** Epoch since which each of them owns its slot without a break. */
  readonly ownerEpochs: readonly number[]
  /** Nodes that keep copies, owners included. */
  readonly replicas: readonly string[]
  /** Epoch at which each of them came: a copy that began before is of an earlier life. */
  readonly joinedEpochs: readonly number[]
  /** Nodes that have complete copies. */
  readonly complete: readonly string[]
}

/** What outlives control: who may be believed when all start again. */
export interface CellRecord {
  readonly epoch: number
  /** Complete nodes by resource id. */
  readonly complete: Readonly<Record<string, readonly string[]>>
}

interface Resource {
  readonly shard: readonly string[]
  readonly complete: Set<string>
  /** Epoch at which a node came; absent: it was there from the beginning. */
  readonly joined: Map<string, number>
  epoch: number
  /** As of the last assignment. */
  owners: readonly (string | null)[]
  ownerEpochs: readonly number[]
}

export class Cell {
  readonly nodes: readonly string[]
  readonly #live = new Set<string>()
  readonly #resources = new Map<string, Resource>()
  readonly #record: CellRecord
  #epoch: number
  #hasBegun = false

  /**
   * @param nodes all configured nodes, living or not
   * @param record what was kept of an earlier cell of the same nodes
   * @throws VpclabError VPCLAB_ERR_CONFIG for fewer than SHARD_SIZE nodes
   */
  constructor (nodes: readonly string[], record: CellRecord = { epoch: 0, complete: {} }) {
    chooseShard('', nodes)
    this.nodes = nodes
    this.#record = record
    this.#epoch = record.epoch
  }

  isLive (node: string): boolean { return this.#live.has(node) }

  resourceIds (): readonly string[] { return [...this.#resources.keys()] }

  /** Takes a resource in. @returns its assignment */
  addResource (resourceId: string): Assignment {
    let resource = this.#resources.get(resourceId)
    if (resource === undefined) {
      const shard = chooseShard(resourceId, this.nodes)
      const known = (this.#record.complete[resourceId] ?? []).filter((node) => shard.includes(node))
      // Of a new resource every node that lives knows all there is: nothing.
      const fresh = this.#hasBegun ? shard.filter((node) => this.#live.has(node)) : shard
      resource = {
        shard,
        complete: new Set(known.length > 0 ? known : fresh),
        joined: new Map(),
        epoch: ++this.#epoch,
        owners: shard.map(() => null),
        ownerEpochs: shard.map(() => 0)
      }
      this.#resources.set(resourceId, resource)
    }
    return this.#assign(resourceId, resource)
  }

  removeResource (resourceId: string): void { this.#resources.delete(resourceId) }

  /**
   * Gives out the slots: until then nobody owns one, so that nodes which start together are all
   * asked. Who is not up yet has to join. @returns all assignments
   */
  begin (): Assignment[] {
    this.#hasBegun = true
    for (const resource of this.#resources.values()) {
      const living = [...resource.complete].filter((node) => this.#live.has(node))
      if (living.length === 0) continue
      resource.complete.clear()
      for (const node of living) resource.complete.add(node)
    }
    return [...this.#resources].map(([id, resource]) => {
      resource.epoch = ++this.#epoch
      return this.#assign(id, resource)
    })
  }

  get hasBegun (): boolean { return this.#hasBegun }

  /** A node has started. @returns assignments that changed */
  nodeUp (node: string): Assignment[] {
    assert(this.nodes.includes(node), `"${node}" is a node of the cell`)
    if (this.#live.has(node)) return []
    this.#live.add(node)
    if (!this.#hasBegun) return []
    return this.#change(node, (resource) => {
      const others = [...resource.complete]
        .some((other) => other !== node && this.#live.has(other))
      if (others) resource.complete.delete(node)
      resource.joined.set(node, this.#epoch + 1)
    })
  }

  /** A node's process has ended: it decides no more. @returns assignments that changed */
  nodeDown (node: string): Assignment[] {
    if (!this.#live.delete(node)) return []
    if (!this.#hasBegun) return []
    return this.#change(node, (resource) => {
      // The last complete copy is remembered: should all die, its file is the one to believe.
      const others = [...resource.complete].some((other) => this.#live.has(other))
      if (others) resource.complete.delete(node)
    })
  }

  /**
   * A node says that its copy of a resource's flows is complete as of an epoch.
   * @returns the assignment, if this changed it
   */
  copyIsComplete (node: string, resourceId: string, epoch: number): Assignment | null {
    const resource = this.#resources.get(resourceId)
    if (resource === undefined || resource.epoch !== epoch || !this.#live.has(node) ||
      !resource.shard.includes(node) || resource.complete.has(node)) return null
    resource.complete.add(node)
    resource.epoch = ++this.#epoch
    return this.#assign(resourceId, resource)
  }

  assignment (resourceId: string): Assignment | null {
    const resource = this.#resources.get(resourceId)
    return resource === undefined ? null : this.#assign(resourceId, resource)
  }

  record (): CellRecord {
    return {
      epoch: this.#epoch,
      complete: Object.fromEntries([...this.#resources].map(([id, { complete }]) =>
        [id, [...complete]]))
    }
  }

  #change (node: string, change: (resource: Resource) => void): Assignment[] {
    const changed: Assignment[] = []
    for (const [id, resource] of this.#resources) {
      if (!resource.shard.includes(node)) continue
      change(resource)
      resource.epoch = ++this.#epoch
      changed.push(this.#assign(id, resource))
    }
    return changed
  }

  #assign (resourceId: string, resource: Resource): Assignment {
    const { shard, epoch } = resource
    const living = this.#hasBegun ? shard.filter((node) => this.#live.has(node)) : []
    const complete = living.filter((node) => resource.complete.has(node))
    const [first] = living
    if (complete.length === 0 && first !== undefined) {
      // Everything is lost: the first that lives begins anew.
      resource.complete.clear()
      resource.complete.add(first)
      complete.push(first)
    }
    const owners = shard.map((home, slot) => {
      return complete.includes(home) ? home : complete[slot % complete.length] ?? null
    })
    assert(owners.length === SHARD_SIZE, 'each slot has a home')
    resource.ownerEpochs = owners.map((owner, slot) =>
      owner === resource.owners[slot] ? resource.ownerEpochs[slot] ?? 0 : epoch)
    resource.owners = owners
    const joinedEpochs = living.map((node) => resource.joined.get(node) ?? 0)
    return {
      resourceId, epoch, shard, owners, ownerEpochs: resource.ownerEpochs, replicas: living,
      joinedEpochs, complete: [...resource.complete]
    }
  }
}
