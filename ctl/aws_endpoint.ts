/**
 * The lab's AWS endpoint: one address for every service, one key, signed requests. The clients of
 * the services (ec2_client.ts, cloudformation_client.ts, json_client.ts, route53_client.ts) say
 * what is in them.
 */
import type { Clock } from '../daemon/base/clock.ts'
import { CtlError } from './exit_codes.ts'
import { type HttpAnswer, sendHttp } from './http_client.ts'
import { signedHeaders } from './sigv4.ts'

/** Content type of the query protocols. */
export const FORM_CONTENT_TYPE = 'application/x-www-form-urlencoded; charset=utf-8'

export interface AwsEndpointOptions {
  /** `http://127.0.0.1:4566` */
  readonly endpointUrl: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly clock: Clock
}

/** What a service is asked. */
export interface AwsRequest {
  /** The service's name in the credential scope, `ec2`. */
  readonly service: string
  /** POST to `/` when absent. */
  readonly method?: 'DELETE' | 'GET' | 'POST'
  readonly path?: string
  /** As SignableRequest has it. */
  readonly query?: string
  readonly contentType: string
  readonly body: string
  /** Besides those of the signature. */
  readonly headers?: Readonly<Record<string, string>>
}

export class AwsEndpoint {
  readonly #options: AwsEndpointOptions
  readonly #url: URL

  constructor (options: AwsEndpointOptions) {
    this.#options = options
    this.#url = new URL(options.endpointUrl)
  }

  /**
   * Signs and sends. @returns the answer, whatever its status
   * @throws CtlError VPCLAB_ERR_LAB_DOWN when nobody answers
   */
  async send ({ service, contentType, body, headers, method = 'POST', path = '/', query = '' }:
  AwsRequest): Promise<HttpAnswer> {
    const { hostname, port, host } = this.#url
    const signable = { method, path, query, host, contentType, body }
    return await sendHttp({
      method,
      at: { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 80 : Number(port) },
      path: query === '' ? path : `${path}?${query}`,
      headers: {
        ...signedHeaders(signable, this.#options, service, this.#options.clock.nowMs()),
        ...headers
      },
      body
    }).catch((error: unknown) => {
      throw new CtlError('VPCLAB_ERR_LAB_DOWN', `The API at ${this.#options.endpointUrl} cannot ` +
        `be reached: ${(error as Error).message}`)
    })
  }
}
