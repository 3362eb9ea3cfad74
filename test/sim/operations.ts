/** Calls of the API, drawn from a seed and what one machine knows of the records. */
import { HOST_IMAGE } from '../../daemon/model/image.ts'
import type { Noun, NounRecords, Snapshot } from '../../daemon/model/snapshot.ts'
import { associationsOf } from '../../daemon/model/network_acl.ts'
import type { Chance } from './timeline.ts'

export type Call = readonly [action: string, input: object]
type Draw = (draw: Drawing) => Call | null

/** Equal blocks, so that VPCs tell the same addresses apart; and others, that can be peered. */
const BLOCKS = ['10.0', '10.0', '10.1', '10.2']
const SUBNETS = 3
const VPCS_MAX = 4
const PORTS = [1000, 2000, 3000]

class Drawing {
  readonly chance: Chance
  readonly snapshot: Snapshot

  constructor (chance: Chance, snapshot: Snapshot) {
    this.chance = chance
    this.snapshot = snapshot
  }

  any<N extends Noun> (
    noun: N, isMeant: (record: NounRecords[N]) => boolean = () => true
  ): NounRecords[N] | undefined {
    const records = [...this.snapshot.tables[noun].values()] as NounRecords[N][]
    return this.chance.of(records.filter(isMeant))
  }

  /** A range of UDP ports, or everything. */
  permission (): object {
    const port = this.chance.of(PORTS) ?? 0
    const range = this.chance.happens(0.5) ? { IpProtocol: '-1' }
      : { IpProtocol: 'udp', FromPort: port, ToPort: port + 999 }
    const group = this.any('securityGroup')
    return this.chance.happens(0.3) && group !== undefined
      ? { ...range, UserIdGroupPairs: [{ GroupId: group.id }] }
      : { ...range, IpRanges: [{ CidrIp: this.chance.of(['0.0.0.0/0', '10.0.0.0/8', '10.0.1.0/24',
        '10.1.0.0/16']) }] }
  }

  block (): string {
    return `${this.chance.of(BLOCKS) ?? ''}.${String(this.chance.below(SUBNETS))}.0/24`
  }
}

