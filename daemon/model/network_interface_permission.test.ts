/**
 * An ENI of OWNER and an instance of TEST_ACCOUNT, whose VPC has the same addresses:
 *
 *     OWNER          vpc 10.0.0.0/16, subnet 10.0.1.0/24 in use1-az1, `eniId`
 *     TEST_ACCOUNT   the TestNetwork, `instanceId` in its subnet in use1-az1
 */
import test from 'ava'
import { planInstanceReached } from './instance_agent.ts'
import { terminate } from './instance.ts'
import { planCreateNetworkInterface, planDeleteNetworkInterface } from './network_interface.ts'
import { planAssignAddresses } from './network_interface_address.ts'
import {
  planAttachNetworkInterface, planDetachNetworkInterface
} from './network_interface_attachment.ts'
import { planModifyNetworkInterfaceAttribute } from './network_interface_attribute.ts'
import {
  planCreateNetworkInterfacePermission, planDeleteNetworkInterfacePermission
} from './network_interface_permission.ts'
import { put } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'
import { planCreateSubnet } from './subnet.ts'
import { planCreateTags } from './tagging.ts'
import { NEW_INTERFACE, TestNetwork } from './test_network.ts'
import { TEST_ACCOUNT } from './test_world.ts'
import { planCreateVpc } from './vpc.ts'

const OWNER = '222222222222'
const STRANGER = '333333333333'
const ATTACH = 'INSTANCE-ATTACH'

class TwoAccounts {
  readonly net = new TestNetwork()
  readonly vpcId: string
  readonly eniId: string
  readonly instanceId: string

  constructor () {
    const { net } = this
    this.vpcId = net.run(planCreateVpc(this.owner, {
      cidrBlock: '10.0.0.0/16', instanceTenancy: 'default', amazonProvidedIpv6CidrBlock: false,
      tags: {}
    }, net.context)).vpcId
    this.eniId = this.newInterface('10.0.1.0/24', 'use1-az1')
    this.instanceId = net.launch({ instanceType: 't3.small' })[0] ?? ''
    const { hostName } = net.view().get('instance', this.instanceId) ?? {}
    net.run(planInstanceReached(net.snapshot, hostName ?? '', this.instanceId, 'running',
      net.context))
  }

  get owner (): AccountView { return this.net.view(OWNER) }

  newInterface (cidrBlock: string, zoneId: string): string {
    const { subnetId } = this.net.run(planCreateSubnet(this.owner, {
      vpcId: this.vpcId, cidrBlock, ipv6CidrBlock: undefined, ipv6Native: false,
      availabilityZone: undefined, availabilityZoneId: zoneId, tags: {}
    }, this.net.context))
    return this.net.run(planCreateNetworkInterface(this.owner, { ...NEW_INTERFACE, subnetId },
      this.net.context))
  }

  /** @returns the id of the permission */
  grant (awsAccountId = TEST_ACCOUNT, permission: string = ATTACH,
    networkInterfaceId = this.eniId): string {
    return this.net.run(planCreateNetworkInterfacePermission(this.owner,
      { networkInterfaceId, awsAccountId, permission }, this.net.context))
  }

  /** By TEST_ACCOUNT. @returns the code of the refusal */
  attach (networkInterfaceId = this.eniId, deviceIndex = 1): string {
    return this.net.refusal(() => this.net.run(planAttachNetworkInterface(this.net.view(),
      { networkInterfaceId, instanceId: this.instanceId, deviceIndex }, this.net.context)))
  }

  revoke (permissionId: string, force = false, view = this.owner): string {
    return this.net.refusal(() =>
      this.net.run(planDeleteNetworkInterfacePermission(view, { permissionId, force })))
  }

  detach (view: AccountView): string {
    const attachmentId =
      this.net.snapshot.tables.networkInterface.get(this.eniId)?.attachment?.id ?? ''
    return this.net.refusal(() => this.net.run(planDetachNetworkInterface(view, { attachmentId })))
  }
}

