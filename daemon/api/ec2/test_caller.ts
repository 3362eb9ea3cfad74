/**
 * The stock SDK's client on the actions themselves, for tests: its wire format goes straight to an
 * ActionRunner over a TestWorld, without HTTP, keys or a store.
 *
 *     EC2Client ─▶ query parameters ─▶ ActionRunner ─▶ XML ─▶ EC2Client
 */
import { EC2Client } from '@aws-sdk/client-ec2'
import type { Random } from '../../base/random.ts'
import { AwsError } from '../../model/aws_error.ts'
import type { TestWorld } from '../../model/test_world.ts'
import { TEST_ACCOUNT, TEST_REGION } from '../../model/test_world.ts'
import { parseParameters } from '../query.ts'
import { Call } from '../service.ts'
import { ACTIONS } from './actions/registry.ts'
import { ActionRunner } from './runner.ts'
import { writeError } from './xml_writer.ts'

const REQUEST_ID = '00000000-0000-4000-8000-000000000000'

/** Counts up, so that ids differ, between accounts too, and every run has the same. */
class CountingRandom implements Random {
  #count: number

  constructor (accountId: string) {
    this.#count = Number(accountId.slice(-3)) * 0x1000
  }

  bytes (count: number): Uint8Array {
    this.#count++
    return Uint8Array.from(Buffer.from(this.#count.toString(16).padStart(count * 2, '0'), 'hex'))
  }
}

/** What the client's handler answers; the SDK knows it by its shape. */
interface HandlerAnswer {
  readonly response: {
    readonly statusCode: number
    readonly headers: Readonly<Record<string, string>>
    readonly body: Uint8Array
  }
}

/**
 * A client of an account whose calls change `world`.
 * @param appliedRevision revision that all agents have applied; the newest when not given
 */
export function testClient (world: TestWorld, accountId = TEST_ACCOUNT,
  appliedRevision = (): number => world.snapshot.revision): EC2Client {
  const runner = new ActionRunner(ACTIONS, {
    ledger: world,
    clock: { nowMs: () => world.nowMs, monotonicMs: () => world.nowMs },
    random: new CountingRandom(accountId),
    lab: () => ({ appliedRevision: appliedRevision() })
  })
  const caller = { accessKeyId: 'AKIDTEST', accountId, region: TEST_REGION }
  const handle = async (request: { readonly body?: unknown }): Promise<HandlerAnswer> => {
    try {
      const body = String(request.body)
      const call = new Call(REQUEST_ID, { method: 'POST', path: '/', query: '', headers: {}, body },
        '127.0.0.1', world.nowMs)
      call.caller = caller
      return answer(200, await runner.run(call, parseParameters(body)))
    } catch (error) {
      if (error instanceof AwsError) return answer(error.status, writeError(error, REQUEST_ID))
      throw error
    }
  }
  return new EC2Client({
    region: TEST_REGION,
    endpoint: 'http://127.0.0.1:4566',
    credentials: { accessKeyId: 'AKIDTEST', secretAccessKey: 'secret' },
    maxAttempts: 1,
    requestHandler: { handle }
  })
}

function answer (statusCode: number, xml: string): HandlerAnswer {
  return { response: { statusCode, headers: { 'content-type': 'text/xml' },
    body: Buffer.from(xml) } }
}

/** @returns the code that a call is refused with, or an empty string when it is not */
export async function refusalOf (call: Promise<unknown>): Promise<string> {
  try {
    await call
    return ''
  } catch (error) {
    if (error instanceof Error) return error.name
    throw error
  }
}
