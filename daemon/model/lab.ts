/**
 * The lab itself: what is not a resource of any account. Hosts, counters and quotas are records
 * like all others, so that they are durable, watched and revisioned in the same way.
 */
import type { Plan } from './plan.ts'
import { put } from './snapshot.ts'
import type { Snapshot } from './snapshot.ts'

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
  /** Set where what the host exchanges with other hosts is encrypted, and nothing else is taken. */
  readonly underlayEncryption?: boolean
  /** Most instances the host takes; RunInstances beyond it: InsufficientInstanceCapacity. */
  readonly instanceSlots: number
}

export function isEncrypted ({ underlayEncryption }: Host): boolean {
  return underlayEncryption === true
}

export function isEdge ({ roles }: Host): boolean { return roles.includes('edge') }

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
