/**
 * Refusals of API calls, as EC2 words them: AWS's own code, a message that names the thing, its
 * value and what would be right, and the HTTP status.
 *
 * Source: EC2 API Reference, "Error codes for the Amazon EC2 API".
 */

/** HTTP statuses that differ from 400. Every other code answers 400. */
const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  AuthFailure: 401,
  UnauthorizedOperation: 403,
  NotAuthorizedException: 401,
  ChangeSetNotFound: 404,
  NoSuchChange: 404,
  NoSuchHostedZone: 404,
  VPCAssociationAuthorizationNotFound: 404,
  VPCAssociationNotFound: 404,
  HostedZoneAlreadyExists: 409,
  DryRunOperation: 412,
  InternalError: 500,
  RequestLimitExceeded: 503,
  Unavailable: 503
}

/** A refused call. Throwing one from a plan changes nothing in the store. */
export class AwsError extends Error {
  override readonly name = 'AwsError'
  /** EC2 error code, spelled exactly as AWS spells it. */
  readonly code: string
  /** HTTP status of the answer. */
  readonly status: number
  constructor (code: string, message: string) {
    super(message)
    this.code = code
    this.status = STATUS_OF_CODE[code] ?? 400
  }
}