const ALL: readonly (readonly [weight: number, draw: Draw])[] = [
  [2, ({ chance, snapshot }) => snapshot.tables.vpc.size >= VPCS_MAX ? null
    : ['CreateVpc', { CidrBlock: `${chance.of(BLOCKS) ?? ''}.0.0/16` }]],
  [5, (draw) => {
    const vpc = draw.any('vpc')
    const block = vpc?.cidrBlocks[0]?.cidrBlock.replace('.0.0/16', '') ?? ''
    return vpc === undefined ? null : ['CreateSubnet', {
      VpcId: vpc.id, CidrBlock: `${block}.${String(draw.chance.below(SUBNETS))}.0/24`
    }]
  }],
  [14, (draw) => {
    const subnet = draw.any('subnet')
    const host = draw.any('host')
    const group = draw.any('securityGroup', ({ vpcId }) => vpcId === subnet?.vpcId)
    const count = 1 + draw.chance.below(3)
    return subnet === undefined ? null : ['RunInstances', {
      ImageId: HOST_IMAGE.id, MinCount: 1, MaxCount: count, SubnetId: subnet.id,
      ...draw.chance.happens(0.5) ? { Placement: { HostId: host?.id } } : {},
      ...draw.chance.happens(0.3) ? { SecurityGroupIds: [group?.id] } : {}
    }]
  }],
  [8, (draw) =>
    ofInstance('StopInstances', draw.any('instance', ({ state }) => state === 'running'))],
  [10, (draw) =>
    ofInstance('StartInstances', draw.any('instance', ({ state }) => state === 'stopped'))],
  [4, (draw) => ofInstance('TerminateInstances', draw.any('instance'))],
  [8, (draw) => {
    const subnet = draw.any('subnet')
    return subnet === undefined ? null : ['CreateNetworkInterface', { SubnetId: subnet.id }]
  }],
  [24, (draw) => {
    const eni = draw.any('networkInterface', ({ attachment }) => attachment === null)
    const instance = draw.any('instance', ({ vpcId, state }) =>
      vpcId === eni?.vpcId && (state === 'running' || state === 'stopped'))
    return eni === undefined || instance === undefined ? null : ['AttachNetworkInterface',
      { NetworkInterfaceId: eni.id, InstanceId: instance.id,
        DeviceIndex: 1 + draw.chance.below(3) }]
  }],
  [18, (draw) => {
    const eni = draw.any('networkInterface',
      ({ attachment }) => attachment !== null && attachment.deviceIndex > 0)
    return eni === undefined ? null
      : ['DetachNetworkInterface', { AttachmentId: eni.attachment?.id }]
  }],
  [2, (draw) => {
    const eni = draw.any('networkInterface', ({ attachment }) => attachment === null)
    return eni === undefined ? null : ['DeleteNetworkInterface', { NetworkInterfaceId: eni.id }]
  }],
  [5, (draw) => ofInterface('AssignPrivateIpAddresses', draw.any('networkInterface'),
    { SecondaryPrivateIpAddressCount: 1 })],
  [10, (draw) => {
    const from = draw.any('networkInterface',
      ({ privateIpAddresses }) => privateIpAddresses.length > 1)
    const to = draw.any('networkInterface',
      ({ id, subnetId }) => subnetId === from?.subnetId && id !== from.id)
    const address = draw.chance.of(from?.privateIpAddresses.slice(1) ?? [])
    return address === undefined ? null : ofInterface('AssignPrivateIpAddresses', to,
      { PrivateIpAddresses: [address], AllowReassignment: true })
  }],
  [3, (draw) => {
    const eni = draw.any('networkInterface',
      ({ privateIpAddresses }) => privateIpAddresses.length > 1)
    return ofInterface('UnassignPrivateIpAddresses', eni,
      { PrivateIpAddresses: eni?.privateIpAddresses.slice(-1) })
  }],
  [2, (draw) => ofInterface('ModifyNetworkInterfaceAttribute', draw.any('networkInterface'),
    { SourceDestCheck: { Value: draw.chance.happens(0.6) } })],
  [4, (draw) => {
    const eni = draw.any('networkInterface')
    const group = draw.any('securityGroup', ({ vpcId }) => vpcId === eni?.vpcId)
    return ofInterface('ModifyNetworkInterfaceAttribute', eni, { Groups: [group?.id] })
  }],
  [2, (draw) => {
    const vpc = draw.any('vpc')
    const name = `group-${String(draw.chance.below(1000))}`
    return vpc === undefined ? null
      : ['CreateSecurityGroup', { GroupName: name, Description: name, VpcId: vpc.id }]
  }],
  [8, (draw) => {
    const group = draw.any('securityGroup')
    const action = draw.chance.of(['AuthorizeSecurityGroupIngress', 'AuthorizeSecurityGroupIngress',
      'AuthorizeSecurityGroupEgress']) ?? ''
    return group === undefined ? null
      : [action, { GroupId: group.id, IpPermissions: [draw.permission()] }]
  }],
  [5, (draw) => {
    const group = draw.any('securityGroup', ({ rules }) => rules.length > 2)
    const rule = draw.chance.of(group?.rules ?? [])
    return group === undefined || rule === undefined ? null
      : [`RevokeSecurityGroup${rule.isEgress ? 'Egress' : 'Ingress'}`,
          { GroupId: group.id, SecurityGroupRuleIds: [rule.id] }]
  }],
  [2, (draw) => {
    const vpc = draw.any('vpc')
    return vpc === undefined ? null : ['CreateNetworkAcl', { VpcId: vpc.id }]
  }],
  [5, (draw) => {
    const acl = draw.any('networkAcl')
    return acl === undefined ? null : ['CreateNetworkAclEntry', {
      NetworkAclId: acl.id, RuleNumber: 1 + draw.chance.below(150),
      Egress: draw.chance.happens(0.5), Protocol: '-1',
      RuleAction: draw.chance.happens(0.6) ? 'allow' : 'deny', CidrBlock: draw.block()
    }]
  }],
  [4, (draw) => {
    const acl = draw.any('networkAcl')
    const entry = draw.chance.of(acl?.entries ?? [])
    return acl === undefined || entry === undefined ? null : ['DeleteNetworkAclEntry',
      { NetworkAclId: acl.id, RuleNumber: entry.ruleNumber, Egress: entry.isEgress }]
  }],
  [2, (draw) => {
    const acl = draw.any('networkAcl')
    const other = draw.any('networkAcl', ({ vpcId }) => vpcId === acl?.vpcId)
    const association =
      acl === undefined ? undefined : draw.chance.of(associationsOf(draw.snapshot, acl))
    return other === undefined || association === undefined ? null
      : ['ReplaceNetworkAclAssociation', { AssociationId: association.id, NetworkAclId: other.id }]
  }],
  [2, (draw) => {
    const vpc = draw.any('vpc')
    return vpc === undefined ? null : ['CreateRouteTable', { VpcId: vpc.id }]
  }],
  [2, (draw) => {
    const table = draw.any('routeTable')
    const subnet = draw.any('subnet', ({ vpcId }) => vpcId === table?.vpcId)
    return table === undefined || subnet === undefined ? null
      : ['AssociateRouteTable', { RouteTableId: table.id, SubnetId: subnet.id }]
  }],
  [4, (draw) => {
    const table = draw.any('routeTable')
    const eni = draw.any('networkInterface', ({ vpcId }) => vpcId === table?.vpcId)
    return table === undefined || eni === undefined ? null : ['CreateRoute', {
      RouteTableId: table.id, DestinationCidrBlock: draw.block(), NetworkInterfaceId: eni.id
    }]
  }],
  [8, (draw) => {
    const peering = draw.any('vpcPeeringConnection', ({ status }) => status === 'active')
    const isRequester = draw.chance.happens(0.5)
    const own = isRequester ? peering?.requester.vpcId : peering?.accepter.vpcId
    const peer = isRequester ? peering?.accepter.vpcId : peering?.requester.vpcId
    const table = draw.any('routeTable', ({ vpcId }) => vpcId === own)
    const block = draw.snapshot.tables.vpc.get(peer ?? '')?.cidrBlocks[0]?.cidrBlock
    return table === undefined || block === undefined ? null : ['CreateRoute', {
      RouteTableId: table.id, DestinationCidrBlock: block, VpcPeeringConnectionId: peering?.id
    }]
  }],
  [3, (draw) => {
    const table = draw.any('routeTable', ({ routes }) => routes.length > 1)
    const route = draw.chance.of(table?.routes.slice(1) ?? [])
    return table === undefined ? null : ['DeleteRoute',
      { RouteTableId: table.id, DestinationCidrBlock: route?.destination }]
  }],
  [4, (draw) => {
    const [one, other] = [draw.any('vpc'), draw.any('vpc')]
    return one === undefined || one === other ? null
      : ['CreateVpcPeeringConnection', { VpcId: one.id, PeerVpcId: other?.id }]
  }],
  [5, (draw) => {
    const peering =
      draw.any('vpcPeeringConnection', ({ status }) => status === 'pending-acceptance')
    return peering === undefined ? null
      : ['AcceptVpcPeeringConnection', { VpcPeeringConnectionId: peering.id }]
  }],
  [1, (draw) => {
    const peering = draw.any('vpcPeeringConnection', ({ status }) => status === 'active')
    return peering === undefined ? null
      : ['DeleteVpcPeeringConnection', { VpcPeeringConnectionId: peering.id }]
  }],
  [1, (draw) => {
    const subnet = draw.any('subnet')
    return subnet === undefined ? null : ['DeleteSubnet', { SubnetId: subnet.id }]
  }],
  [1, (draw) => {
    const vpc = draw.any('vpc')
    return vpc === undefined ? null : ['DeleteVpc', { VpcId: vpc.id }]
  }]
]

