/** How a call's plan is made and committed, whatever the service. */
import type { Clock } from '../base/clock.ts'
import { newId } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import type { Ledger } from '../model/ledger.ts'
import type { Plan, PlanContext } from '../model/plan.ts'
import type { Call } from './service.ts'

/** The context of a call that comes now. */
export function planContext (clock: Clock, random: Random): PlanContext {
  return { nowMs: clock.nowMs(), newId: (prefix) => newId(random, prefix) }
}

/** Commits a plan, and notes its revision in the call. @returns what the plan did */
export async function commitFor<Result> (
  call: Pick<Call, 'revision'>, ledger: Ledger, plan: () => Plan<Result>
): Promise<Result> {
  let changes = 0
  const { result, revision } = await ledger.transact(() => {
    const planned = plan()
    changes = planned.changes.length
    return planned
  })
  if (changes > 0) call.revision = revision
  return result
}
