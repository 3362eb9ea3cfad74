/**
 * The stock AWS command line (Debian's package awscli) against the API:
 *
 *     create a VPC, two subnets in two zones ─▶ describe, filter, tag ─▶ delete all
 */
import test from 'ava'
import { commandLine } from './command_line.ts'
import { openEndpoint } from './endpoint.ts'

interface Tagged { readonly Tags?: readonly { readonly Key: string, readonly Value: string }[] }
interface Subnet extends Tagged {
  readonly SubnetId: string
  readonly AvailabilityZone: string
  readonly AvailableIpAddressCount: number
}

test('the AWS command line makes a network and takes it down', async (t) => {
  const endpoint = await openEndpoint()
  t.teardown(async () => { await endpoint.close() })
  const aws = commandLine(endpoint)

  const made = await aws('create-vpc', '--cidr-block', '10.0.0.0/16',
    '--amazon-provided-ipv6-cidr-block',
    '--tag-specifications', 'ResourceType=vpc,Tags=[{Key=Name,Value=main <&>}]')
  t.is(made.code, '')
  const vpc = made.output['Vpc'] as Tagged & { readonly VpcId: string, readonly State: string }
  t.is(vpc.State, 'pending')
  t.deepEqual(vpc.Tags?.find((tag) => tag.Key === 'Name')?.Value, 'main <&>')
  t.is((await aws('wait', 'vpc-available', '--vpc-ids', vpc.VpcId)).code, '')

  const subnets: Subnet[] = []
  for (const [cidr, zone] of [['10.0.1.0/24', 'us-east-1a'],
    ['10.0.2.0/28', 'us-east-1b']] as const) {
    const { code, output } = await aws(
      'create-subnet', '--vpc-id', vpc.VpcId, '--cidr-block', cidr, '--availability-zone', zone)
    t.is(code, '')
    subnets.push(output['Subnet'] as Subnet)
  }
  t.deepEqual(subnets.map((subnet) => [subnet.AvailabilityZone, subnet.AvailableIpAddressCount]),
    [['us-east-1a', 251], ['us-east-1b', 11]])
  const [first, second] = subnets.map((subnet) => subnet.SubnetId)
  if (first === undefined || second === undefined) throw new Error('two subnets')

  t.is((
    await aws('create-tags', '--resources', first, second, '--tags', 'Key=Tier,Value=web')).code,
    '')
  t.is((await aws('delete-tags', '--resources', second, '--tags', 'Key=Tier')).code, '')
  const filtered = await aws('describe-subnets', '--filters', `Name=vpc-id,Values=${vpc.VpcId}`,
    'Name=tag:Tier,Values=w?b')
  t.deepEqual((filtered.output['Subnets'] as Subnet[]).map((subnet) => subnet.SubnetId), [first])
  const tags = await aws('describe-tags', '--filters', `Name=resource-id,Values=${first}`)
  t.deepEqual(tags.output['Tags'],
    [{ Key: 'Tier', ResourceId: first, ResourceType: 'subnet', Value: 'web' }])

  t.is((await aws('modify-vpc-attribute', '--vpc-id', vpc.VpcId, '--enable-dns-hostnames')).code,
    '')
  const attribute = await aws('describe-vpc-attribute', '--vpc-id', vpc.VpcId, '--attribute',
    'enableDnsHostnames')
  t.deepEqual(attribute.output, { VpcId: vpc.VpcId, EnableDnsHostnames: { Value: true } })

  t.is((await aws('delete-vpc', '--vpc-id', vpc.VpcId)).code, 'DependencyViolation')
  for (const id of [first, second]) t.is((await aws('delete-subnet', '--subnet-id', id)).code, '')
  t.is((await aws('delete-vpc', '--vpc-id', vpc.VpcId)).code, '')
  t.is((await aws('describe-vpcs', '--vpc-ids', vpc.VpcId)).code, 'InvalidVpcID.NotFound')
})
