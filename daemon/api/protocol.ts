/**
 * A protocol of AWS services: how a call names its operation and carries its input, and how output
 * and refusal go back. A service may speak several; the first that a call is made in answers it.
 *
 *     json_codec.ts     X-Amz-Target: CloudTrail_20131101.LookupEvents    JSON 1.0, 1.1
 *     cbor_codec.ts     POST /service/<target>/operation/ListMetrics      RPC v2 CBOR
 *     query_service.ts  Action=ListMetrics&Version=2010-08-01             query
 *     rest_xml.ts       GET /2013-04-01/hostedzone/Z0A                    REST XML
 */
import type { AwsError } from '../model/aws_error.ts'
import type { OperationShape, SchemaRegistry } from './schema.ts'
import type { Body, Call } from './service.ts'

export interface Protocol {
  /** Whether a call is made in it. */
  speaks(call: Call): boolean
  /**
   * The operation that a call names; empty when it names none of this service.
   * @param schemas of all operations of the service
   */
  operationOf(call: Call, schemas: SchemaRegistry): string
  /** @throws AwsError when the call does not carry an input of the operation */
  decode(operation: OperationShape, call: Call): object
  encode(operation: OperationShape, output: object, requestId: string): Body
  refuse(refusal: AwsError, requestId: string): Body
  /** Code of the refusal of an operation that the service does not have. */
  readonly unknownCode: string
  /** Code of the refusal of one that it has, and vpclab has not. */
  readonly unbuiltCode: string
}

/**
 * Header of refusals of services that once spoke the query protocol: the code there. Smithy 2.0,
 * "awsQueryCompatible trait".
 */
export function queryErrorHeaders (code: string, { status }: AwsError):
Readonly<Record<string, string>> {
  return { 'x-amzn-query-error': `${code};${status < 500 ? 'Sender' : 'Receiver'}` }
}
