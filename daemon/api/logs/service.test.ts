/** Calls of CloudWatch Logs, as clients make them. */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LogGroups } from '../../flow_logs/log_groups.ts'
import { AwsError } from '../../model/aws_error.ts'
import { Call } from '../service.ts'
import type { Service } from '../service.ts'
import { createLogsService } from './service.ts'

const ACCOUNT = '111111111111'
const REGION = 'us-east-1'
const ARN = `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:flows`

/** Groups "flows" and "others", with one stream and two events each. */
function serviceOf (t: ExecutionContext): Service {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-logs-'))
  const groups = new LogGroups(join(directory, 'log_groups.sqlite'))
  t.teardown(() => {
    groups.close()
    rmSync(directory, { recursive: true })
  })
  groups.append(['flows', 'others'].map((groupName) => ({
    accountId: ACCOUNT, region: REGION, groupName, streamName: 'eni-1-all',
    events: [1000, 2000].map((atMs) => ({ atMs, message: `${groupName} ${String(atMs)}` }))
  })), 9000)
  return createLogsService(groups)
}

async function ask (service: Service, operation: string, input: object): Promise<unknown> {
  const call = new Call('request-1', {
    method: 'POST', path: '/', query: '', body: JSON.stringify(input),
    headers: { 'x-amz-target': `Logs_20140328.${operation}` }
  }, '127.0.0.1', 0)
  call.caller = { accountId: ACCOUNT, region: REGION, accessKeyId: 'AKID' }
  try {
    return JSON.parse(String((await service.call(call)).content))
  } catch (error) {
    if (error instanceof AwsError) return error.code
    throw error
  }
}

test('groups are found by prefix or by a part of their name', async (t) => {
  const service = serviceOf(t)
  const namesOf = async (input: object): Promise<unknown> => {
    const answer = await ask(service, 'DescribeLogGroups', input) as
      { readonly logGroups: readonly { readonly logGroupName: string }[] } | string
    return typeof answer === 'string'
      ? answer
      : answer.logGroups.map(({ logGroupName }) => logGroupName)
  }
  t.deepEqual(await namesOf({}), ['flows', 'others'])
  t.deepEqual(await namesOf({ logGroupNamePrefix: 'o' }), ['others'])
  t.deepEqual(await namesOf({ logGroupNamePattern: 'low' }), ['flows'])
  t.is(await namesOf({ logGroupNamePrefix: 'o', logGroupNamePattern: 'low' }),
    'InvalidParameterException')
  t.is(await namesOf({ accountIdentifiers: [ACCOUNT] }), 'InvalidParameterException')
})

test('a group is named by its name, or by its name or ARN as an identifier', async (t) => {
  const service = serviceOf(t)
  const asked = async (input: object): Promise<unknown> => {
    const answer = await ask(service, 'GetLogEvents', { logStreamName: 'eni-1-all', ...input }) as
      { readonly events: readonly { readonly message: string }[] } | string
    return typeof answer === 'string' ? answer : answer.events.map(({ message }) => message)
  }
  for (const name of [{ logGroupName: 'flows' }, { logGroupIdentifier: 'flows' },
    { logGroupIdentifier: ARN }, { logGroupIdentifier: `${ARN}:*` }]) {
    t.deepEqual(await asked(name), ['flows 1000', 'flows 2000'], JSON.stringify(name))
  }
  t.is(await asked({}), 'InvalidParameterException')
  t.is(await asked({ logGroupName: 'flows', logGroupIdentifier: 'flows' }),
    'InvalidParameterException')
  t.is(await asked({ logGroupIdentifier: ARN.replace(ACCOUNT, '222222222222') }),
    'ResourceNotFoundException')
})

test('operations that write are not built', async (t) => {
  t.is(await ask(serviceOf(t), 'CreateLogGroup', { logGroupName: 'x' }),
    'UnsupportedOperationException')
})
