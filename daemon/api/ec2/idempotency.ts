/**
 * Idempotency tokens: the same call with the same `ClientToken` acts once and answers the same
 * every time. EC2 API Reference, "Ensuring idempotency in Amazon EC2 API requests".
 *
 * The first call's result is a record that is committed with the call's changes, so there is no
 * moment at which one exists without the other. A record is good for 24 hours; each call with a
 * token takes a few older ones with it, so that the table holds a day's tokens and not more.
 */
import { createHash } from 'node:crypto'
import { AwsError } from '../../model/aws_error.ts'
import type { Plan } from '../../model/plan.ts'
import type { Change, Snapshot } from '../../model/snapshot.ts'
import { put, remove } from '../../model/snapshot.ts'
import type { Parameters } from '../query.ts'
import type { Caller } from '../sigv4.ts'

export const CLIENT_TOKEN_LENGTH_MAX = 64
export const CLIENT_TOKEN_AGE_MAX_MS = 24 * 3600 * 1000
/** Old records that one call removes. */
export const EXPIRED_REMOVED_MAX = 16

/** What ties a call to its token. */
export interface IdempotentCall {
  /** Key of the record: account, Region, action and token. */
  readonly key: string
  /** SHA-256 of the parameters without the token, hex. */
  readonly requestHash: string
}

const PRINTABLE_ASCII = /^[\x21-\x7e]+$/
const NOT_HASHED = new Set(['Action', 'Version', 'ClientToken', 'DryRun'])

/** @throws AwsError InvalidClientToken */
export function idempotentCall (caller: Caller, action: string, token: string,
  parameters: Parameters): IdempotentCall {
  if (token.length > CLIENT_TOKEN_LENGTH_MAX || !PRINTABLE_ASCII.test(token)) {
    throw new AwsError('InvalidClientToken',
      `The client token has ${String(token.length)} characters; expecting 1 to ` +
      `${String(CLIENT_TOKEN_LENGTH_MAX)} printable ASCII ones`)
  }
  const hash = createHash('sha256')
  for (const name of [...parameters.keys()].sort()) {
    if (!NOT_HASHED.has(name)) hash.update(JSON.stringify([name, parameters.get(name)]))
  }
  return {
    key: [caller.accountId, caller.region, action, token].join('/'), requestHash: hash.digest('hex')
  }
}

/**
 * A plan that acts at most once.
 * @param plan makes the plan of a first call
 * @throws AwsError IdempotentParameterMismatch when the token belongs to another request
 */
export function planOnce<Result> (snapshot: Snapshot, call: IdempotentCall, nowMs: number,
  plan: () => Plan<Result>): Plan<Result> {
  const { idempotency } = snapshot.tables
  const earliestMs = nowMs - CLIENT_TOKEN_AGE_MAX_MS
  const first = idempotency.get(call.key)
  if (first !== undefined && first.createdMs > earliestMs) {
    if (first.requestHash !== call.requestHash) {
      throw new AwsError('IdempotentParameterMismatch',
        'The request uses the same client token as a previous, but non-identical request. ' +
        'Use a token for one request only.')
    }
    return { changes: [], result: first.result as Result }
  }
  const { changes, result } = plan()
  const expired: Change[] = []
  for (const record of idempotency.values()) {
    if (record.createdMs > earliestMs || expired.length === EXPIRED_REMOVED_MAX) break
    if (record.id !== call.key) expired.push(remove('idempotency', record.id))
  }
  const kept = put('idempotency', {
    id: call.key, requestHash: call.requestHash, result, createdMs: nowMs
  })
  return { changes: [...changes, kept, ...expired], result }
}
