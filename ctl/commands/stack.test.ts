/** `vpcctl stack` against a real daemon that serves the API alone. */
import test from 'ava'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeVpcctl, succeed } from '../test_vpcctl.ts'

const TEMPLATE = `
Parameters:
  Block: { Type: String, Default: 10.0.1.0/24 }
Resources:
  Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.0.0.0/16 } }
  Subnet: { Type: AWS::EC2::Subnet, Properties: { VpcId: !Ref Vpc, CidrBlock: !Ref Block } }
Outputs:
  Vpc: { Value: !Ref Vpc }
`

interface Shown {
  readonly StackStatus: string
  readonly Parameters: readonly object[]
  readonly StackResources: readonly { readonly LogicalResourceId: string }[]
}

test('stack create, update, show, events and delete', async (t) => {
  const { vpcctl, directory } = makeVpcctl(t)
  await succeed(t, vpcctl('lab', 'up', '--hosts', '0', '--api-port', '0'))
  const path = join(directory, 'template.yaml')
  writeFileSync(path, TEMPLATE)

  t.regex(await succeed(t, vpcctl('stack', 'validate', path)), /valid. Parameters: Block\./)
  const made = await vpcctl('stack', 'create', 'net', path)
  t.is(made.code, 0, made.stderr)
  t.regex(made.stdout, /net +CREATE_COMPLETE.*\nVpc = vpc-0/s)
  t.regex(made.stderr, /CREATE_COMPLETE +Subnet \(AWS::EC2::Subnet\)/)

  const failed = await vpcctl('stack', 'update', 'net', '--parameter', 'Block=10.9.0.0/24')
  t.is(failed.code, 1)
  t.regex(failed.stdout, /UPDATE_ROLLBACK_COMPLETE/)
  t.regex(failed.stderr, /CREATE_FAILED|UPDATE_FAILED +Subnet .*InvalidSubnet.Range/)
  const again = await vpcctl('stack', 'update', 'net', path)
  t.deepEqual([again.code, again.stderr],
    [1, 'vpcctl: ValidationError: No updates are to be performed.\n'])

  const shown = JSON.parse(await succeed(t, vpcctl('stack', 'show', 'net', '--json'))) as Shown
  t.is(shown.StackStatus, 'UPDATE_ROLLBACK_COMPLETE')
  t.deepEqual(shown.Parameters, [{ ParameterKey: 'Block', ParameterValue: '10.0.1.0/24' }])
  t.deepEqual(shown.StackResources.map(({ LogicalResourceId }) => LogicalResourceId).toSorted(),
    ['Subnet', 'Vpc'])
  t.is(await succeed(t, vpcctl('stack', 'template', 'net')), `${TEMPLATE.trimEnd()}\n`)
  t.regex(await succeed(t, vpcctl('stack', 'events', 'net')), /InvalidSubnet.Range/)

  await succeed(t, vpcctl('stack', 'delete', 'net'))
  t.is(await succeed(t, vpcctl('stack', 'list', '--quiet')), '')
  const absent = await vpcctl('stack', 'show', 'net')
  t.deepEqual([absent.code, absent.stderr],
    [1, 'vpcctl: ValidationError: Stack with id net does not exist\n'])
  t.is((await vpcctl('stack', 'create', 'x', join(directory, 'absent.yaml'))).code, 2)
})
