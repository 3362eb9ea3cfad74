/**
 * AWS Config as a service behind the endpoint: GetResourceConfigHistory over the change history.
 * AWS Config API Reference, GetResourceConfigHistory.
 *
 * There is no recorder to make or start: every commit is kept. Newest items come first, unless the
 * caller asks for `Forward`. Times are inclusive at both ends.
 */
import type {
  GetResourceConfigHistoryRequest, GetResourceConfigHistoryResponse
} from '@aws-sdk/client-config-service'
import type { ChangeHistory, PastResource } from '../../audit/change_history.ts'
import type { AuditTrail } from '../../audit/trail.ts'
import { AwsError } from '../../model/aws_error.ts'
import type { Action } from '../ec2/action.ts'
import { createJsonService } from '../json_codec.ts'
import { defineOperation } from '../operation_service.ts'
import type { Service } from '../service.ts'
import type { Caller } from '../sigv4.ts'
import { configurationItem } from './configuration_item.ts'
import { Past, type PastQuery } from './past.ts'
import { RESOURCE_DESCRIPTIONS, type ResourceDescription } from './resource_types.ts'

/** Items of one page, at most and by default. */
export const LIMIT_MAX = 100
const LIMIT_DEFAULT = 10

export interface ConfigServiceDependencies {
  readonly history: ChangeHistory
  readonly trail: AuditTrail
  /** EC2's, of which the Describe actions are used. */
  readonly actions: readonly Action[]
}

export function createConfigService (dependencies: ConfigServiceDependencies): Service {
  const { history, trail, actions } = dependencies
  const past = new Past(history, actions)
  return createJsonService({
    name: 'config',
    targetPrefix: 'StarlingDoveService',
    loadClient: () => import('@aws-sdk/client-config-service'),
    operations: [
      defineOperation<GetResourceConfigHistoryRequest, GetResourceConfigHistoryResponse>({
        name: 'GetResourceConfigHistory',
        answer: (caller, input) => {
          const type = typeOf(input)
          const query = queryOf(input, history)
          const resource = resourceOf(history, caller, type, input)
          const { states, next } = past.page(resource, type, query)
          const first = Math.max(resource.firstRevision, history.beginRevision)
          return {
            configurationItems: states.map((state) => configurationItem(
              resource, String(input.resourceType), state, state.revision === first,
              trail.eventOfRevision(state.revision))),
            ...next === null ? {} : { nextToken: writeToken(query.order, next) }
          }
        }
      })
    ]
  })
}

function typeOf (input: GetResourceConfigHistoryRequest): ResourceDescription {
  const resourceType = String(input.resourceType)
  const type = Object.hasOwn(RESOURCE_DESCRIPTIONS, resourceType)
    ? RESOURCE_DESCRIPTIONS[resourceType]
    : undefined
  if (type === undefined) {
    throw new AwsError('ValidationException', `The resource type ${resourceType.slice(0, 64)} is ` +
      `not recorded; expecting one of ${Object.keys(RESOURCE_DESCRIPTIONS).join(', ')}`)
  }
  return type
}

function resourceOf (history: ChangeHistory, caller: Caller, { noun }: ResourceDescription,
  { resourceType, resourceId = '' }: GetResourceConfigHistoryRequest): PastResource {
  const resource = history.find(noun, resourceId)
  if (resource === undefined || resource.ownerId !== caller.accountId ||
    resource.region !== caller.region) {
    throw new AwsError('ResourceNotDiscoveredException',
      `Resource ${resourceId.slice(0, 64)} of resourceType:${String(resourceType)} is unknown or ` +
      'has not been discovered')
  }
  return resource
}

function queryOf (input: GetResourceConfigHistoryRequest, history: ChangeHistory): PastQuery {
  const { earlierTime, laterTime, nextToken, chronologicalOrder: order = 'Reverse' } = input
  if (!ORDERS.includes(order)) {
    throw new AwsError('ValidationException',
      `The chronological order ${order} is not known; expecting Reverse or Forward`)
  }
  if (earlierTime !== undefined && laterTime !== undefined && earlierTime > laterTime) {
    throw new AwsError('InvalidTimeRangeException', 'The specified time range is not valid. The ' +
      'earlier time is not chronologically before the later time.')
  }
  const query = {
    order, limit: limitOf(input),
    after: earlierTime === undefined ? 0 : history.revisionAt(earlierTime.getTime() - 1),
    upTo: laterTime === undefined
      ? Number.MAX_SAFE_INTEGER
      : history.revisionAt(laterTime.getTime())
  } as const
  if (nextToken === undefined) return query
  const edge = readToken(order, nextToken)
  return order === 'Forward' ? { ...query, after: edge } : { ...query, upTo: edge }
}

function limitOf ({ limit = 0 }: GetResourceConfigHistoryRequest): number {
  if (Number.isInteger(limit) && limit >= 0 && limit <= LIMIT_MAX) {
    return limit === 0 ? LIMIT_DEFAULT : limit
  }
  throw new AwsError('InvalidLimitException',
    `The limit is ${String(limit)}; expecting 1 to ${String(LIMIT_MAX)}, or 0 for the default`)
}

const ORDERS: readonly string[] = ['Forward', 'Reverse']
const TOKEN = /^(Forward|Reverse) ([0-9]{1,15})$/

function writeToken (order: string, edge: number): string {
  return Buffer.from(`${order} ${String(edge)}`).toString('base64url')
}

function readToken (order: string, token: string): number {
  const match = TOKEN.exec(Buffer.from(token, 'base64url').toString())
  if (match?.[1] !== order) {
    throw new AwsError('InvalidNextTokenException',
      'The nextToken is not one that an answer to the same question carried')
  }
  return Number(match[2])
}
