/**
 * A plan is carried out in three rounds, and the lab is read anew before each, so that every call
 * works on what is really there:
 *
 *     1  what goes, goes; VPCs, tables, groups, ACLs, subnets, ENIs are made
 *     2  what is there is changed; instances are run
 *     3  what needs instances is changed: routes to them, their ENIs; what is then unused goes
 *
 * Within a round, steps have ranks; those of one rank run side by side, a few at a time.
 */
import { createResource } from './create.ts'
import { changeResource } from './change.ts'
import { deleteResource, revokeAll } from './delete.ts'
import type { Action, Plan } from './plan.ts'
import { keyOf, type Kind } from './resource.ts'
import type { Session } from './session.ts'

export const ROUNDS = [1, 2, 3] as const
export type Round = typeof ROUNDS[number]

/** One call, or a few that belong together. */
export interface Step {
  readonly rank: number
  /** `created`, `changed`, `deleted`: what to say when it is done. */
  readonly done: string
  readonly run: (session: Session) => Promise<unknown>
}

/** The order in which kinds are made; they go in the reverse one. */
const ORDER: Readonly<Record<Kind, number>> = {
  'dhcp-options': 0, 'vpc': 1, 'route-table': 3, 'security-group': 3, 'network-acl': 3,
  'subnet': 4, 'eni': 6, 'instance': 8
}
const LAST = 10

/** What needs its VPC, or a subnet, changed before others can be made in it. */
const CHANGED_BEFORE_OTHERS_ARE_MADE: ReadonlySet<Kind> = new Set(['vpc', 'subnet'])
/** What outlives those that use it, unless its VPC goes. */
const DELETED_LAST: ReadonlySet<Kind> =
  new Set(['route-table', 'security-group', 'network-acl', 'dhcp-options'])

/** The steps of a round, in order of rank. */
export function stepsOf (plan: Plan, round: Round): Step[] {
  const byKey = new Map(plan.actions.map((action) => [action.key, action]))
  const vpcGoes = ({ resource }: Action): boolean =>
    goes(byKey.get(keyOf('vpc', null, resource.vpc ?? '')))
  return plan.actions.flatMap((action) => [
    ...deletions(action, round, vpcGoes(action)), ...creations(action, round),
    ...changesOf(action, round)
  ]).toSorted((one, other) => one.rank - other.rank)
}

function goes (action: Action | undefined): boolean {
  return action?.action === 'delete' || action?.action === 'replace'
}

function deletions (action: Action, round: Round, vpcGoes: boolean): Step[] {
  const { live, key, resource: { kind } } = action
  if (live === undefined || !goes(action)) return []
  const isLast = DELETED_LAST.has(kind) && action.action === 'delete' && !vpcGoes
  if (round !== (isLast ? 3 : 1)) return []
  // In reverse order: before everything that a round makes, or after everything it changes.
  const rank = (isLast ? LAST : -LAST) + LAST - ORDER[kind] - (isLast ? 0 : LAST)
  return [
    ...kind === 'security-group'
      ? [{ rank: rank - 0.5, done: '', run: (session: Session) => revokeAll(session, live) }]
      : [],
    {
      rank,
      done: `deleted ${key} (${live.id})`,
      run: (session) => deleteResource(session, live)
    }
  ]
}

function creations (action: Action, round: Round): Step[] {
  const { resource, key } = action
  if (action.action !== 'create' && action.action !== 'replace') return []
  if (round !== (resource.kind === 'instance' ? 2 : 1)) return []
  return [{
    rank: ORDER[resource.kind],
    done: `created ${key}`,
    run: (session) => createResource(session, resource)
  }]
}

function changesOf (action: Action, round: Round): Step[] {
  const { live, resource, key } = action
  if (action.action !== 'change' || live === undefined) return []
  const early = CHANGED_BEFORE_OTHERS_ARE_MADE.has(resource.kind)
  const late = resource.kind === 'instance' || resource.kind === 'route-table'
  // The subnets of an early round know tables and ACLs, but no DHCP options of this round yet.
  const due = early ? round <= 2 : late ? round === 3 : round === 2
  const changes = action.changes.filter(({ field }) =>
    !(round === 1 && field === 'dhcp-options'))
  if (!due || changes.length === 0) return []
  return [{
    rank: early ? ORDER[resource.kind] + 1 : ORDER.eni + 1,
    done: `changed ${key}: ${changes.map(({ field }) => field).join(', ')}`,
    run: (session) => changeResource(session, resource, live, changes)
  }]
}
