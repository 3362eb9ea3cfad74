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
import { newId } from '../../base/ids.ts'
import type { Random } from '../../base/random.ts'
import { AwsError } from '../../model/aws_error.ts'
import type { Ledger } from '../../model/ledger.ts'
import type { Plan } from '../../model/plan.ts'
import { AccountView } from '../../model/snapshot.ts'
import type { Action, LabStatus, ReadAction, ReadContext, WriteAction } from './action.ts'
import { idempotentCall, planOnce } from './idempotency.ts'
import type { Decoder, Parameters } from './query_codec.ts'
import { compileDecoder } from './query_codec.ts'
import { SchemaRegistry } from '../schema.ts'
import type { Call } from '../service.ts'
import type { Caller } from '../sigv4.ts'
import type { Encoder } from './xml_writer.ts'
import { compileEncoder } from './xml_writer.ts'

export const API_VERSION = '2016-11-15'

export interface RunnerDependencies {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly random: Random
  /** How the lab stands at this moment. */
  readonly lab: () => LabStatus
}

type AnyWrite = WriteAction<object, unknown, object>
type AnyRead = ReadAction<object, object>

/** An action with its codec. */
interface Entry {
  readonly action: AnyWrite | AnyRead
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
    call.readOnly = entry.action.kind === 'read'
    call.input = entry.decode(parameters)
    call.output = await this.#perform(entry.action, call.identity, call.input, parameters)
    return entry.encode(call.output, call.requestId)
  }

  /**
   * One call from inside the daemon.
   * @param input in the SDK's names; a ClientToken in it is not looked at
   * @returns the output in the SDK's names
   * @throws AwsError to refuse; VpclabError when the store fails
   */
  async invoke (caller: Caller, actionName: string, input: object): Promise<object> {
    return await this.#perform(this.#entry(actionName, API_VERSION).action, caller, input, null)
  }

  async #perform (action: AnyWrite | AnyRead, caller: Caller, input: object,
    parameters: Parameters | null): Promise<object> {
    const { snapshot } = this.#dependencies.ledger
    const view = new AccountView(snapshot, caller.accountId, caller.region)
    return action.kind === 'read'
      ? this.#read(action, view, input)
      : await this.#write(action, view, input, caller, parameters)
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
      action, decode: compileDecoder(operation.input), encode: compileEncoder(operation)
    }
    this.#entries.set(name, entry)
    return entry
  }

  #read (action: AnyRead, view: AccountView, input: object): object {
    const output = action.read(view, input, this.#context())
    refuseDryRun(input)
    return output
  }

  async #write (action: AnyWrite, view: AccountView, input: object, caller: Caller,
    parameters: Parameters | null): Promise<object> {
    const { ledger, clock, random } = this.#dependencies
    const nowMs = clock.nowMs()
    const context = { nowMs, newId: (prefix: string): string => newId(random, prefix) }
    const plan = (): Plan<unknown> => action.plan(view, input, context)
    if (isDryRun(input)) {
      plan()
      refuseDryRun(input)
    }
    const token = (input as { readonly ClientToken?: string }).ClientToken
    const call = parameters === null || token === undefined || token === ''
      ? null
      : idempotentCall(caller, action.name, token, parameters)
    const { result } = await ledger.transact(
      call === null ? plan : () => planOnce(ledger.snapshot, call, nowMs, plan))
    return action.print(view, result, this.#context())
  }

  #context (): ReadContext {
    return { nowMs: this.#dependencies.clock.nowMs(), lab: this.#dependencies.lab() }
  }
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
