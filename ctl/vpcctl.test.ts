/**
 * `vpcctl` against a real daemon that serves the API alone (test_vpcctl.ts).
 */
import { existsSync } from 'node:fs'
import test from 'ava'
import { stateDirectory } from '../daemon/host/paths.ts'
import { makeVpcctl, succeed } from './test_vpcctl.ts'

test('lab up, stop, up and down keep and remove what they say', async (t) => {
  const { name, vpcctl } = makeVpcctl(t)
  t.is((await vpcctl('lab', 'status')).code, 4)
  await succeed(t, vpcctl('lab', 'up', '--hosts', '0', '--api-port', '0'))
  const id = await succeed(t, vpcctl('vpc', 'create', '10.0.0.0/16', '--name', 'kept', '-q'))

  const again = await vpcctl('lab', 'up', '--hosts', '0')
  t.is(again.code, 0)
  t.regex(again.stderr, /is up already/)
  const other = await vpcctl('lab', 'up', '--spin-us', '7')
  t.is(other.code, 1)
  t.regex(other.stderr, /VPCLAB_ERR_LAB_RUNNING: .* another spinUs/)
  t.is((await vpcctl('lab', 'up', '--region', 'eu-west-1')).code, 2)
  const larger = await vpcctl('lab', 'up', '--hosts', '1')
  t.is(larger.code, 2)
  t.regex(larger.stderr, /The lab was made with hosts none, not host-1:use1-az1: remove it/)
  t.is((await vpcctl('--dry-run', 'lab', 'reset')).code, 2)
  t.is(await succeed(t, vpcctl('vpc', 'list', '-q')), id)

  await succeed(t, vpcctl('lab', 'stop'))
  t.is((await vpcctl('vpc', 'list')).code, 4)
  await succeed(t, vpcctl('lab', 'up'))
  t.is(await succeed(t, vpcctl('vpc', 'list', '-q')), id)

  await succeed(t, vpcctl('lab', 'reset'))
  t.is(await succeed(t, vpcctl('vpc', 'list', '-q')), '')
  await succeed(t, vpcctl('lab', 'down'))
  t.false(existsSync(stateDirectory(name)))
  await succeed(t, vpcctl('lab', 'down'))
})

test('a lab that cannot come up says why and leaves nothing', async (t) => {
  const { name, vpcctl } = makeVpcctl(t)
  const { code, stderr } = await vpcctl('lab', 'up', '--hosts', '0', '--api-port', '70000')
  t.is(code, 2)
  t.regex(stderr, /VPCLAB_ERR_CONFIG: .*--api-port/)
  t.false(existsSync(stateDirectory(name)))
})

test('resources are made, found by name, changed and deleted', async (t) => {
  const { vpcctl } = makeVpcctl(t)
  await succeed(t, vpcctl('lab', 'up', '--hosts', '0', '--api-port', '0'))
  const vpc = JSON.parse(await succeed(t,
    vpcctl('vpc', 'create', '10.0.0.0/16', '--name', 'web', '--ipv6', '--json'))) as
    { VpcId: string, Ipv6CidrBlockAssociationSet: { Ipv6CidrBlock: string }[] }
  t.is(vpc.Ipv6CidrBlockAssociationSet.length, 1)

  // The SDK's names, in every form of output.
  t.regex(await succeed(t, vpcctl('vpc', 'show', 'web')), new RegExp(`^VpcId +${vpc.VpcId}$`, 'm'))
  t.regex(await succeed(t, vpcctl('vpc', 'list')), new RegExp(`^VPC .*\\n${vpc.VpcId} +web `))

  await succeed(t, vpcctl('subnet', 'create', 'web', '10.0.1.0/24', '--name', 'front', '--ipv6'))
  await succeed(t, vpcctl('subnet', 'create', 'web', '10.0.2.0/24', '--name', 'back', '--ipv6'))
  const subnets = JSON.parse(await succeed(t,
    vpcctl('subnet', 'list', '--vpc', 'web', '--json'))) as
    { Ipv6CidrBlockAssociationSet: { Ipv6CidrBlock: string }[], AvailableIpAddressCount: number }[]
  t.is(new Set(subnets.map((subnet) =>
    subnet.Ipv6CidrBlockAssociationSet[0]?.Ipv6CidrBlock)).size, 2)
  t.is(subnets[0]?.AvailableIpAddressCount, 251)

  await succeed(t,
    vpcctl('eni', 'create', 'front', '--name', 'service', '--private-ip', '10.0.1.50'))
  await succeed(t, vpcctl('eni', 'set', 'service', '--source-dest-check', 'off'))
  await succeed(t, vpcctl('route-table', 'create', 'web', '--name', 'private'))
  await succeed(t,
    vpcctl('route-table', 'add-route', 'private', '192.0.2.0/24', '--eni', 'service'))
  await succeed(t, vpcctl('route-table', 'associate', 'private', 'back'))
  t.regex(await succeed(t, vpcctl('route-table', 'show', 'private')),
    /^192\.0\.2\.0\/24 +eni-\S+ +blackhole +CreateRoute$/m)

  const refused = await vpcctl('vpc', 'delete', 'web')
  t.is(refused.code, 1)
  t.regex(refused.stderr, /^vpcctl: DependencyViolation: /)
  await succeed(t, vpcctl('eni', 'delete', 'service'))
  const allowed = await vpcctl('--dry-run', 'subnet', 'delete', 'front')
  t.is(allowed.code, 0)
  t.regex(allowed.stdout, /allowed. Nothing was changed/)
  await succeed(t, vpcctl('route-table', 'disassociate', 'back'))
  await succeed(t, vpcctl('route-table', 'delete', 'private'))
  await succeed(t, vpcctl('subnet', 'delete', 'front'))
  await succeed(t, vpcctl('subnet', 'delete', 'back'))
  await succeed(t, vpcctl('vpc', 'delete', 'web'))
  t.is(await succeed(t, vpcctl('vpc', 'list', '--json')), '[]\n')
})

test('after "vpcctl env" any release of the aws CLI speaks to the lab', async (t) => {
  const { vpcctl, shell } = makeVpcctl(t)
  await succeed(t, shell('vpcctl lab up --hosts 0 --api-port 0'))
  t.is((await shell('vpcctl vpc show nothing')).code, 1)
  const id = await succeed(t, vpcctl('vpc', 'create', '10.0.0.0/16', '--name', 'a b', '-q'))
  t.is(await succeed(t, shell('eval "$(vpcctl env)"; aws ec2 describe-vpcs --output text ' +
    '--filters "Name=tag:Name,Values=a b" --query "Vpcs[].VpcId"')), id)
})

test('two resources of one name are told apart by id', async (t) => {
  const { vpcctl } = makeVpcctl(t)
  await succeed(t, vpcctl('lab', 'up', '--hosts', '0', '--api-port', '0'))
  const ids: string[] = []
  for (let count = 0; count < 2; count++) {
    const id = await succeed(t, vpcctl('vpc', 'create', '10.0.0.0/16', '--name', 'twin', '-q'))
    ids.push(id.trim())
  }
  const { code, stderr } = await vpcctl('vpc', 'delete', 'twin')
  t.is(code, 1)
  for (const id of ids) t.true(stderr.includes(id))
  await succeed(t, vpcctl('vpc', 'delete', ids[0] ?? ''))
  await succeed(t, vpcctl('vpc', 'delete', 'twin'))
})