test('only with INSTANCE-ATTACH may another account attach an ENI, across VPCs', (t) => {
  const two = new TwoAccounts()
  t.is(two.attach(), 'InvalidNetworkInterfaceID.NotFound')
  const recorded = two.grant(TEST_ACCOUNT, 'EIP-ASSOCIATE')
  t.is(two.attach(), 'InvalidNetworkInterfaceID.NotFound')
  two.revoke(recorded)
  const stranger = two.grant(STRANGER)
  t.is(two.attach(), 'InvalidNetworkInterfaceID.NotFound')
  two.revoke(stranger)
  two.grant()
  t.is(two.attach(), '')
  const record = two.owner.get('networkInterface', two.eniId)
  t.is(record?.attachment?.instanceId, two.instanceId)
  t.deepEqual([record?.ownerId, record?.vpcId], [OWNER, two.vpcId])
})

test('a granted ENI of another zone is refused, and one that is attached already', (t) => {
  const two = new TwoAccounts()
  const far = two.newInterface('10.0.2.0/24', 'use1-az2')
  two.grant(TEST_ACCOUNT, ATTACH, far)
  t.is(two.attach(far), 'InvalidParameterCombination')
  two.grant()
  t.is(two.attach(), '')
  t.is(two.attach(two.eniId, 2), 'InvalidNetworkInterface.InUse')
})

test('a granted ENI stays absent for all but attaching', (t) => {
  const two = new TwoAccounts()
  two.grant()
  two.attach()
  const view = two.net.view()
  t.is(view.get('networkInterface', two.eniId), undefined)
  t.true(view.list('networkInterface').every(({ ownerId }) => ownerId === TEST_ACCOUNT))
  t.deepEqual(view.list('networkInterfacePermission'), [])
  t.is(two.net.refusal(() => planModifyNetworkInterfaceAttribute(view, {
    networkInterfaceId: two.eniId, description: 'mine', sourceDestCheck: undefined,
    groupIds: undefined, attachment: undefined, connectionTracking: undefined
  })), 'InvalidNetworkInterfaceID.NotFound')
  t.is(two.net.refusal(() => planDeleteNetworkInterface(view, { networkInterfaceId: two.eniId })),
    'InvalidNetworkInterfaceID.NotFound')
})

test('both owners may detach the ENI, nobody else', (t) => {
  const two = new TwoAccounts()
  two.grant()
  for (const accountId of [OWNER, TEST_ACCOUNT]) {
    t.is(two.attach(), '')
    t.is(two.detach(two.net.view(STRANGER)), 'InvalidAttachmentID.NotFound')
    t.is(two.detach(two.net.view(accountId)), '')
  }
})

for (const [what, accountId, permission, code] of [
  ['a type that does not exist', TEST_ACCOUNT, 'ATTACH', 'InvalidParameterValue'],
  ['no account', '', ATTACH, 'MissingParameter'],
  ['an account id of 11 digits', '12345678901', ATTACH, 'InvalidParameterValue'],
  ['the owner itself', OWNER, ATTACH, 'InvalidParameterValue'],
  ['EIP-ASSOCIATE', TEST_ACCOUNT, 'EIP-ASSOCIATE', '']
] as const) {
  test(`a permission for ${what} is ${code === '' ? 'granted' : `refused with ${code}`}`, (t) => {
    const two = new TwoAccounts()
    t.is(two.net.refusal(() => two.grant(accountId, permission)), code)
  })
}

test('an account has one permission on an ENI, and an ENI one account', (t) => {
  const two = new TwoAccounts()
  const first = two.grant()
  t.regex(first, /^eni-perm-0[0-9a-f]{16}$/)
  t.is(two.net.refusal(() => two.grant()), 'InvalidPermission.Duplicate')
  t.is(two.net.refusal(() => two.grant(TEST_ACCOUNT, 'EIP-ASSOCIATE')),
    'InvalidPermission.Duplicate')
  t.is(two.net.refusal(() => two.grant(STRANGER)), 'OperationNotPermitted')
  t.is(two.revoke(first), '')
  t.is(two.net.refusal(() => two.grant(STRANGER)), '')
})

