/**
 * Internet gateway: a VPC's door to the internet. AWS VPC User Guide, "Enable internet access for a
 * VPC using an internet gateway".
 *
 * One VPC has at most one, and one serves at most one VPC. What passes needs a route to it and a
 * public address (public_address.ts); it translates that address and nothing else.
 */
import { AwsError } from './aws_error.ts'
import type { Plan, PlanContext } from './plan.ts'
import { publicAddressesOf } from './public_address.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { requireRecord } from './resource_kind.ts'
import { routeTableOfGateway } from './route_table.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView, Change, Snapshot } from './snapshot.ts'

export interface InternetGateway extends OwnedRecord {
  /** VPC that it is attached to; null while detached. */
  readonly vpcId: string | null
}

/** The gateway attached to a VPC. */
export function internetGatewayOf (snapshot: Snapshot, vpcId: string): InternetGateway | undefined {
  return snapshot.tables.internetGateway.by('vpcId', vpcId)[0]
}

/**
 * CreateInternetGateway.
 * @returns the id of the new gateway
 * @throws AwsError InternetGatewayLimitExceeded
 */
export function planCreateInternetGateway (view: AccountView, input: { readonly tags: Tags },
  context: PlanContext): Plan<string> {
  checkQuota(view.snapshot, 'internet-gateways-per-region',
    view.list('internetGateway').length + 1)
  const gateway = newInternetGateway(view, input.tags, null, context)
  return { changes: [put('internetGateway', gateway)], result: gateway.id }
}

export function newInternetGateway (view: AccountView, tags: Tags, vpcId: string | null,
  context: PlanContext): InternetGateway {
  return { id: context.newId('igw'), region: view.region, ownerId: view.accountId, tags, vpcId }
}

interface GatewayAndVpc {
  readonly internetGatewayId: string
  readonly vpcId: string
}

/**
 * AttachInternetGateway.
 * @throws AwsError InvalidInternetGatewayID.*, InvalidVpcID.*, Resource.AlreadyAssociated,
 *   InvalidParameterValue (the VPC has a gateway)
 */
export function planAttachInternetGateway (view: AccountView, input: GatewayAndVpc): Plan<null> {
  const gateway = requireRecord(view, 'internetGateway', input.internetGatewayId)
  const vpc = requireRecord(view, 'vpc', input.vpcId)
  if (gateway.vpcId !== null) {
    throw new AwsError('Resource.AlreadyAssociated',
      `resource ${gateway.id} is already attached to network ${gateway.vpcId}`)
  }
  const other = internetGatewayOf(view.snapshot, vpc.id)
  if (other !== undefined) {
    throw new AwsError('InvalidParameterValue',
      `Network ${vpc.id} already has an internet gateway attached: ${other.id}`)
  }
  return { changes: [put('internetGateway', { ...gateway, vpcId: vpc.id })], result: null }
}

/**
 * DetachInternetGateway. Routes to the gateway stay and become blackholes; a route table that the
 * gateway has is freed.
 * @throws AwsError InvalidInternetGatewayID.*, InvalidVpcID.*, Gateway.NotAttached,
 *   DependencyViolation while anything in the VPC has a public address
 */
export function planDetachInternetGateway (view: AccountView, input: GatewayAndVpc): Plan<null> {
  const gateway = requireRecord(view, 'internetGateway', input.internetGatewayId)
  const vpc = requireRecord(view, 'vpc', input.vpcId)
  if (gateway.vpcId !== vpc.id) {
    throw new AwsError('Gateway.NotAttached',
      `resource ${gateway.id} is not attached to network ${vpc.id}`)
  }
  const [mapped, ...more] = publicAddressesOf(view.snapshot, vpc.id)
  if (mapped !== undefined) {
    throw new AwsError('DependencyViolation',
      `Network ${vpc.id} has some mapped public address(es). Please unmap those public ` +
      `address(es) before detaching the gateway: ${mapped.publicIp} of ` +
      `${mapped.networkInterfaceId}${more.length > 0 ? ` and ${more.length} more` : ''}`)
  }
  const changes: Change[] = [put('internetGateway', { ...gateway, vpcId: null })]
  const table = routeTableOfGateway(view.snapshot, vpc.id, gateway.id)
  if (table !== undefined) {
    const associations = table.associations.filter(({ gatewayId }) => gatewayId !== gateway.id)
    changes.push(put('routeTable', { ...table, associations }))
  }
  return { changes, result: null }
}

/**
 * DeleteInternetGateway. Routes to it stay and are blackholes.
 * @throws AwsError InvalidInternetGatewayID.*, DependencyViolation while attached
 */
export function planDeleteInternetGateway (view: AccountView,
  input: { readonly internetGatewayId: string }): Plan<null> {
  const gateway = requireRecord(view, 'internetGateway', input.internetGatewayId)
  if (gateway.vpcId !== null) {
    throw new AwsError('DependencyViolation', `The internetGateway '${gateway.id}' has ` +
      `dependencies and cannot be deleted: it is attached to ${gateway.vpcId}`)
  }
  return { changes: [remove('internetGateway', gateway.id)], result: null }
}
