/**
 * What operations of Route 53 work with, and what all of them share: commits, ids as paths, pages.
 *
 *     id in a call     Z0A, /hostedzone/Z0A        id in an answer   /hostedzone/Z0A
 */
import type { ChangeInfo } from '@aws-sdk/client-route-53'
import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { AwsError } from '../../model/aws_error.ts'
import type { Submitted, ZoneCaller, ZoneVpc } from '../../model/hosted_zone.ts'
import type { Ledger } from '../../model/ledger.ts'
import type { Plan, PlanContext } from '../../model/plan.ts'
import { commitFor, planContext } from '../commit.ts'
import type { Call } from '../service.ts'
import type { Caller } from '../sigv4.ts'

/** Items of a page of zones, records and authorizations: also what a call that says none gets. */
export const ZONES_PAGE_MAX = 100
export const RECORD_SETS_PAGE_MAX = 300
export const AUTHORIZATIONS_PAGE_MAX = 50

export interface Route53Context {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly random: Random
  /** Newest revision that every host has applied. */
  readonly appliedRevision: () => number
}

/** The account's sight of Route 53. */
export function sightOf (
  { ledger }: Route53Context, { accountId }: Caller): ZoneCaller {
  return { snapshot: ledger.snapshot, accountId }
}

/** Commits a plan, and notes its revision in the call. @returns what the plan did */
export async function commit<Result> (
  { ledger, clock, random }: Route53Context, call: Pick<Call, 'revision'>,
  plan: (context: PlanContext) => Plan<Result>
): Promise<Result> {
  const context = planContext(clock, random)
  return await commitFor(call, ledger, () => plan(context))
}

/** A change as answers show it: INSYNC once every host has applied it. */
export function changeInfoOf (
  { ledger, appliedRevision }: Route53Context, { accountId }: Caller, changeId: string
): ChangeInfo {
  const { hostedZoneChange } = ledger.snapshot.tables
  const record = hostedZoneChange.get(changeId)
  if (record?.ownerId !== accountId) {
    throw new AwsError('NoSuchChange', `Could not find resource with ID: ${changeId}`)
  }
  const isApplied = hostedZoneChange.createRevision(changeId) <= appliedRevision()
  return {
    Id: `/change/${changeId}`, Status: isApplied ? 'INSYNC' : 'PENDING',
    SubmittedAt: new Date(record.submittedMs),
    ...record.comment === null ? {} : { Comment: record.comment }
  }
}

/** Commits a plan that is a change to zones, and answers with it. */
export async function submit (
  context: Route53Context, caller: Caller, call: Pick<Call, 'revision'>,
  plan: (context: PlanContext) => Plan<Submitted>
): Promise<{ ChangeInfo: ChangeInfo }> {
  const { changeId } = await commit(context, call, plan)
  return { ChangeInfo: changeInfoOf(context, caller, changeId) }
}

/** An id without the path that answers show it with. */
export function idIn (text: string | undefined): string {
  return (text ?? '').replace(/^\/?(hostedzone|change)\//, '')
}

/** A VPC as calls name it. */
export interface VpcInput {
  readonly VPCRegion?: string | undefined
  readonly VPCId?: string | undefined
}

export function vpcIn (vpc: VpcInput | undefined): ZoneVpc {
  return { vpcId: vpc?.VPCId ?? '', region: vpc?.VPCRegion ?? '' }
}

/** @throws AwsError InvalidInput */
export function pageSize (asked: number | undefined, max: number): number {
  if (asked === undefined) return max
  if (asked >= 1) return Math.min(asked, max)
  throw new AwsError('InvalidInput', `A page has at least 1 item, not ${String(asked)}`)
}

/**
 * A page of what is listed, from an item on.
 * @param startsAt the first item, by what was asked for; -1 for none
 * @returns the page, and the first item of the next one
 */
export function pageFrom<Item> (items: readonly Item[], startsAt: number, size: number):
{ readonly page: readonly Item[], readonly next: Item | undefined } {
  const at = startsAt === -1 ? items.length : startsAt
  return { page: items.slice(at, at + size), next: items[at + size] }
}
