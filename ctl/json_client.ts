/**
 * AWS services of the JSON protocol as `vpcctl` speaks them: CloudTrail, Config, CloudWatch Logs,
 * Private CA and Certificate Manager. Smithy 2.0, "AWS JSON 1.1 protocol". The SDK gives the types
 * and is never loaded.
 *
 *     input ─▶ JSON ─ sigv4 ─▶ POST / with X-Amz-Target ─▶ JSON, or CtlError
 *
 * Times travel as seconds since 1970, which is what `Date` becomes here on the way out; answers
 * have numbers. Blobs are base64 texts.
 */
import { AwsEndpoint, type AwsEndpointOptions } from './aws_endpoint.ts'
import { CtlError } from './exit_codes.ts'

const CONTENT_TYPE = 'application/x-amz-json-1.1'

export interface JsonServiceName {
  /** As in the credential scope. */
  readonly name: string
  /** What stands before the dot of X-Amz-Target. */
  readonly targetPrefix: string
}

export const CLOUDTRAIL: JsonServiceName =
  { name: 'cloudtrail', targetPrefix: 'CloudTrail_20131101' }
export const CONFIG: JsonServiceName = { name: 'config', targetPrefix: 'StarlingDoveService' }
export const LOGS: JsonServiceName = { name: 'logs', targetPrefix: 'Logs_20140328' }
export const ACM: JsonServiceName = { name: 'acm', targetPrefix: 'CertificateManager' }
export const ACM_PCA: JsonServiceName = { name: 'acm-pca', targetPrefix: 'ACMPrivateCA' }

export class JsonClient {
  readonly #endpoint: AwsEndpoint

  constructor (options: AwsEndpointOptions) {
    this.#endpoint = new AwsEndpoint(options)
  }

  /** One call. @throws CtlError with AWS's code when it is refused */
  async call<Output> (service: JsonServiceName, operation: string, input: object): Promise<Output> {
    const body = JSON.stringify(input, function (this: Record<string, unknown>, name, value) {
      const original = this[name]
      return original instanceof Date ? original.getTime() / 1000 : value as unknown
    })
    const answer = await this.#endpoint.send({
      service: service.name,
      contentType: CONTENT_TYPE,
      body,
      headers: { 'x-amz-target': `${service.targetPrefix}.${operation}` }
    })
    const content = parse(operation, answer.body)
    if (answer.status >= 400) throw refusalOf(operation, answer.status, content)
    return content as Output
  }
}

function parse (operation: string, body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw new CtlError('InvalidAnswer', `${operation} was answered with no JSON`)
  }
}

function refusalOf (operation: string, status: number, content: unknown): CtlError {
  const { __type: code, message } =
    content as { readonly __type?: string, readonly message?: string }
  return new CtlError(code ?? 'InvalidAnswer',
    message ?? `${operation} was answered with HTTP status ${String(status)}`)
}
