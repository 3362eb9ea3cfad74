/**
 * Accounts: 12-digit ids, and the attributes that EC2 reports of an account.
 *
 * An account is not a record: it exists as soon as an access key names it, and what it owns is told
 * by `ownerId`. What belongs to another account is absent for a caller (AccountView).
 */
import { quota } from './quota.ts'
import type { AccountView } from './snapshot.ts'

const ACCOUNT_ID = /^[0-9]{12}$/

export function isAccountId (text: string): boolean { return ACCOUNT_ID.test(text) }

/** What DescribeAccountAttributes answers, name to values, as the lab stands. */
export function accountAttributes (view: AccountView): ReadonlyMap<string, readonly string[]> {
  const { snapshot } = view
  const elasticIps = [String(quota(snapshot, 'elastic-ips-per-region'))]
  return new Map([
    ['supported-platforms', ['VPC']],
    ['default-vpc', [view.list('vpc').find(({ isDefault }) => isDefault)?.id ?? 'none']],
    ['max-elastic-ips', elasticIps],
    ['vpc-max-elastic-ips', elasticIps],
    ['max-instances', [String(quota(snapshot, 'instances-per-region'))]],
    ['vpc-max-security-groups-per-interface',
      [String(quota(snapshot, 'security-groups-per-network-interface'))]]
  ])
}
