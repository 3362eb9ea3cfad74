/** Permissions on ENIs through the SDK's client: two accounts, one ENI. */
import {
  AttachNetworkInterfaceCommand, CreateNetworkInterfacePermissionCommand,
  DeleteNetworkInterfacePermissionCommand, DescribeInstancesCommand,
  DescribeNetworkInterfacePermissionsCommand, DescribeNetworkInterfacesCommand
} from '@aws-sdk/client-ec2'
import test from 'ava'
import { planInstanceReached } from '../../../model/instance_agent.ts'
import { put } from '../../../model/snapshot.ts'
import { LAUNCH, TestNetwork } from '../../../model/test_network.ts'
import { TEST_ACCOUNT } from '../../../model/test_world.ts'
import { refusalOf, testClient } from '../test_caller.ts'

const GRANTEE = '222222222222'
const ATTACH = { AwsAccountId: GRANTEE, Permission: 'INSTANCE-ATTACH' } as const

/** An instance that TEST_ACCOUNT launched, given to another account. */
function instanceOf (net: TestNetwork, ownerId: string): string {
  const [id = ''] = net.launch(LAUNCH)
  const instance = net.view().get('instance', id)
  if (instance === undefined) throw new Error('the instance was not launched')
  net.run(planInstanceReached(net.snapshot, instance.hostName ?? '', id, 'running', net.context))
  const eni = net.view().list('networkInterface').find((one) => one.attachment?.instanceId === id)
  if (eni === undefined) throw new Error('the instance has no interface')
  net.apply([put('instance', { ...instance, state: 'running', ownerId }),
    put('networkInterface', { ...eni, ownerId })])
  return id
}

test('a permission is granted, shown to its owner, used, and deleted by force', async (t) => {
  const net = new TestNetwork()
  const [owner, grantee] = [testClient(net), testClient(net, GRANTEE)]
  const InstanceId = instanceOf(net, GRANTEE)
  const NetworkInterfaceId = net.createInterface()
  const { InterfacePermission: made } = await owner.send(
    new CreateNetworkInterfacePermissionCommand({ NetworkInterfaceId, ...ATTACH }))
  t.like(made, { ...ATTACH, NetworkInterfaceId, PermissionState: { State: 'granted' } })
  const shown = await owner.send(new DescribeNetworkInterfacePermissionsCommand({}))
  t.deepEqual(shown.NetworkInterfacePermissions, [made])
  const others = await grantee.send(new DescribeNetworkInterfacePermissionsCommand({}))
  t.deepEqual(others.NetworkInterfacePermissions, [])

  await grantee.send(
    new AttachNetworkInterfaceCommand({ NetworkInterfaceId, InstanceId, DeviceIndex: 1 }))
  const filters = [{ Name: 'attachment.instance-owner-id', Values: [GRANTEE] }]
  const { NetworkInterfaces: [eni] = [] } =
    await owner.send(new DescribeNetworkInterfacesCommand({ Filters: filters }))
  t.like(eni, { NetworkInterfaceId, OwnerId: TEST_ACCOUNT })
  t.like(eni?.Attachment, { InstanceId, InstanceOwnerId: GRANTEE })
  const { Reservations: [reservation] = [] } = await grantee.send(new DescribeInstancesCommand({}))
  t.deepEqual(reservation?.Instances?.[0]?.NetworkInterfaces?.map((one) => one.OwnerId),
    [GRANTEE, TEST_ACCOUNT])

  const NetworkInterfacePermissionId = made?.NetworkInterfacePermissionId
  const revoke = (Force: boolean): Promise<unknown> => owner.send(
    new DeleteNetworkInterfacePermissionCommand({ NetworkInterfacePermissionId, Force }))
  t.is(await refusalOf(revoke(false)), 'OperationNotPermitted')
  t.like(await revoke(true), { Return: true })
})

