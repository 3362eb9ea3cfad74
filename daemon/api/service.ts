/**
 * What an AWS service behind the endpoint is. The credential scope of a request's signature names
 * the service, as it does for AWS's own front doors; the service reads the rest in its protocol.
 *
 *     HTTP ─▶ endpoint.ts: who, which service ─▶ Service.call ─▶ body
 *                    └─ refused anywhere ─▶ Service.refuse ─▶ body
 *
 * To add a service: a folder `api/<service>/` with one value of this type, and one line where the
 * endpoint is made.
 */
import { AwsError } from '../model/aws_error.ts'
import type { OperationShape } from './schema.ts'
import type { Caller, SignedRequest } from './sigv4.ts'

/** An answer in a service's protocol. */
export interface Body {
  readonly contentType: string
  readonly content: string | Uint8Array
  /** What the protocol adds to the headers of an answer. */
  readonly headers?: Readonly<Record<string, string>>
  /** HTTP status of an answer that is no refusal; 200 when absent. */
  readonly status?: number
}

export interface Service {
  /** As in the credential scope, `ec2`. */
  readonly name: string
  /** As the audit trail names it, `ec2.amazonaws.com`. */
  readonly eventSource: string
  /** What the paths of its resources begin with, `/2013-04-01/`; absent where calls name none. */
  readonly pathPrefix?: string
  /**
   * Does what `call.request` asks, and notes in `call` what that was.
   * @throws AwsError to refuse; VpclabError when the store fails
   */
  call(call: Call): Promise<Body>
  /**
   * The service's error document.
   * @param call for a service that speaks several protocols; absent where there is none
   */
  refuse(refusal: AwsError, requestId: string, call?: Call): Body
}

/** AWS's words for what changes nothing. A call that names no action changes nothing either. */
const READING_VERB = /^(Describe|Get|List|Lookup|Search|Validate|$)/

/** One call, and what becomes known of it while it is answered: what the audit trail records. */
export class Call {
  readonly requestId: string
  readonly request: SignedRequest
  readonly startMs: number
  /** Address of the client. */
  readonly sourceAddress: string
  /** null until the signature is believed. */
  caller: Caller | null = null
  service: Service | null = null
  /** `CreateVpc`; empty while unknown. */
  action = ''
  /** Whether the action only reads, where the service says so; else its verb does. */
  isRead: boolean | null = null
  /** The action's input in the SDK's names; null when it could not be decoded. */
  input: object | null = null
  /** The action's output in the SDK's names; null when the call was refused. */
  output: object | null = null
  /** What the schemas say of input and output; null while unknown. */
  operation: OperationShape | null = null
  /** Revision of the commit that the call made; null when it changed nothing. */
  revision: number | null = null
  refusal: AwsError | null = null

  constructor (requestId: string, request: SignedRequest, sourceAddress: string,
    startMs: number) {
    this.requestId = requestId
    this.request = request
    this.sourceAddress = sourceAddress
    this.startMs = startMs
  }

  /** Precondition: the endpoint has authenticated the call. */
  get identity (): Caller {
    if (this.caller === null) throw new AwsError('AuthFailure', 'The call is not authenticated')
    return this.caller
  }

  get readOnly (): boolean { return this.isRead ?? READING_VERB.test(this.action) }

  /** The parameters of a query protocol: of the body, or of a presigned call's address. */
  get form (): string {
    const { method, query } = this.request
    return method === 'GET' ? withoutSignature(query) : this.text
  }

  /** The body of a protocol of texts. */
  get text (): string {
    const { body } = this.request
    return typeof body === 'string' ? body : Buffer.from(body).toString()
  }
}

/** The parameters of a presigned call are all but those of the signature. */
function withoutSignature (query: string): string {
  const parameters = new URLSearchParams(query)
  for (const name of [...parameters.keys()]) {
    if (name.startsWith('X-Amz-')) parameters.delete(name)
  }
  return parameters.toString()
}
