/**
 * The VPC that an account starts with. AWS VPC User Guide, "Default VPCs".
 *
 *     172.31.0.0/16 ── internet gateway          main route table: 0.0.0.0/0 → the gateway
 *        └─ a default subnet per zone: 172.31.0.0/20, 172.31.16.0/20 …
 *
 * Both DNS attributes are true, default subnets give instances public addresses. RunInstances
 * without a subnet uses it. One per account and Region; once deleted, CreateDefaultVpc makes
 * another.
 */
import { AwsError } from './aws_error.ts'
import { cidrSize, cidrsOverlap, formatCidr, knownCidr } from './cidr.ts'
import type { Cidr } from './cidr.ts'
import { newInternetGateway } from './internet_gateway.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import { put } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'
import type { Subnet } from './subnet.ts'
import { newVpc } from './vpc.ts'
import type { Vpc } from './vpc.ts'
import { listZones, zoneFromInput } from './zone.ts'

const DEFAULT_VPC_BLOCK = '172.31.0.0/16'
const DEFAULT_SUBNET_PREFIX_LENGTH = 20

export function defaultVpcOf (view: AccountView): Vpc | undefined {
  return view.list('vpc').find(({ isDefault }) => isDefault)
}

/**
 * CreateDefaultVpc.
 * @returns the id of the VPC
 * @throws AwsError DefaultVpcAlreadyExists, VpcLimitExceeded, InternetGatewayLimitExceeded
 */
export function planCreateDefaultVpc (view: AccountView, context: PlanContext): Plan<string> {
  const existing = defaultVpcOf(view)
  if (existing !== undefined) {
    throw new AwsError('DefaultVpcAlreadyExists',
      `A Default VPC already exists for this account in this region: ${existing.id}`)
  }
  checkQuota(view.snapshot, 'internet-gateways-per-region',
    view.list('internetGateway').length + 1)
  const born = newVpc(view, { cidrBlock: DEFAULT_VPC_BLOCK, instanceTenancy: 'default',
    amazonProvidedIpv6CidrBlock: false, tags: {} }, context)
  const vpc: Vpc = { ...born.vpc, isDefault: true, enableDnsHostnames: true }
  const gateway = newInternetGateway(view, {}, vpc.id, context)
  const routes = [...born.mainTable.routes, {
    destination: '0.0.0.0/0', target: { kind: 'internet-gateway', gatewayId: gateway.id },
    origin: 'CreateRoute'
  } as const]
  const subnets: Subnet[] = []
  for (const { id } of listZones(view)) {
    subnets.push(newDefaultSubnet(view, vpc, subnets, id, context))
  }
  return {
    changes: [put('vpc', vpc), put('routeTable', { ...born.mainTable, routes }), ...born.changes,
      put('internetGateway', gateway), ...subnets.map((subnet) => put('subnet', subnet))],
    result: vpc.id
  }
}

/**
 * CreateDefaultSubnet.
 * @returns the id of the subnet
 * @throws AwsError DefaultVpcDoesNotExist, DefaultSubnetAlreadyExistsInAvailabilityZone,
 *   MissingParameter, InvalidParameterValue (zone), SubnetLimitExceeded, InsufficientCidrBlocks
 */
export function planCreateDefaultSubnet (view: AccountView, input: {
  readonly availabilityZone: string | undefined
  readonly availabilityZoneId: string | undefined
}, context: PlanContext): Plan<string> {
  const zone = zoneFromInput(view, input.availabilityZone, input.availabilityZoneId)
  if (zone === null) {
    throw new AwsError('MissingParameter',
      'The request must contain the parameter availabilityZone')
  }
  const vpc = defaultVpcOf(view)
  if (vpc === undefined) {
    throw new AwsError('DefaultVpcDoesNotExist',
      'No default VPC for this user in this region. Use CreateDefaultVpc to make one.')
  }
  const siblings = view.by('subnet', 'vpcId', vpc.id)
  const existing = siblings.find(({ isDefault, zoneId }) => isDefault && zoneId === zone.id)
  if (existing !== undefined) {
    throw new AwsError('DefaultSubnetAlreadyExistsInAvailabilityZone',
      `A default subnet already exists in ${zone.name}: ${existing.id}`)
  }
  checkQuota(view.snapshot, 'subnets-per-vpc', siblings.length + 1)
  const subnet = newDefaultSubnet(view, vpc, siblings, zone.id, context)
  return { changes: [put('subnet', subnet)], result: subnet.id }
}

/** The lowest free /20 of the VPC's first block. */
function newDefaultSubnet (view: AccountView, vpc: Vpc, siblings: readonly Subnet[], zoneId: string,
  context: PlanContext): Subnet {
  return {
    id: context.newId('subnet'), region: view.region, ownerId: view.accountId, tags: {},
    vpcId: vpc.id, zoneId, cidrBlock: formatCidr(lowestFree(vpc, siblings)), ipv6CidrBlocks: [],
    isDefault: true, mapPublicIpOnLaunch: true, assignIpv6AddressOnCreation: false,
    enableDns64: false, hostnameType: 'ip-name', enableResourceNameDnsARecord: false,
    enableResourceNameDnsAaaaRecord: false, cidrReservations: []
  }
}

function lowestFree (vpc: Vpc, siblings: readonly Subnet[]): Cidr {
  const block = knownCidr(vpc.cidrBlocks[0]?.cidrBlock ?? '')
  const used = siblings.flatMap(({ cidrBlock }) => cidrBlock === null ? [] : [knownCidr(cidrBlock)])
  const step = cidrSize({ ...block, prefixLength: DEFAULT_SUBNET_PREFIX_LENGTH })
  for (let at = 0n; at < cidrSize(block); at += step) {
    const cidr: Cidr =
      { family: 4, first: block.first + at, prefixLength: DEFAULT_SUBNET_PREFIX_LENGTH }
    if (!used.some((other) => cidrsOverlap(other, cidr))) return cidr
  }
  throw new AwsError('InsufficientCidrBlocks',
    `The default VPC ${vpc.id} has no free /${DEFAULT_SUBNET_PREFIX_LENGTH} block for a subnet`)
}
