/**
 * Accounts: 12-digit ids, and the attributes that EC2 reports of an account.
 *
 * An account is not a record: it exists as soon as an access key names it, and what it owns is told
 * by `ownerId`. What belongs to another account is absent for a caller (AccountView).
 */
import { quota } from './quota.ts'
import type { Snapshot } from './snapshot.ts'

const ACCOUNT_ID = /^[0-9]{12}$/

export function isAccountId (text: string): boolean { return ACCOUNT_ID.test(text) }

/** What DescribeAccountAttributes answers, name to values, as the lab stands. */
export function accountAttributes (snapshot: Snapshot): ReadonlyMap<string, readonly string[]> {
  return new Map([
    ['supported-platforms', ['VPC']],
    ['default-vpc', ['none']],
    ['max-instances', [String(quota(snapshot, 'instances-per-region'))]],
    ['vpc-max-security-groups-per-interface',
      [String(quota(snapshot, 'security-groups-per-network-interface'))]]
  ])
}