test('only its owner grants an ENI, and nobody one that a service manages', (t) => {
  const two = new TwoAccounts()
  t.is(two.net.refusal(() => planCreateNetworkInterfacePermission(two.net.view(),
    { networkInterfaceId: two.eniId, awsAccountId: STRANGER, permission: ATTACH },
    two.net.context)), 'InvalidNetworkInterfaceID.NotFound')
  const record = two.owner.get('networkInterface', two.eniId)
  if (record === undefined) throw new Error('the ENI is gone')
  two.net.apply([put('networkInterface',
    { ...record, requesterId: 'vpclab-nat', interfaceType: 'nat_gateway' })])
  t.is(two.net.refusal(() => two.grant()), 'OperationNotPermitted')
})

test('a permission in use is deleted by force only, and the ENI stays attached', (t) => {
  const two = new TwoAccounts()
  const id = two.grant()
  two.attach()
  t.is(two.revoke(id), 'OperationNotPermitted')
  t.is(two.revoke(id, true), '')
  t.is(two.owner.get('networkInterface', two.eniId)?.attachment?.instanceId, two.instanceId)
  t.is(two.detach(two.net.view()), '', 'its instance is its own all the same')
  t.is(two.attach(), 'InvalidNetworkInterfaceID.NotFound')
})

test('only the owner deletes a permission', (t) => {
  const two = new TwoAccounts()
  const id = two.grant()
  t.is(two.revoke(id, true, two.net.view()), 'InvalidPermissionID.NotFound')
  t.is(two.revoke('eni-perm-0aaaaaaaaaaaaaaaa'), 'InvalidPermissionID.NotFound')
  t.is(two.revoke(two.eniId), 'InvalidPermissionID.Malformed')
})

test('permissions go with the ENI, also when an instance takes it along at its end', (t) => {
  const two = new TwoAccounts()
  two.grant()
  const other = two.newInterface('10.0.3.0/24', 'use1-az1')
  two.grant(TEST_ACCOUNT, ATTACH, other)
  two.net.run(planDeleteNetworkInterface(two.owner, { networkInterfaceId: other }))
  t.deepEqual(two.owner.list('networkInterfacePermission').map((one) => one.networkInterfaceId),
    [two.eniId])
  two.attach()
  const { attachment } = two.owner.get('networkInterface', two.eniId) ?? {}
  two.net.run(planModifyNetworkInterfaceAttribute(two.owner, {
    networkInterfaceId: two.eniId, description: undefined, sourceDestCheck: undefined,
    groupIds: undefined, connectionTracking: undefined,
    attachment: { attachmentId: attachment?.id ?? '', deleteOnTermination: true }
  }))
  const instance = two.net.view().get('instance', two.instanceId)
  if (instance === undefined) throw new Error('the instance is gone')
  two.net.apply(terminate(two.net.snapshot, instance, 0).changes)
  t.deepEqual(two.owner.list('networkInterface'), [])
  t.deepEqual(two.owner.list('networkInterfacePermission'), [])
})

test('the limits of another account\'s instance type hold for its owner too', (t) => {
  const two = new TwoAccounts()
  two.grant()
  two.attach()
  const request = { addresses: [], addressCount: 4, prefixes: [], prefixCount: 0 }
  t.is(two.net.refusal(() => planAssignAddresses(two.owner, 4,
    { networkInterfaceId: two.eniId, request, allowReassignment: false })),
  'PrivateIpAddressLimitExceeded', 'a t3.small has 4 addresses per interface')
})

test('a permission carries no tags', (t) => {
  const two = new TwoAccounts()
  const id = two.grant()
  t.is(two.net.refusal(() => planCreateTags(two.owner, [id], [{ Key: 'a', Value: 'b' }])),
    'InvalidID')
})
