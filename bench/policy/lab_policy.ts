/**
 * Groups, ACLs, flow logs and mirror sessions of the bench in a real lab, by EC2 calls: the same
 * rules as in memory (rules.ts).
 */
import * as ec2 from '@aws-sdk/client-ec2'
import type { Instance } from '../../test/harness/instance.ts'
import type { Lab, TestSubnet, TestVpc } from '../../test/harness/lab.ts'
import { ACL_ENTRIES, GROUPS, OTHER_PORT, RULES_PER_GROUP } from './rules.ts'

const PEER_GROUP_EVERY = 4
const LOG_GROUP_ROLE = 'arn:aws:iam::000000000000:role/flow-logs'

/** Replaces the groups of an instance's only ENI. */
export async function setGroups (lab: Lab, { eni }: Instance, groups: string[]): Promise<void> {
  await lab.ec2.send(new ec2.ModifyNetworkInterfaceAttributeCommand({
    NetworkInterfaceId: eni, Groups: groups
  }))
}

/** A group with nothing but the rule to leave that AWS gives every group. */
async function newGroup (lab: Lab, vpc: TestVpc, name: string): Promise<string> {
  const { GroupId = '' } = await lab.ec2.send(new ec2.CreateSecurityGroupCommand({
    VpcId: vpc.id, GroupName: name, Description: name
  }))
  return GroupId
}

/** A group that is open both ways. */
export async function openGroup (lab: Lab, vpc: TestVpc): Promise<string> {
  const group = await newGroup(lab, vpc, 'open')
  await lab.ec2.send(new ec2.AuthorizeSecurityGroupIngressCommand({
    GroupId: group, IpPermissions: [{ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }]
  }))
  return group
}

/** Five groups of 12 + 12 rules; the last rule of the last one lets the VPC's TCP through. */
export async function ruledGroups (lab: Lab, vpc: TestVpc): Promise<string[]> {
  const groups: string[] = []
  for (let number = 1; number <= GROUPS; number++) {
    const group = await newGroup(lab, vpc, `ruled-${String(number)}`)
    await lab.ec2.send(new ec2.RevokeSecurityGroupEgressCommand({
      GroupId: group, IpPermissions: [{ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }]
    }))
    const rules = Array.from({ length: RULES_PER_GROUP }, (_rule, index): ec2.IpPermission =>
      number === GROUPS && index === RULES_PER_GROUP - 1
        ? { IpProtocol: 'tcp', FromPort: 0, ToPort: OTHER_PORT - 1,
          IpRanges: [{ CidrIp: vpc.cidr }] }
        : otherRule(group, number, index))
    const permissions = { GroupId: group, IpPermissions: rules }
    await lab.ec2.send(new ec2.AuthorizeSecurityGroupIngressCommand(permissions))
    await lab.ec2.send(new ec2.AuthorizeSecurityGroupEgressCommand(permissions))
    groups.push(group)
  }
  return groups
}

function otherRule (group: string, number: number, index: number): ec2.IpPermission {
  const port = OTHER_PORT + number * RULES_PER_GROUP + index
  const peer = index % PEER_GROUP_EVERY === 0
    ? { UserIdGroupPairs: [{ GroupId: group }] }
    : { IpRanges: [{ CidrIp: `172.16.${String(index)}.0/24` }] }
  return { IpProtocol: 'tcp', FromPort: port, ToPort: port, ...peer }
}

/** An ACL of 20 + 20 entries for some subnets; the last entry lets the VPC's traffic through. */
export async function ruledAcl (
  lab: Lab, vpc: TestVpc, subnets: readonly TestSubnet[]): Promise<void> {
  const { NetworkAcl } = await lab.ec2.send(
    new ec2.CreateNetworkAclCommand({ VpcId: vpc.id }))
  const NetworkAclId = NetworkAcl?.NetworkAclId ?? ''
  for (const Egress of [false, true]) {
    for (let number = 1; number <= ACL_ENTRIES; number++) {
      const isLast = number === ACL_ENTRIES
      const port = OTHER_PORT + number
      await lab.ec2.send(new ec2.CreateNetworkAclEntryCommand({
        NetworkAclId, Egress, RuleNumber: number, CidrBlock: vpc.cidr,
        ...isLast
          ? { Protocol: '-1', RuleAction: 'allow' }
          : { Protocol: '6', RuleAction: 'deny', PortRange: { From: port, To: port } }
      }))
    }
  }
  const ids = subnets.map(({ id }) => id)
  const { NetworkAcls = [] } = await lab.ec2.send(new ec2.DescribeNetworkAclsCommand({
    Filters: [{ Name: 'association.subnet-id', Values: ids }]
  }))
  for (const { Associations = [] } of NetworkAcls) {
    for (const { SubnetId = '', NetworkAclAssociationId: AssociationId } of Associations) {
      if (!ids.includes(SubnetId)) continue
      await lab.ec2.send(new ec2.ReplaceNetworkAclAssociationCommand({
        AssociationId, NetworkAclId
      }))
    }
  }
}

/** A flow log of all that an ENI does. */
export async function logFlows (lab: Lab, { eni }: Instance): Promise<void> {
  const { Unsuccessful = [] } = await lab.ec2.send(new ec2.CreateFlowLogsCommand({
    ResourceType: 'NetworkInterface', ResourceIds: [eni], TrafficType: 'ALL',
    LogGroupName: 'bench', DeliverLogsPermissionArn: LOG_GROUP_ROLE
  }))
  if (Unsuccessful.length > 0) {
    throw new Error(`No flow log: ${Unsuccessful[0]?.Error?.Message ?? ''}`)
  }
}

/** Mirrors everything of one instance to another. */
export async function mirror (lab: Lab, source: Instance, monitor: Instance): Promise<void> {
  const { TrafficMirrorTarget } = await lab.ec2.send(
    new ec2.CreateTrafficMirrorTargetCommand({ NetworkInterfaceId: monitor.eni }))
  const { TrafficMirrorFilter } = await lab.ec2.send(new ec2.CreateTrafficMirrorFilterCommand({}))
  const TrafficMirrorFilterId = TrafficMirrorFilter?.TrafficMirrorFilterId
  for (const TrafficDirection of ['ingress', 'egress'] as const) {
    await lab.ec2.send(new ec2.CreateTrafficMirrorFilterRuleCommand({
      TrafficMirrorFilterId, TrafficDirection, RuleNumber: 100, RuleAction: 'accept',
      SourceCidrBlock: '0.0.0.0/0', DestinationCidrBlock: '0.0.0.0/0'
    }))
  }
  await lab.ec2.send(new ec2.CreateTrafficMirrorSessionCommand({
    NetworkInterfaceId: source.eni, TrafficMirrorFilterId, SessionNumber: 1,
    TrafficMirrorTargetId: TrafficMirrorTarget?.TrafficMirrorTargetId
  }))
}
