/**
 * The life of one call, the same for every action:
 *
 *     parameters ─▶ decode ─▶ DryRun? ─▶ idempotency ─▶ plan + commit ─▶ print ─▶ encode
 *                             └──────────────── invoke ────────────────────┘
 *
 * A read stops after its `read`. An action knows nothing of all this (action.ts). Other services of
 * the daemon (stacks) come in by `invoke`, with the SDK's input and output, without a wire.
 */
import * as sdk from '@aws-sdk/client-ec2'
import type { Clock } from '../../base/clock.ts'
import { newUuid } from '../../base/ids.ts'
import type { Random } from '../../base/random.ts'
import { AwsError } from '../../model/aws_error.ts'
import type { Ledger } from '../../model/ledger.ts'
import type { Plan } from '../../model/plan.ts'
import { AccountView } from '../../model/snapshot.ts'
import type { Action, LabStatus, ReadAction, ReadContext, WriteAction } from './action.ts'
import { commitFor, planContext } from '../commit.ts'
import { idempotentCall, planOnce } from './idempotency.ts'
import { compileDecoder } from './query_codec.ts'
import type { Decoder, Parameters } from '../query.ts'
import { type OperationShape, SchemaRegistry } from '../schema.ts'
import { Call } from '../service.ts'
import type { Caller, SignedRequest } from '../sigv4.ts'
import type { Encoder } from './xml_writer.ts'
import { compileEncoder } from './xml_writer.ts'

export const API_VERSION = '2016-11-15'

export interface RunnerDependencies {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly random: Random
  /** How the lab stands at this moment. */
  readonly lab: () => LabStatus
  /** Hears of every `invoke` when it is over; must not throw. */
  readonly onInvoke?: (call: Call) => void
}

/** On whose behalf another service of the daemon makes a call. */
export interface InsideCaller extends Caller {
  /** The service, as CloudTrail names it: `cloudformation.amazonaws.com`. */
  readonly invokedBy: string
}

type AnyWrite = WriteAction<object, unknown, object>
type AnyRead = ReadAction<object, object>

/** An action with its codec. */
interface Entry {
  readonly action: AnyWrite | AnyRead
  readonly operation: OperationShape
  readonly decode: Decoder
  readonly encode: Encoder
}

export class ActionRunner {
  readonly #schemas = new SchemaRegistry(sdk)
  readonly #actions: ReadonlyMap<string, Action>
  readonly #entries = new Map<string, Entry>()
  readonly #dependencies: RunnerDependencies

  constructor (actions: readonly Action[], dependencies: RunnerDependencies) {
    this.#actions = new Map(actions.map((action) => [action.name, action]))
    this.#dependencies = dependencies
  }

  /**
   * @param call what becomes known of the call is noted in it
   * @returns the XML answer
   * @throws AwsError to refuse; VpclabError when the store fails
   */
  async run (call: Call, parameters: Parameters): Promise<string> {
    call.action = parameters.get('Action') ?? ''
    const entry = this.#entry(call.action, parameters.get('Version'))
    note(call, entry)
    call.input = entry.decode(parameters)
    call.output = await this.#perform(entry.action, call, call.input, parameters)
    return entry.encode(call.output, call.requestId)
  }

  /**
   * One call from inside the daemon.
   * @param input in the SDK's names
   * @param token the call acts once however often it is repeated with the same token, also for an
   *   action to which EC2 gives no ClientToken
   * @returns the output in the SDK's names
   * @throws AwsError to refuse; VpclabError when the store fails
   */
  async invoke ({ invokedBy, ...caller }: InsideCaller, actionName: string, input: object,
    token?: string): Promise<object> {
    const { clock, random, onInvoke } = this.#dependencies
    const request: SignedRequest =
      { method: 'POST', path: '/', query: '', headers: { 'user-agent': invokedBy }, body: '' }
    const call = new Call(newUuid(random), request, invokedBy, clock.nowMs())
    call.caller = caller
    call.action = actionName
    try {
      const entry = this.#entry(actionName, API_VERSION)
      note(call, entry)
      call.input = input
      const parameters = new Map([['Input', JSON.stringify(input)]])
      const once = token === undefined ? input : { ...input, ClientToken: token }
      call.output = await this.#perform(entry.action, call, once, parameters)
      return call.output
    } catch (error) {
      call.refusal = error instanceof AwsError
        ? error
        : new AwsError('InternalError', 'An internal error has occurred.')
      throw error
    } finally {
      onInvoke?.(call)
    }
  }

  async #perform (action: AnyWrite | AnyRead, call: Call, input: object,
    parameters: Parameters): Promise<object> {
    const { accountId, region } = call.identity
    const view = new AccountView(this.#dependencies.ledger.snapshot, accountId, region)
    return action.kind === 'read'
      ? this.#read(action, view, input)
      : await this.#write(action, view, input, call, parameters)
  }

  /** The codec of an action is compiled at its first call. */
  #entry (name: string, version: string | undefined): Entry {
    if (name === '') {
      throw new AwsError('MissingAction',
        'The request is missing an action or a required parameter.')
    }
    if (version === undefined) {
      throw new AwsError('MissingParameter', 'The request must contain the parameter Version')
    }
    if (version !== API_VERSION) {
      throw new AwsError('NoSuchVersion', `The requested version (${version.slice(0, 32)}) of ` +
        `service AmazonEC2 does not exist; expecting ${API_VERSION}`)
    }
    const known = this.#entries.get(name)
    if (known !== undefined) return known
    const action = this.#actions.get(name)
    const operation = this.#schemas.operation(name)
    if (operation === undefined) {
      throw new AwsError('InvalidAction',
        `The action ${name.slice(0, 64)} is not valid for this web service.`)
    }
    if (action === undefined) {
      throw new AwsError('UnsupportedOperation', `The action ${name} is not built in vpclab.`)
    }
    const entry: Entry = {
      action, operation,
      decode: compileDecoder(operation.input), encode: compileEncoder(operation)
    }
    this.#entries.set(name, entry)
    return entry
  }

  #read (action: AnyRead, view: AccountView, input: object): object {
    const output = action.read(view, input, this.#context())
    refuseDryRun(input)
    return output
  }

  async #write (action: AnyWrite, view: AccountView, input: object, call: Call,
    parameters: Parameters): Promise<object> {
    const { ledger, clock, random } = this.#dependencies
    const context = planContext(clock, random)
    const plan = (): Plan<unknown> => action.plan(view, input, context)
    if (isDryRun(input)) {
      plan()
      refuseDryRun(input)
    }
    const token = (input as { readonly ClientToken?: string }).ClientToken
    const once = token === undefined || token === ''
      ? null
      : idempotentCall(call.identity, action.name, token, parameters)
    const result = await commitFor(call, ledger, () =>
      once === null ? plan() : planOnce(ledger.snapshot, once, context.nowMs, plan))
    return action.print(view, result, this.#context())
  }

  #context (): ReadContext {
    return { nowMs: this.#dependencies.clock.nowMs(), lab: this.#dependencies.lab() }
  }
}

/** What the audit trail wants to know of a call before it is tried. */
function note (call: Call, { action, operation }: Entry): void {
  call.isRead = action.kind === 'read'
  call.operation = operation
}

function isDryRun (input: object): boolean {
  return (input as { readonly DryRun?: boolean }).DryRun === true
}

/** @throws AwsError DryRunOperation when the call asks whether it would be allowed */
function refuseDryRun (input: object): void {
  if (isDryRun(input)) {
    throw new AwsError('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.')
  }
}
