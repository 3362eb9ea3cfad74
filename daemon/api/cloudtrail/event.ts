/**
 * From a call that is decided to its record in the audit trail (audit/record.ts).
 *
 *     Call ─▶ CallRecorder.record ─▶ CloudTrailRecord ─▶ AuditTrail.append
 *
 * A caller whose signature was not believed has no account. Such a call is recorded for the lab's
 * owner to find in the journal, with `userIdentity.type` "Unknown"; LookupEvents shows it to no
 * account. (AWS does not document what becomes of one.)
 */
import { isIP } from 'node:net'
import type { Clock } from '../../base/clock.ts'
import { newUuid } from '../../base/ids.ts'
import type { Random } from '../../base/random.ts'
import type { CloudTrailRecord, UserIdentity } from '../../audit/record.ts'
import { EVENT_VERSION } from '../../audit/record.ts'
import type { AuditTrail } from '../../audit/trail.ts'
import type { AwsError } from '../../model/aws_error.ts'
import type { OperationShape } from '../schema.ts'
import type { Call } from '../service.ts'
import { type Elements, compileEc2Elements, jsonElements, withoutSecrets } from './wire_names.ts'

/** JSON text of one side of a call; CloudTrail leaves a longer one out. */
export const ELEMENTS_LENGTH_MAX = 100 * 1024
/** Characters of a client's name for itself; the rest is cut. */
export const USER_AGENT_LENGTH_MAX = 1024

const EC2_SOURCE = 'ec2.amazonaws.com'
/** What a call that was not believed, or names no action, is recorded with. */
const REGION_UNKNOWN = 'unknown'
const EVENT_NAME_UNKNOWN = 'Unknown'

export interface CallRecorderDependencies {
  readonly trail: AuditTrail
  readonly clock: Clock
  readonly random: Random
}

/** Both sides of an operation of EC2. */
interface OperationElements { readonly request: Elements, readonly response: Elements }

export class CallRecorder {
  readonly #dependencies: CallRecorderDependencies
  readonly #compiled = new Map<OperationShape, OperationElements>()

  constructor (dependencies: CallRecorderDependencies) {
    this.#dependencies = dependencies
  }

  /** Hears of a call that is decided, and appends its record to the trail. */
  readonly record = (call: Call): void => {
    const { trail, clock, random } = this.#dependencies
    trail.append(this.recordOf(call, clock.nowMs(), newUuid(random)))
  }

  /** @param decidedMs when the call was decided, ms since 1970 */
  recordOf (call: Call, decidedMs: number, eventID: string): CloudTrailRecord {
    const { caller, refusal } = call
    const secrets: string[] = []
    const requestParameters = this.#requestOf(call, secrets)
    return {
      eventVersion: EVENT_VERSION,
      userIdentity: identityOf(call),
      eventTime: `${new Date(decidedMs).toISOString().slice(0, 19)}Z`,
      eventSource: call.service?.eventSource ?? EC2_SOURCE,
      eventName: call.action === '' ? EVENT_NAME_UNKNOWN : call.action,
      awsRegion: caller?.region ?? REGION_UNKNOWN,
      sourceIPAddress: call.sourceAddress,
      userAgent: userAgentOf(call),
      ...refusal === null
        ? {}
        : { errorCode: errorCodeOf(call, refusal),
            errorMessage: withoutSecrets(refusal.message, secrets) },
      requestParameters,
      responseElements: this.#responseOf(call),
      additionalEventData: {
        eventTimeMs: decidedMs, ...call.revision === null ? {} : { revision: call.revision }
      },
      requestID: call.requestId,
      eventID,
      readOnly: call.readOnly,
      eventType: 'AwsApiCall',
      managementEvent: true,
      ...caller === null ? {} : { recipientAccountId: caller.accountId },
      eventCategory: 'Management'
    }
  }

  #requestOf (call: Call, secrets: string[]): object | null {
    const { input, operation } = call
    if (input === null) return null
    return bounded(operation !== null && isEc2(call)
      ? this.#elementsOf(operation).request(input, secrets) as object
      : jsonElements(input, operation?.input, secrets))
  }

  #responseOf (call: Call): object | null {
    const { output, operation, requestId } = call
    if (call.readOnly || call.refusal !== null || output === null) return null
    if (operation === null || !isEc2(call)) {
      return bounded(jsonElements(output, operation?.output ?? undefined, []))
    }
    return bounded(operation.output === null
      ? { requestId, _return: true }
      : { requestId, ...this.#elementsOf(operation).response(output, []) as object })
  }

  #elementsOf (operation: OperationShape): OperationElements {
    const known = this.#compiled.get(operation)
    if (known !== undefined) return known
    const elements = {
      request: compileEc2Elements(operation.input, 'request'),
      response: compileEc2Elements(operation.output ?? operation.input, 'response')
    }
    this.#compiled.set(operation, elements)
    return elements
  }
}

function identityOf ({ caller, sourceAddress }: Call): UserIdentity {
  if (caller === null) return { type: 'Unknown' }
  const { accountId, accessKeyId } = caller
  return {
    type: 'Root', principalId: accountId, arn: `arn:aws:iam::${accountId}:root`, accountId,
    // A service that goes on by itself has no key of its caller any more.
    ...accessKeyId === '' ? {} : { accessKeyId },
    ...isIP(sourceAddress) === 0 ? { invokedBy: sourceAddress } : {}
  }
}

/** EC2's codes say whose fault it was; other services name their exception alone. */
function errorCodeOf (call: Call, { code, status }: AwsError): string {
  if (!isEc2(call)) return code
  return status >= 500 ? `Server.${code}` : `Client.${code}`
}

function userAgentOf ({ request }: Call): string {
  const agent = request.headers['user-agent']
  return typeof agent === 'string' ? agent.slice(0, USER_AGENT_LENGTH_MAX) : ''
}

function isEc2 ({ service }: Call): boolean {
  return service === null || service.eventSource === EC2_SOURCE
}

function bounded (elements: object): object | null {
  return JSON.stringify(elements).length > ELEMENTS_LENGTH_MAX ? null : elements
}
