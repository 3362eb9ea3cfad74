/**
 * The stock AWS command line on security group rules, prefix lists and routes:
 *
 *     prefix list ─▶ rule, route ─▶ versions ─▶ descriptions ─▶ delete all
 */
import { EC2Client, GetSecurityGroupsForVpcCommand } from '@aws-sdk/client-ec2'
import test from 'ava'
import type { Answer } from './command_line.ts'
import { commandLine } from './command_line.ts'
import { ALICE, openEndpoint } from './endpoint.ts'

type Fields = Readonly<Record<string, unknown>>

test('the AWS command line manages prefix lists, rules and routes that name them', async (t) => {
  const endpoint = await openEndpoint()
  t.teardown(async () => { await endpoint.close() })
  const aws = commandLine(endpoint)
  const ok = async (...args: string[]): Promise<Answer['output']> => {
    const { code, output } = await aws(...args)
    t.is(code, '', args.join(' '))
    return output
  }
  const vpc = (await ok('create-vpc', '--cidr-block', '10.0.0.0/16'))['Vpc'] as Fields
  const vpcId = vpc['VpcId'] as string
  const made = await ok('create-managed-prefix-list', '--prefix-list-name', 'offices',
    '--address-family', 'IPv4', '--max-entries', '3',
    '--entries', 'Cidr=192.0.2.0/24,Description=Paris', 'Cidr=198.51.100.0/24',
    '--tag-specifications', 'ResourceType=prefix-list,Tags=[{Key=Name,Value=offices}]')
  const list = made['PrefixList'] as Fields
  const listId = list['PrefixListId'] as string
  t.like(list, { AddressFamily: 'IPv4', MaxEntries: 3, Version: 1, OwnerId: '111111111111' })

  const groupId = (await ok('create-security-group', '--group-name', 'web', '--description', 'web',
    '--vpc-id', vpcId))['GroupId'] as string
  const authorized = await ok('authorize-security-group-ingress', '--group-id', groupId,
    '--ip-permissions',
    `IpProtocol=tcp,FromPort=22,ToPort=22,PrefixListIds=[{PrefixListId=${listId}}]`,
    '--tag-specifications', 'ResourceType=security-group-rule,Tags=[{Key=Team,Value=ops}]')
  const [rule] = authorized['SecurityGroupRules'] as Fields[]
  const ruleId = rule?.['SecurityGroupRuleId'] as string
  t.like(rule, { PrefixListId: listId, Tags: [{ Key: 'Team', Value: 'ops' }] })

  const table = (await ok('create-route-table', '--vpc-id', vpcId))['RouteTable'] as Fields
  const tableId = table['RouteTableId'] as string
  const subnet = (await ok('create-subnet', '--vpc-id', vpcId, '--cidr-block',
    '10.0.1.0/24'))['Subnet'] as Fields
  const eni = (await ok('create-network-interface', '--subnet-id',
    subnet['SubnetId'] as string))['NetworkInterface'] as Fields
  await ok('create-route', '--route-table-id', tableId, '--destination-prefix-list-id', listId,
    '--network-interface-id', eni['NetworkInterfaceId'] as string)
  const routed = await ok('describe-route-tables', '--filters',
    `Name=route.destination-prefix-list-id,Values=${listId}`)
  t.like((routed['RouteTables'] as Fields[])[0], { RouteTableId: tableId })
  const { PrefixListAssociations: users } = await ok('get-managed-prefix-list-associations',
    '--prefix-list-id', listId)
  t.deepEqual((users as Fields[]).map((user) => user['ResourceId']), [tableId, groupId])

  await ok('modify-managed-prefix-list', '--prefix-list-id', listId, '--current-version', '1',
    '--add-entries', 'Cidr=203.0.113.0/24', '--remove-entries', 'Cidr=192.0.2.0/24')
  t.is((await aws('modify-managed-prefix-list', '--prefix-list-id', listId, '--current-version',
    '1', '--add-entries', 'Cidr=10.9.0.0/16')).code, 'PrefixListVersionMismatch')
  const cidrs = async (...version: string[]): Promise<unknown> => ((await ok(
    'get-managed-prefix-list-entries', '--prefix-list-id', listId, ...version))['Entries'] as
    Fields[]).map((entry) => entry['Cidr'])
  t.deepEqual(await cidrs(), ['198.51.100.0/24', '203.0.113.0/24'])
  t.deepEqual(await cidrs('--target-version', '1'), ['192.0.2.0/24', '198.51.100.0/24'])
  await ok('restore-managed-prefix-list-version', '--prefix-list-id', listId,
    '--previous-version', '1', '--current-version', '2')
  t.deepEqual(await cidrs(), ['192.0.2.0/24', '198.51.100.0/24'])

  const described = await ok('describe-managed-prefix-lists', '--filters',
    'Name=owner-id,Values=AWS')
  const names = (described['PrefixLists'] as Fields[]).map((one) => one['PrefixListName'])
  t.deepEqual(names.sort(), ['com.amazonaws.us-east-1.dynamodb', 'com.amazonaws.us-east-1.s3'])
  const services = await ok('describe-prefix-lists', '--filters',
    'Name=prefix-list-name,Values=*.s3')
  t.is((services['PrefixLists'] as Fields[]).length, 1)

  await ok('modify-security-group-rules', '--group-id', groupId, '--security-group-rules',
    `SecurityGroupRuleId=${ruleId},SecurityGroupRule={IpProtocol=tcp,FromPort=443,ToPort=443,` +
    'CidrIpv4=192.0.2.0/24,Description=web}')
  await ok('update-security-group-rule-descriptions-ingress', '--group-id', groupId,
    '--security-group-rule-descriptions', `SecurityGroupRuleId=${ruleId},Description=HTTPS`)
  const rules = await ok('describe-security-group-rules', '--filters', 'Name=tag:Team,Values=ops')
  t.like((rules['SecurityGroupRules'] as Fields[])[0],
    { SecurityGroupRuleId: ruleId, FromPort: 443, CidrIpv4: '192.0.2.0/24', Description: 'HTTPS' })
  // Debian's command line does not know this action yet; the SDK does.
  const client = new EC2Client({
    endpoint: endpoint.url, region: 'us-east-1', credentials: ALICE, maxAttempts: 1
  })
  t.teardown(() => { client.destroy() })
  const { SecurityGroupForVpcs: groups } =
    await client.send(new GetSecurityGroupsForVpcCommand({ VpcId: vpcId }))
  t.deepEqual(groups?.map(({ GroupName }) => GroupName), ['default', 'web'])
  t.deepEqual((await ok('describe-stale-security-groups', '--vpc-id',
    vpcId))['StaleSecurityGroupSet'], [])
  t.deepEqual((await ok('describe-security-group-references', '--group-id',
    groupId))['SecurityGroupReferenceSet'], [])

  t.is((await aws('delete-managed-prefix-list', '--prefix-list-id', listId)).code,
    'DependencyViolation')
  await ok('delete-route', '--route-table-id', tableId, '--destination-prefix-list-id', listId)
  await ok('delete-managed-prefix-list', '--prefix-list-id', listId)
  t.is((await aws('get-managed-prefix-list-entries', '--prefix-list-id', listId)).code,
    'InvalidPrefixListID.NotFound')
})
