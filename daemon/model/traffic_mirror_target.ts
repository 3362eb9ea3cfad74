/**
 * Traffic mirror target: where copies of mirrored packets go. An ENI; AWS also has Network Load
 * Balancers and Gateway Load Balancer endpoints, of which there is none here yet, so that naming
 * one finds none. AWS, "Traffic Mirroring", "Traffic mirror targets".
 *
 * An ENI is the source of sessions, or a target, or neither; never both. A target outlives its ENI:
 * copies are then dropped, and counted.
 */
import { AwsError } from './aws_error.ts'
import { checkDescription } from './network_interface.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { requireRecord } from './resource_kind.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'

export interface TrafficMirrorTarget extends OwnedRecord {
  readonly networkInterfaceId: string
  readonly description: string
}

/** Ways to name a target; exactly one is given. */
export interface NewTrafficMirrorTarget {
  readonly networkInterfaceId: string | null
  readonly networkLoadBalancerArn: string | null
  readonly gatewayLoadBalancerEndpointId: string | null
  readonly description: string
  readonly tags: Tags
}

/**
 * CreateTrafficMirrorTarget.
 * @returns the id of the new target
 * @throws AwsError InvalidParameterCombination, MissingParameter,
 *   InvalidNetworkInterfaceID.NotFound, NetworkLoadBalancerNotFoundException,
 *   InvalidVpcEndpointId.NotFound, NetworkInterfaceNotSupported,
 *   InterfaceInUseByTrafficMirrorTarget, InterfaceInUseByTrafficMirrorSession,
 *   TrafficMirrorTargetLimitExceeded
 */
export function planCreateTrafficMirrorTarget (view: AccountView, input: NewTrafficMirrorTarget,
  context: PlanContext): Plan<string> {
  checkDescription(input.description)
  const networkInterfaceId = checkKind(view, input)
  checkQuota(view.snapshot, 'traffic-mirror-targets-per-region',
    view.list('trafficMirrorTarget').length + 1)
  const target: TrafficMirrorTarget = {
    id: context.newId('tmt'), region: view.region, ownerId: view.accountId, tags: input.tags,
    networkInterfaceId, description: input.description
  }
  return { changes: [put('trafficMirrorTarget', target)], result: target.id }
}

/**
 * DeleteTrafficMirrorTarget.
 * @throws AwsError InvalidTrafficMirrorTargetId.NotFound, TrafficMirrorTargetInUseException
 */
export function planDeleteTrafficMirrorTarget (view: AccountView,
  input: { readonly targetId: string }): Plan<string> {
  const target = requireRecord(view, 'trafficMirrorTarget', input.targetId)
  const sessions = view.by('trafficMirrorSession', 'targetId', target.id)
  if (sessions.length > 0) {
    throw new AwsError('TrafficMirrorTargetInUseException',
      `The traffic mirror target '${target.id}' is used by ` +
      `${sessions.map(({ id }) => id).join(', ')}: delete or modify these sessions first`)
  }
  return { changes: [remove('trafficMirrorTarget', target.id)], result: target.id }
}

/** @returns the ENI */
function checkKind (view: AccountView, input: NewTrafficMirrorTarget): string {
  const { networkInterfaceId, networkLoadBalancerArn, gatewayLoadBalancerEndpointId } = input
  const kinds = [networkInterfaceId, networkLoadBalancerArn, gatewayLoadBalancerEndpointId]
    .filter((kind) => kind !== null)
  if (kinds.length !== 1) {
    throw new AwsError(kinds.length === 0 ? 'MissingParameter' : 'InvalidParameterCombination',
      'The request must contain exactly one of NetworkInterfaceId, NetworkLoadBalancerArn, ' +
      'GatewayLoadBalancerEndpointId')
  }
  if (networkLoadBalancerArn !== null) {
    throw new AwsError('NetworkLoadBalancerNotFoundException',
      `The Network Load Balancer '${networkLoadBalancerArn}' does not exist; this lab has none yet`)
  }
  if (gatewayLoadBalancerEndpointId !== null) {
    throw new AwsError('InvalidVpcEndpointId.NotFound',
      `The VPC endpoint '${gatewayLoadBalancerEndpointId}' does not exist; this lab has none yet`)
  }
  const eni = requireMirrorInterface(view, networkInterfaceId ?? '')
  refuseTargetInterface(view, eni)
  const [session] = view.by('trafficMirrorSession', 'networkInterfaceId', eni)
  if (session !== undefined) {
    throw new AwsError('InterfaceInUseByTrafficMirrorSession',
      `Network interface '${eni}' is the source of '${session.id}', and so cannot be a target`)
  }
  return eni
}

/**
 * An ENI that can be mirrored, or be a target.
 * @throws AwsError InvalidNetworkInterfaceID.*, NetworkInterfaceNotSupported
 */
export function requireMirrorInterface (view: AccountView, networkInterfaceId: string): string {
  const eni = requireRecord(view, 'networkInterface', networkInterfaceId)
  if (eni.interfaceType === 'interface' && eni.requesterId === null) return eni.id
  throw new AwsError('NetworkInterfaceNotSupported',
    `Network interface '${eni.id}' is a ${eni.interfaceType} interface of a service, which ` +
    'traffic mirroring does not take')
}

/** @throws AwsError InterfaceInUseByTrafficMirrorTarget */
export function refuseTargetInterface (view: AccountView, networkInterfaceId: string): void {
  const [target] = view.by('trafficMirrorTarget', 'networkInterfaceId', networkInterfaceId)
  if (target === undefined) return
  throw new AwsError('InterfaceInUseByTrafficMirrorTarget',
    `Network interface '${networkInterfaceId}' is the traffic mirror target '${target.id}'`)
}
