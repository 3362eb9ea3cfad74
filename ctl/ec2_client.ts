/**
 * The EC2 API as `vpcctl` speaks it: encode, sign, send, decode. It never loads the AWS SDK, whose
 * EC2 client alone takes longer to load than a command may take.
 *
 *     input ─ ec2_query ─▶ form body ─ sigv4 ─▶ POST / ─▶ XML ─ ec2_answer ─▶ result, or CtlError
 */
import { AwsEndpoint, type AwsEndpointOptions, FORM_CONTENT_TYPE } from './aws_endpoint.ts'
import { READING_ACTION } from './command.ts'
import { decodeAnswer, decodeError } from './ec2_answer.ts'
import { encodeQuery, type QueryInput } from './ec2_query.ts'
import type { Ec2Action, Ec2Results } from './ec2_results.ts'
import { CtlError } from './exit_codes.ts'

/** Items asked for at once; the most that EC2 allows, where an action does not allow less. */
const PAGE_ITEMS = 1000
/** Pages of one listing; more means that the server's tokens never end. */
export const PAGES_MAX = 10_000

export interface Ec2ClientOptions extends AwsEndpointOptions {
  /** Sends `DryRun=true` with every call that changes something. */
  readonly dryRun: boolean
}

/** Describe actions that page. */
type PagedAction = {
  [A in Ec2Action]: Ec2Results[A] extends { NextToken?: string | undefined } ? A : never
}[Ec2Action]

export class Ec2Client {
  readonly #endpoint: AwsEndpoint
  readonly #dryRun: boolean

  constructor (options: Ec2ClientOptions) {
    this.#endpoint = new AwsEndpoint(options)
    this.#dryRun = options.dryRun
  }

  /** One call. @throws CtlError with AWS's code when it is refused */
  async call<A extends Ec2Action> (action: A, input: QueryInput): Promise<Ec2Results[A]> {
    const dryRunInput = this.#dryRun && !READING_ACTION.test(action) ? { DryRun: true } : {}
    const answer = await this.#endpoint.send({
      service: 'ec2',
      contentType: FORM_CONTENT_TYPE,
      body: encodeQuery(action, { ...input, ...dryRunInput })
    })
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
        await this.call(action, { MaxResults: PAGE_ITEMS, ...input, NextToken: nextToken })
      items.push(...itemsOf(page) ?? [])
      nextToken = (page as { NextToken?: string }).NextToken
      if (nextToken === undefined || nextToken === '') return items
    }
    throw new CtlError('InvalidAnswer',
      `${action} has more than ${String(PAGES_MAX)} pages of ${String(PAGE_ITEMS)} items`)
  }
}