const WEIGHTS = ALL.reduce((sum, [weight]) => sum + weight, 0)

/**
 * What a run begins with: VPCs that can talk in themselves, with instances.
 * @param snapshot holds each call before the next is drawn
 */
export function * firstCalls (snapshot: Snapshot): Generator<Call> {
  for (const block of BLOCKS.slice(1)) {
    yield ['CreateVpc', { CidrBlock: `${block}.0.0/16` }]
    const vpc = [...snapshot.tables.vpc.values()].at(-1)
    const group = [...snapshot.tables.securityGroup.values()].at(-1)
    yield ['AuthorizeSecurityGroupIngress', { GroupId: group?.id, IpPermissions: [
      { IpProtocol: '-1', IpRanges: [{ CidrIp: '10.0.0.0/8' }] }] }]
    for (let subnet = 0; subnet < 2; subnet++) {
      yield ['CreateSubnet', { VpcId: vpc?.id, CidrBlock: `${block}.${String(subnet)}.0/24` }]
      const SubnetId = [...snapshot.tables.subnet.values()].at(-1)?.id
      yield ['RunInstances', { ImageId: HOST_IMAGE.id, MinCount: 3, MaxCount: 3, SubnetId }]
    }
  }
}

/** One call that may make sense there; many are refused all the same. */
export function drawCall (chance: Chance, snapshot: Snapshot): Call | null {
  let left = chance.below(WEIGHTS)
  for (const [weight, draw] of ALL) {
    if (left < weight) return draw(new Drawing(chance, snapshot))
    left -= weight
  }
  return null
}

function ofInstance (action: string, instance: { readonly id: string } | undefined): Call | null {
  return instance === undefined ? null : [action, { InstanceIds: [instance.id] }]
}

function ofInterface (
  action: string, eni: { readonly id: string } | undefined, input: object): Call | null {
  return eni === undefined ? null : [action, { NetworkInterfaceId: eni.id, ...input }]
}
