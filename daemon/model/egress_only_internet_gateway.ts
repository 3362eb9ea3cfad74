/**
 * Egress-only internet gateway: lets IPv6 flows out of a VPC, and only their answers back in. AWS
 * VPC User Guide, "Enable outbound IPv6 traffic using an egress-only internet gateway".
 *
 * It is made for one VPC and stays with it. Addresses pass unchanged.
 */
import { AwsError } from './aws_error.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { requireRecord } from './resource_kind.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'

export interface EgressOnlyInternetGateway extends OwnedRecord {
  readonly vpcId: string
}

/**
 * CreateEgressOnlyInternetGateway.
 * @returns the id of the new gateway
 * @throws AwsError InvalidVpcID.*, InvalidParameterValue (the VPC has one),
 *   EgressOnlyInternetGatewayLimitExceeded
 */
export function planCreateEgressOnlyInternetGateway (view: AccountView,
  input: { readonly vpcId: string, readonly tags: Tags }, context: PlanContext): Plan<string> {
  const vpc = requireRecord(view, 'vpc', input.vpcId)
  const [other] = view.by('egressOnlyInternetGateway', 'vpcId', vpc.id)
  if (other !== undefined) {
    throw new AwsError('InvalidParameterValue',
      `Network ${vpc.id} already has an egress-only internet gateway: ${other.id}`)
  }
  checkQuota(view.snapshot, 'egress-only-internet-gateways-per-region',
    view.list('egressOnlyInternetGateway').length + 1)
  const gateway: EgressOnlyInternetGateway = {
    id: context.newId('eigw'), region: view.region, ownerId: view.accountId, tags: input.tags,
    vpcId: vpc.id
  }
  return { changes: [put('egressOnlyInternetGateway', gateway)], result: gateway.id }
}

/**
 * DeleteEgressOnlyInternetGateway. Routes to it stay and become blackholes.
 * @throws AwsError InvalidEgressOnlyInternetGatewayId.Malformed, InvalidGatewayID.NotFound
 */
export function planDeleteEgressOnlyInternetGateway (view: AccountView,
  input: { readonly egressOnlyInternetGatewayId: string }): Plan<null> {
  const { id } = requireRecord(view, 'egressOnlyInternetGateway',
    input.egressOnlyInternetGatewayId)
  return { changes: [remove('egressOnlyInternetGateway', id)], result: null }
}
