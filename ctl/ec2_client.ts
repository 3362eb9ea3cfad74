/**
 * The EC2 API as `vpcctl` speaks it: encode, sign, send, decode. It never loads the AWS SDK, whose
 * EC2 client alone takes longer to load than a command may take.
 *
 *     input ─ ec2_query ─▶ form body ─ sigv4 ─▶ POST / ─▶ XML ─ ec2_answer ─▶ result, or CtlError
 */
import type { Clock } from '../daemon/base/clock.ts'
import { decodeAnswer, decodeError } from './ec2_answer.ts'
import { encodeQuery, type QueryInput } from './ec2_query.ts'
import type { Ec2Action, Ec2Results } from './ec2_results.ts'
import { CtlError } from './exit_codes.ts'
import { sendHttp } from './http_client.ts'
import { signedHeaders } from './sigv4.ts'

const CONTENT_TYPE = 'application/x-www-form-urlencoded; charset=utf-8'
/** Items asked for at once; the most that EC2 allows. */
const PAGE_ITEMS = 1000
/** Pages of one listing; more means that the server's tokens never end. */
export const PAGES_MAX = 10_000

export interface Ec2ClientOptions {
  /** `http://127.0.0.1:4566` */
  readonly endpointUrl: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly clock: Clock
  /** Sends `DryRun=true` with every call that changes something. */
  readonly dryRun: boolean
}

/** Describe actions that page. */
type PagedAction = {
  [A in Ec2Action]: Ec2Results[A] extends { NextToken?: string | undefined } ? A : never
}[Ec2Action]

export class Ec2Client {
  readonly #options: Ec2ClientOptions
  readonly #endpoint: URL

  constructor (options: Ec2ClientOptions) {
    this.#options = options
    this.#endpoint = new URL(options.endpointUrl)
  }

  /** One call. @throws CtlError with AWS's code when it is refused */
  async call<A extends Ec2Action> (action: A, input: QueryInput): Promise<Ec2Results[A]> {
    const { clock, dryRun } = this.#options
    const dryRunInput = dryRun && !action.startsWith('Describe') ? { DryRun: true } : {}
    const body = encodeQuery(action, { ...input, ...dryRunInput })
    const { hostname, port, host } = this.#endpoint
    const signable = { method: 'POST', path: '/', host, contentType: CONTENT_TYPE, body } as const
    const answer = await sendHttp({
      method: 'POST',
      at: { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 80 : Number(port) },
      path: '/',
      headers: signedHeaders(signable, this.#options, 'ec2', clock.nowMs()),
      body
    }).catch((error: unknown) => { throw this.#unreachable(error as NodeJS.ErrnoException) })
    if (answer.status >= 400) throw decodeError(action, answer.status, answer.body)
    return decodeAnswer(action, answer.body) as unknown as Ec2Results[A]
  }

  /** Every page of a listing: `all('DescribeVpcs', {}, page => page.Vpcs)`. */
  async all<A extends PagedAction, Item> (action: A, input: QueryInput,
    itemsOf: (page: Ec2Results[A]) => readonly Item[] | undefined): Promise<Item[]> {
    const items: Item[] = []
    let nextToken: string | undefined
    for (let pages = 0; pages < PAGES_MAX; pages++) {
      const page =
        await this.call(action, { ...input, MaxResults: PAGE_ITEMS, NextToken: nextToken })
      items.push(...itemsOf(page) ?? [])
      nextToken = (page as { NextToken?: string }).NextToken
      if (nextToken === undefined || nextToken === '') return items
    }
    throw new CtlError('InvalidAnswer',
      `${action} has more than ${String(PAGES_MAX)} pages of ${String(PAGE_ITEMS)} items`)
  }

  #unreachable (error: NodeJS.ErrnoException): CtlError {
    return new CtlError('VPCLAB_ERR_LAB_DOWN',
      `The EC2 API at ${this.#options.endpointUrl} cannot be reached: ${error.message}`)
  }
}
