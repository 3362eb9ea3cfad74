/**
 * Life-cycle states that AWS shows and nobody stores: a record is `pending` until every live host
 * agent has applied the revision that made it.
 */
import type { AccountView, OwnedNoun } from '../../model/snapshot.ts'
import type { LabStatus } from './action.ts'

/** `available` from the moment the record's creation is applied, whatever changes later. */
export function creationState (view: AccountView, noun: OwnedNoun, id: string,
  lab: LabStatus): 'pending' | 'available' {
  return view.snapshot.tables[noun].createRevision(id) <= lab.appliedRevision
    ? 'available'
    : 'pending'
}

/** Whether the record's newest change is applied. */
export function isApplied (view: AccountView, noun: OwnedNoun, id: string,
  lab: LabStatus): boolean {
  return view.snapshot.tables[noun].modRevision(id) <= lab.appliedRevision
}

/** What CreateVpc answers with: EC2 shows a new VPC as it is before anything took effect. */
export const NOTHING_APPLIED: LabStatus = { appliedRevision: 0 }
