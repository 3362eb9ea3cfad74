/** Who am I: what scripts, the AWS command line and Terraform's provider ask first. */
import test from 'ava'
import { GetCallerIdentityCommand, GetSessionTokenCommand, STSClient } from '@aws-sdk/client-sts'
import { commandLine } from './command_line.ts'
import { ALICE, BOB, openEndpoint } from './endpoint.ts'

test('every key is told its account, by the command line and by the SDK', async (t) => {
  const endpoint = await openEndpoint()
  t.teardown(async () => { await endpoint.close() })
  const { code, output } = await commandLine(endpoint, 'sts')('get-caller-identity')
  t.is(code, '')
  t.deepEqual(output, {
    UserId: ALICE.accountId, Account: ALICE.accountId, Arn: `arn:aws:iam::${ALICE.accountId}:root`
  })
  const sts = new STSClient(
    { endpoint: endpoint.url, region: 'eu-west-1', credentials: BOB, maxAttempts: 1 })
  t.is((await sts.send(new GetCallerIdentityCommand({}))).Account, BOB.accountId)
  await t.throwsAsync(sts.send(new GetSessionTokenCommand({})), { name: 'UnsupportedOperation' })
})

test('an unknown key is nobody', async (t) => {
  const endpoint = await openEndpoint()
  t.teardown(async () => { await endpoint.close() })
  const sts = new STSClient({
    endpoint: endpoint.url, region: 'us-east-1', maxAttempts: 1,
    credentials: { accessKeyId: 'AKIDNOBODY', secretAccessKey: 'x' }
  })
  await t.throwsAsync(sts.send(new GetCallerIdentityCommand({})), { name: 'AuthFailure' })
})