test('an attachment is shown and found as attaching until every agent has applied it',
  async (t) => {
  const net = new TestNetwork()
  let applied = net.snapshot.revision
  const ec2 = testClient(net, TEST_ACCOUNT, () => applied)
  const [InstanceId = ''] = net.launch(LAUNCH)
  const find = async (status: string): Promise<string[]> => {
    const Filters = [{ Name: 'attachment.status', Values: [status] }]
    const found = await ec2.send(new DescribeNetworkInterfacesCommand({ Filters }))
    const instances = await ec2.send(new DescribeInstancesCommand(
      { Filters: [{ Name: 'network-interface.attachment.status', Values: [status] }] }))
    t.is(instances.Reservations?.length, found.NetworkInterfaces?.length)
    return (found.NetworkInterfaces ?? []).map(({ Attachment }) =>
      `${Attachment?.InstanceId ?? ''} ${Attachment?.Status ?? ''}`)
  }
  t.deepEqual(await find('attaching'), [`${InstanceId} attaching`])
  t.deepEqual(await find('attached'), [])
  applied = net.snapshot.revision
  t.deepEqual(await find('attaching'), [])
  t.deepEqual(await find('attached'), [`${InstanceId} attached`])
})

test('filters by public addresses are known and match nothing', async (t) => {
  const net = new TestNetwork()
  net.createInterface()
  for (const name of ['association.public-ip', 'addresses.association.public-ip',
    'association.allocation-id']) {
    const Filters = [{ Name: name, Values: ['*'] }]
    const found = await testClient(net).send(new DescribeNetworkInterfacesCommand({ Filters }))
    t.deepEqual(found.NetworkInterfaces, [], name)
  }
})

test('permissions are found by id and by each filter, page by page', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const ids: string[] = []
  for (let n = 0; n < 7; n++) {
    const NetworkInterfaceId = net.createInterface()
    const permission = n === 0 ? { ...ATTACH, Permission: 'EIP-ASSOCIATE' } as const : ATTACH
    const { InterfacePermission } = await ec2.send(
      new CreateNetworkInterfacePermissionCommand({ NetworkInterfaceId, ...permission }))
    ids.push(InterfacePermission?.NetworkInterfacePermissionId ?? '')
  }
  const find = async (name: string, value: string): Promise<number> => {
    const Filters = [{ Name: `network-interface-permission.${name}`, Values: [value] }]
    const found = await ec2.send(new DescribeNetworkInterfacePermissionsCommand({ Filters }))
    return found.NetworkInterfacePermissions?.length ?? 0
  }
  const [first] = net.view().list('networkInterfacePermission')
  t.is(await find('network-interface-permission-id', ids[3] ?? ''), 1)
  t.is(await find('network-interface-id', first?.networkInterfaceId ?? ''), 1)
  t.is(await find('aws-account-id', GRANTEE), 7)
  t.is(await find('aws-service', '*'), 0)
  t.is(await find('permission', 'EIP-ASSOCIATE'), 1)

  const page = await ec2.send(new DescribeNetworkInterfacePermissionsCommand({ MaxResults: 5 }))
  const { NextToken } = page
  const rest = await ec2.send(new DescribeNetworkInterfacePermissionsCommand({ NextToken }))
  t.deepEqual([page, rest].flatMap(({ NetworkInterfacePermissions: found = [] }) =>
    found.map((one) => one.NetworkInterfacePermissionId)), ids)
  const named = await ec2.send(new DescribeNetworkInterfacePermissionsCommand(
    { NetworkInterfacePermissionIds: ids.slice(0, 2) }))
  t.is(named.NetworkInterfacePermissions?.length, 2)
})

test('services, tag filters, absent ids and big pages are refused', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const NetworkInterfaceId = net.createInterface()
  t.is(await refusalOf(ec2.send(new CreateNetworkInterfacePermissionCommand(
    { NetworkInterfaceId, AwsService: 'elb.amazonaws.com', Permission: 'INSTANCE-ATTACH' }))),
  'UnsupportedOperation')
  const refusedInput = async (input: object): Promise<string> =>
    refusalOf(ec2.send(new DescribeNetworkInterfacePermissionsCommand(input)))
  t.is(await refusedInput({ Filters: [{ Name: 'tag-key', Values: ['a'] }] }),
    'InvalidParameterValue')
  t.is(await refusedInput({ NetworkInterfacePermissionIds: ['eni-perm-0aaaaaaaaaaaaaaaa'] }),
    'InvalidPermissionID.NotFound')
  t.is(await refusedInput({ MaxResults: 256 }), 'InvalidMaxResults')
})
