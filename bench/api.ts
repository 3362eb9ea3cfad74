/**
 * Bench `api`: the EC2 endpoint with the embedded store, over HTTP with signed requests.
 *
 *     npm run bench -- api [--json]
 *
 *     createVpcPerSecond    CreateVpc calls answered in a second, CALLERS at a time
 *     describe1000VpcsMs    one DescribeVpcs of 1,000 VPCs, request to last byte; median of repeats
 *     sdkColdStartMs        from the start of a process to the SDK's first answer; median
 *
 * Server and client share this process and so one core: the server alone is faster. Requests are
 * signed once each by AWS's signer; answers are read, and checked for what they should hold.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Endpoint } from '../test/conformance/endpoint.ts'
import { ALICE, openEndpoint } from '../test/conformance/endpoint.ts'
import { CALLERS, caller, REGION } from './api/caller.ts'
import { median, significant } from './statistics.ts'

const VPCS = 1000
const WARM_UP_CALLS = 100
const DESCRIBE_REPEATS = 15
const COLD_STARTS = 5
const COLD_START = join(import.meta.dirname, 'api', 'cold_start.ts')

export async function run (args: readonly string[]): Promise<void> {
  const warmUp = await openEndpoint({ quotas: { 'vpcs-per-region': WARM_UP_CALLS } })
  await createVpcs(warmUp, WARM_UP_CALLS)
  await warmUp.close()
  const endpoint = await openEndpoint({ quotas: { 'vpcs-per-region': VPCS } })
  try {
    const result = {
      createVpcPerSecond: significant(await createVpcs(endpoint, VPCS)),
      describe1000VpcsMs: significant(await describeVpcs(endpoint)),
      sdkColdStartMs: significant(await coldStarts(endpoint))
    }
    console.error(
      `CreateVpc: ${String(result.createVpcPerSecond)} a second, ${String(CALLERS)} at a time`)
    console.error(`DescribeVpcs of ${String(VPCS)} VPCs: ${String(result.describe1000VpcsMs)} ms`)
    console.error(`AWS SDK, from nothing to its first answer: ${String(result.sdkColdStartMs)} ms`)
    if (args.includes('--json')) console.log(JSON.stringify(result))
  } finally {
    await endpoint.close()
  }
}

/** @returns calls a second */
async function createVpcs (endpoint: Endpoint, count: number): Promise<number> {
  const call = caller(endpoint)
  const startMs = performance.now()
  let left = count
  await Promise.all(Array.from({ length: CALLERS }, async () => {
    while (left-- > 0) await call({ Action: 'CreateVpc', CidrBlock: '10.0.0.0/16' })
  }))
  return count / ((performance.now() - startMs) / 1000)
}

/** @returns the median of ms for all VPCs in one answer */
async function describeVpcs (endpoint: Endpoint): Promise<number> {
  const call = caller(endpoint)
  const tookMs: number[] = []
  for (let repeat = 0; repeat < DESCRIBE_REPEATS; repeat++) {
    const startMs = performance.now()
    const answer = await call({ Action: 'DescribeVpcs' })
    tookMs.push(performance.now() - startMs)
    const found = answer.split('<vpcId>').length - 1
    if (found !== VPCS) {
      throw new Error(`DescribeVpcs answered ${String(found)} VPCs, not ${String(VPCS)}`)
    }
  }
  return median(tookMs)
}

/** @returns the median of ms from the start of a process to the first answer */
async function coldStarts (endpoint: Endpoint): Promise<number> {
  const tookMs: number[] = []
  for (let repeat = 0; repeat < COLD_STARTS; repeat++) {
    const { stdout } = await promisify(execFile)(
      process.execPath, [COLD_START, endpoint.url, REGION], {
      env: {
        ...process.env,
        AWS_ACCESS_KEY_ID: ALICE.accessKeyId,
        AWS_SECRET_ACCESS_KEY: ALICE.secretAccessKey
      }
    })
    tookMs.push(Number(stdout))
  }
  return median(tookMs)
}
