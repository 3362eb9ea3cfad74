/**
 * The lab itself: what is not a resource of any account. Machines, hosts, counters and quotas are
 * records like all others, so that they are durable, watched and revisioned in the same way.
 */
import { VpclabError } from '../base/errors.ts'
import type { Plan } from './plan.ts'
import { put } from './snapshot.ts'
import type { Snapshot } from './snapshot.ts'

/** A machine that carries hosts of the lab, where several do (docs/cluster.md). Key: its name. */
export interface Machine {
  readonly id: string
  /** 1..MACHINES_MAX, the lowest free one when it joined; its hosts are addressed by it. */
  readonly number: number
  /** Where the other machines reach it. */
  readonly address: string
  /** Set while nothing is heard of its daemon: no instance is placed there. */
  readonly isLost?: boolean
}

/** A physical host of the lab (one host agent each). Key: its name. */
export interface Host {
  /** `host-1`; also the last part of its namespace's name. */
  readonly id: string
  readonly region: string
  readonly zoneId: string
  /** Outer source address of all it sends; IPv4 or IPv6. */
  readonly underlayAddress: string
  readonly underlayMtu: number
  readonly roles: readonly ('compute' | 'edge' | 'hyperplane')[]
  /** Set while the host's data plane does not run: nothing is to be sent to it. Edges alone. */
  readonly isDown?: boolean
  /** The machine that it is on; absent in a lab of one machine. */
  readonly machine?: string
  /** Set where what the host exchanges with other hosts is encrypted, and nothing else is taken. */
  readonly underlayEncryption?: boolean
  /** Most instances the host takes; RunInstances beyond it: InsufficientInstanceCapacity. */
  readonly instanceSlots: number
}

export function isEncrypted ({ underlayEncryption }: Host): boolean {
  return underlayEncryption === true
}

export function isEdge ({ roles }: Host): boolean { return roles.includes('edge') }

/** Whether nothing is heard of the machine that a host is on. */
export function isLost ({ tables }: Snapshot, { machine }: Host): boolean {
  return machine !== undefined && tables.machine.get(machine)?.isLost === true
}

/** A number that only rises. `vni`: the next VNI to give out. */
export interface Counter {
  readonly id: string
  readonly next: number
}

/** A quota raised or lowered for this lab; defaults stand in model/quota.ts. Key: quota name. */
export interface QuotaOverride {
  readonly id: string
  readonly value: number
}

/** The first answer to an idempotency token. Key: account, Region, action and token. */
export interface IdempotencyRecord {
  readonly id: string
  /** SHA-256 of the request without its token, hex. */
  readonly requestHash: string
  /** What the plan returned, to print the same answer again. */
  readonly result: unknown
  readonly createdMs: number
}

/** Notes that a host went down, or is up again. */
export function planHostLiveness (
  snapshot: Snapshot, id: string, isDown: boolean
): Plan<null> {
  const record = snapshot.tables.host.get(id)
  if (record === undefined || (record.isDown ?? false) === isDown) {
    return { changes: [], result: null }
  }
  return { changes: [put('host', { ...record, isDown })], result: null }
}

/** Machines of a lab; the third byte of an underlay address says which. */
export const MACHINES_MAX = 63

/**
 * A machine joins the lab, or comes back.
 * @returns its record
 * @throws VpclabError VPCLAB_ERR_CONFIG when the lab is one machine's alone, has as many as it can,
 *   or another one has the address
 */
export function planJoin (
  { tables }: Snapshot, { id, address }: { readonly id: string, readonly address: string }
): Plan<Machine> {
  const machines = [...tables.machine.values()]
  if ([...tables.host.values()].some(({ machine }) => machine === undefined)) {
    throw refused(id, 'it was made for one machine alone')
  }
  const owner = machines.find((one) => one.id !== id && one.address === address)
  if (owner !== undefined) {
    throw refused(id, `the address ${address} is that of the machine "${owner.id}"`)
  }
  const taken = new Set(machines.map(({ number }) => number))
  const known = tables.machine.get(id)
  const free = Array.from({ length: MACHINES_MAX }, (_none, at) => at + 1)
    .find((number) => !taken.has(number))
  const number = known?.number ?? free
  if (number === undefined) {
    throw refused(id, `it has ${String(MACHINES_MAX)} machines, as many as it can`)
  }
  const machine: Machine = { id, number, address }
  const isAsKnown = known?.address === address && known.isLost !== true
  return { changes: isAsKnown ? [] : [put('machine', machine)], result: machine }
}

/**
 * Whether a machine's hosts can stand beside those that the lab has.
 * @throws VpclabError VPCLAB_ERR_CONFIG
 */
export function checkBeside (own: readonly Host[], all: readonly Host[]): void {
  const machine = own[0]?.machine
  const others = all.filter((host) => host.machine !== machine)
  for (const host of own) {
    const why = whyNotBeside(host, others)
    if (why !== null) throw refused(machine ?? 'this one', why)
  }
}

/** @param others hosts of other machines @returns null: there is no reason */
function whyNotBeside (host: Host, others: readonly Host[]): string | null {
  const sameName = others.find(({ id }) => id === host.id)
  if (sameName !== undefined) {
    return `its machine "${sameName.machine ?? ''}" has a host "${host.id}" already`
  }
  const edge = isEdge(host) ? others.find(isEdge) : undefined
  if (edge !== undefined) {
    return `its edges are on the machine "${edge.machine ?? ''}": start this one with --edges 0`
  }
  const otherMtu = others.find(({ underlayMtu }) => underlayMtu !== host.underlayMtu)?.underlayMtu
  if (otherMtu !== undefined) {
    return `its underlay has an MTU of ${String(otherMtu)}: give --underlay-mtu ${String(otherMtu)}`
  }
  return host.machine === undefined && others.length > 0
    ? 'it is on several machines: name this one with --machine' : null
}

function refused (id: string, why: string): VpclabError {
  return new VpclabError('VPCLAB_ERR_CONFIG', `The machine "${id}" cannot join the lab: ${why}`)
}

/** Notes of which machines nothing is heard. */
export function planMachineLiveness (
  { tables }: Snapshot, isHeard: (machine: string) => boolean
): Plan<null> {
  return {
    changes: [...tables.machine.values()]
      .filter((machine) => (machine.isLost ?? false) === isHeard(machine.id))
      .map((machine) => put('machine', { ...machine, isLost: !isHeard(machine.id) })),
    result: null
  }
}
