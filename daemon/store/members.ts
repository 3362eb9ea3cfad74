/** The daemons of one lab on several machines, as one of them sees the others. */
import type { Subscription } from './store.ts'

export interface Members {
  /** Whether a machine's daemon is heard of. */
  isHeard (machine: string): boolean
  /** What each other machine that is heard of, and has started, has applied on all its hosts. */
  readonly applied: ReadonlyMap<string, number>
  /** One of the daemons does what is to be done once: whether it is this one. */
  readonly isLeader: boolean
  /** Tells the others what the hosts of this machine have applied. */
  publish (appliedRevision: number): void
  /** Another one is heard, or leads, than before. */
  onChange (listener: () => void): Subscription
  /** `applied` has changed. */
  onApplied (listener: () => void): Subscription
}
