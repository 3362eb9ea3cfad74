/**
 * Deleting a resource, and what EC2 wants undone before: instances are gone before their subnet,
 * ENIs are detached, subnets leave a route table or an ACL, a security group loses its rules.
 */
import { waitForInstances } from '../instances.ts'
import { defaultAcl, detach, moveToAcl } from './change.ts'
import type { LiveResource } from './live.ts'
import type { Kind } from './resource.ts'
import type { Session } from './session.ts'

type Delete = (session: Session, live: LiveResource) => Promise<void>

export async function deleteResource (session: Session, live: LiveResource): Promise<void> {
  await DELETES[live.kind](session, live)
}

const DELETES: Readonly<Record<Kind, Delete>> = {
  'dhcp-options': deleteDhcpOptions,
  'vpc': async ({ ec2 }, { id }) => { await ec2.call('DeleteVpc', { VpcId: id }) },
  'subnet': async ({ ec2 }, { id }) => { await ec2.call('DeleteSubnet', { SubnetId: id }) },
  'route-table': deleteRouteTable,
  'security-group': async ({ ec2 }, { id }) => {
    await ec2.call('DeleteSecurityGroup', { GroupId: id })
  },
  'network-acl': deleteNetworkAcl,
  'eni': async (session, { id }) => {
    await detach(session, id)
    await session.ec2.call('DeleteNetworkInterface', { NetworkInterfaceId: id })
  },
  'instance': async ({ context, ec2, timeoutMs }, { id }) => {
    await ec2.call('TerminateInstances', { InstanceId: [id] })
    await waitForInstances(context, ec2, [id], 'terminated', timeoutMs)
  }
}

async function deleteDhcpOptions ({ ec2 }: Session, { id }: LiveResource): Promise<void> {
  const users = await ec2.all('DescribeVpcs',
    { Filter: [{ Name: 'dhcp-options-id', Value: [id] }] }, (page) => page.Vpcs)
  for (const { VpcId } of users) {
    await ec2.call('AssociateDhcpOptions', { VpcId, DhcpOptionsId: 'default' })
  }
  await ec2.call('DeleteDhcpOptions', { DhcpOptionsId: id })
}

async function deleteRouteTable ({ ec2 }: Session, { id }: LiveResource): Promise<void> {
  const { RouteTables } = await ec2.call('DescribeRouteTables', { RouteTableId: [id] })
  for (const { RouteTableAssociationId } of RouteTables?.[0]?.Associations ?? []) {
    await ec2.call('DisassociateRouteTable', { AssociationId: RouteTableAssociationId })
  }
  await ec2.call('DeleteRouteTable', { RouteTableId: id })
}

async function deleteNetworkAcl (session: Session, live: LiveResource): Promise<void> {
  const { ec2 } = session
  const { NetworkAcls } = await ec2.call('DescribeNetworkAcls', { NetworkAclId: [live.id] })
  for (const { SubnetId = '' } of NetworkAcls?.[0]?.Associations ?? []) {
    await moveToAcl(session, SubnetId, defaultAcl(session, live.vpc))
  }
  await ec2.call('DeleteNetworkAcl', { NetworkAclId: live.id })
}

/** Groups that name each other cannot be deleted before one of them forgets the other. */
export async function revokeAll ({ ec2 }: Session, { id }: LiveResource): Promise<void> {
  const { SecurityGroups } = await ec2.call('DescribeSecurityGroups', { GroupId: [id] })
  const { IpPermissions = [], IpPermissionsEgress = [] } = SecurityGroups?.[0] ?? {}
  for (const [action, permissions] of [
    ['RevokeSecurityGroupIngress', IpPermissions],
    ['RevokeSecurityGroupEgress', IpPermissionsEgress]
  ] as const) {
    if (permissions.length === 0) continue
    await ec2.call(action, {
      GroupId: id,
      IpPermissions: permissions.map((permission) => ({
        IpProtocol: permission.IpProtocol,
        FromPort: permission.FromPort,
        ToPort: permission.ToPort,
        IpRanges: (permission.IpRanges ?? []).map(({ CidrIp }) => ({ CidrIp })),
        Ipv6Ranges: (permission.Ipv6Ranges ?? []).map(({ CidrIpv6 }) => ({ CidrIpv6 })),
        Groups: (permission.UserIdGroupPairs ?? []).map(({ GroupId }) => ({ GroupId }))
      }))
    })
  }
}
