/**
 * What an EC2 action is made of. An action is one `defineWrite` or `defineRead` in
 * `actions/<noun>.ts`, and one line in `actions/registry.ts`; wire names, XML, DryRun, idempotency
 * tokens, unknown and missing parameters are the runner's and the codec's business.
 *
 *     request ─▶ codec ─▶ plan (pure, model/) ─▶ commit ─▶ print ─▶ codec ─▶ answer
 *
 * `Input` and `Output` are the SDK's types. They stop here: `plan` hands plain values to the model.
 */
import type { Plan, PlanContext } from '../../model/plan.ts'
import type { AccountView } from '../../model/snapshot.ts'

/** What the running lab knows besides records. */
export interface LabStatus {
  /** Newest revision that every live agent has applied; the snapshot's own without agents. */
  readonly appliedRevision: number
  /** The last 64 KB of an instance's console; null when there are none. Absent without a lab. */
  readonly consoleOf?: (instanceId: string) => ConsoleOutput | null
}

export interface ConsoleOutput {
  readonly output: Uint8Array
  readonly writtenMs: number
}

export interface ReadContext {
  readonly nowMs: number
  readonly lab: LabStatus
}

/** A call that changes something. */
export interface WriteAction<Input, Result, Output> {
  readonly kind: 'write'
  /** EC2's name, `CreateSubnet`. */
  readonly name: string
  /** Pure. Converts the input and calls the model's `plan…`. Throws AwsError to refuse. */
  plan(view: AccountView, input: Input, context: PlanContext): Plan<Result>
  /** The answer, from the state after the commit. */
  print(view: AccountView, result: Result, context: ReadContext): Output
}

/** A call that only reads. */
export interface ReadAction<Input, Output> {
  readonly kind: 'read'
  readonly name: string
  read(view: AccountView, input: Input, context: ReadContext): Output
}

export type Action = WriteAction<never, unknown, object> | ReadAction<never, object>

export function defineWrite<Input, Result, Output extends object> (
  action: Omit<WriteAction<Input, Result, Output>, 'kind'>): Action {
  return { kind: 'write', ...action } as unknown as Action
}

export function defineRead<Input, Output extends object> (
  action: Omit<ReadAction<Input, Output>, 'kind'>): Action {
  return { kind: 'read', ...action } as unknown as Action
}
