import test from 'ava'
import { systemClock } from '../../base/clock.ts'
import { systemRandom } from '../../base/random.ts'
import { AwsError } from '../../model/aws_error.ts'
import { TEST_ACCOUNT, TEST_REGION, TestWorld } from '../../model/test_world.ts'
import type { Call } from '../service.ts'
import { ACTIONS } from './actions/registry.ts'
import { ActionRunner } from './runner.ts'

const SERVICE = 'cloudformation.amazonaws.com'
const CALLER = { accessKeyId: 'AKIDTEST', accountId: TEST_ACCOUNT, region: TEST_REGION }
const INSIDE = { ...CALLER, invokedBy: SERVICE }

test('a call from inside is heard of like any other: what it asked, made, or was refused with',
  async (t) => {
    const world = new TestWorld()
    const calls: Call[] = []
    const runner = new ActionRunner(ACTIONS, {
      ledger: world, clock: systemClock, random: systemRandom,
      lab: () => ({ appliedRevision: world.snapshot.revision }),
      onInvoke: (call) => { calls.push(call) }
    })
    await runner.invoke(INSIDE, 'CreateVpc', { CidrBlock: '10.0.0.0/16' })
    await runner.invoke(INSIDE, 'DescribeVpcs', {})
    await t.throwsAsync(runner.invoke(INSIDE, 'CreateVpc', { CidrBlock: '10.0.0.0/8' }),
      { instanceOf: AwsError, message: /10\.0\.0\.0\/8/ })
    const [made, read, refused] = calls
    t.is(calls.length, 3)
    t.like(made, {
      action: 'CreateVpc', readOnly: false, input: { CidrBlock: '10.0.0.0/16' }, refusal: null,
      revision: world.snapshot.revision, caller: CALLER, sourceAddress: SERVICE
    })
    t.like(read, { action: 'DescribeVpcs', readOnly: true, revision: null })
    t.like(refused, { action: 'CreateVpc', output: null, revision: null })
    t.is(refused?.refusal?.code, 'InvalidVpc.Range')
  })
