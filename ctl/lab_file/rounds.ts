/**
 * A plan is carried out in three rounds, and the lab is read anew before each, so that every call
 * works on what is really there:
 *
 *     1  what goes, goes; VPCs, tables, groups, gateways, peerings, subnets, ENIs are made
 *     2  what is there is changed; instances are run
 *     3  what needs instances is changed: routes, Elastic IPs, their ENIs; what is then unused goes
 *
 * Within a round, steps have ranks; those of one rank run side by side, a few at a time.
 */
import { changeResource } from './change.ts'
import { KINDS } from './kinds/registry.ts'
import { type Action, holdersOf, type Plan } from './plan.ts'
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

/** Above the rank of everything that is made or changed. */
const LAST = 10
/** Changes of what others are not made in. */
const CHANGE_RANK = 7

/** The steps of a round, in order of rank. */
export function stepsOf (plan: Plan, round: Round): Step[] {
  const going = new Set(plan.actions.filter(goes).map(({ key }) => key))
  return plan.actions.flatMap((action) => [
    ...deletions(action, round,
      holdersOf(action.live ?? action.resource).some(({ key }) => going.has(key))),
    ...creations(action, round), ...changesOf(action, round)
  ]).toSorted((one, other) => one.rank - other.rank)
}

function goes ({ action }: Action): boolean { return action === 'delete' || action === 'replace' }

function deletions (action: Action, round: Round, holderGoes: boolean): Step[] {
  const { live, key } = action
  if (live === undefined || !goes(action)) return []
  const kind = KINDS[live.kind]
  const isLast = kind.goes === 'last' && action.action === 'delete' && !holderGoes
  if (round !== (isLast ? 3 : 1)) return []
  // In reverse order: after everything that a round changes, or before everything it makes.
  const rank = (isLast ? 2 * LAST : -LAST) - kind.order
  return [
    ...'prepareRemoval' in kind
      ? [{
          rank: rank - 0.5, done: '',
          run: async (session: Session) => { await kind.prepareRemoval?.(session, live) }
        }]
      : [],
    {
      rank,
      done: `deleted ${key} (${live.id})`,
      run: (session) => kind.remove(session, live)
    }
  ]
}

function creations (action: Action, round: Round): Step[] {
  const { resource, key } = action
  if (action.action !== 'create' && action.action !== 'replace') return []
  const kind = KINDS[resource.kind]
  if (round !== (kind.createdLate === true ? 2 : 1)) return []
  return [{
    rank: kind.order,
    done: `created ${key}`,
    run: async (session) => session.made(resource, await kind.create(session, resource))
  }]
}

function changesOf (action: Action, round: Round): Step[] {
  const { live, resource, key } = action
  if (action.action !== 'change' || live === undefined) return []
  const { changed, order } = KINDS[resource.kind]
  const isEarly = changed === 'before-others'
  // The subnets of an early round know tables and ACLs, but no DHCP options of this round yet.
  const due = isEarly ? round <= 2 : round === (changed === 'between' ? 2 : 3)
  const changes = action.changes.filter(({ field }) =>
    !(round === 1 && field === 'dhcp-options'))
  if (!due || changes.length === 0) return []
  return [{
    rank: isEarly ? order + 1 : CHANGE_RANK,
    done: `changed ${key}: ${changes.map(({ field }) => field).join(', ')}`,
    run: (session) => changeResource(session, resource, live, changes)
  }]
}
