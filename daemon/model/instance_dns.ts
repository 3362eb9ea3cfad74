/**
 * Which names of an instance the resolver answers. EC2 User Guide, "EC2 instance hostnames and
 * domains": the IP name always, the resource name (`i-….ec2.internal`) by A and by AAAA records
 * where that is switched on, at launch or later.
 */
import { AwsError } from './aws_error.ts'
import type { Instance } from './instance.ts'
import type { Plan } from './plan.ts'
import { requireRecord } from './resource_kind.ts'
import { put } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'
import type { Subnet } from './subnet.ts'

export interface PrivateDnsNameOptions {
  readonly hostnameType: 'ip-name' | 'resource-name'
  readonly enableResourceNameDnsARecord: boolean
  readonly enableResourceNameDnsAaaaRecord: boolean
}

export interface PrivateDnsNameInput {
  readonly hostnameType?: string | undefined
  readonly enableResourceNameDnsARecord?: boolean | undefined
  readonly enableResourceNameDnsAaaaRecord?: boolean | undefined
}

/** Options of an instance; one that an older daemon made answers for no resource name. */
export function privateDnsOptionsOf (instance: Instance): PrivateDnsNameOptions {
  return {
    hostnameType: instance.hostnameType,
    enableResourceNameDnsARecord: instance.enableResourceNameDnsARecord ?? false,
    enableResourceNameDnsAaaaRecord: instance.enableResourceNameDnsAaaaRecord ?? false
  }
}

/**
 * Options of a new instance: what is not given is as the subnet says.
 * @throws AwsError InvalidParameterValue, InvalidParameterCombination
 */
export function newPrivateDnsOptions (
  subnet: Subnet, input: PrivateDnsNameInput
): PrivateDnsNameOptions {
  return withOptions(subnet, {
    hostnameType: subnet.hostnameType,
    enableResourceNameDnsARecord: subnet.enableResourceNameDnsARecord,
    enableResourceNameDnsAaaaRecord: subnet.enableResourceNameDnsAaaaRecord
  }, input)
}

/**
 * ModifyPrivateDnsNameOptions. The kind of host name changes only while the instance is stopped.
 * @throws AwsError InvalidInstanceID.*, IncorrectInstanceState, InvalidParameterValue,
 *   InvalidParameterCombination, MissingParameter
 */
export function planModifyPrivateDnsNameOptions (
  view: AccountView, instanceId: string, input: PrivateDnsNameInput
): Plan<null> {
  const instance = requireRecord(view, 'instance', instanceId)
  if (Object.values(input).every((value) => value === undefined)) {
    throw new AwsError('MissingParameter',
      'The request must contain at least one private DNS name option to modify')
  }
  const subnet = view.snapshot.tables.subnet.get(instance.subnetId)
  if (instance.state === 'terminated' || subnet === undefined) {
    throw wrongState(instance, 'have its private DNS name options modified')
  }
  const held = privateDnsOptionsOf(instance)
  const next = withOptions(subnet, held, input)
  if (next.hostnameType !== held.hostnameType && instance.state !== 'stopped') {
    throw wrongState(instance, 'have its hostname type modified: stop it first')
  }
  return { changes: [put('instance', { ...instance, ...next })], result: null }
}

function wrongState (instance: Instance, what: string): AwsError {
  return new AwsError('IncorrectInstanceState',
    `The instance '${instance.id}' is in the state ${instance.state} and cannot ${what}`)
}

function withOptions (
  subnet: Subnet, options: PrivateDnsNameOptions, input: PrivateDnsNameInput
): PrivateDnsNameOptions {
  const hostnameType = input.hostnameType ?? options.hostnameType
  if (hostnameType !== 'ip-name' && hostnameType !== 'resource-name') {
    throw new AwsError('InvalidParameterValue',
      `Value (${hostnameType}) for parameter privateDnsHostnameType is invalid. ` +
      'Expecting ip-name or resource-name.')
  }
  const next: PrivateDnsNameOptions = {
    hostnameType,
    enableResourceNameDnsARecord:
      input.enableResourceNameDnsARecord ?? options.enableResourceNameDnsARecord,
    enableResourceNameDnsAaaaRecord:
      input.enableResourceNameDnsAaaaRecord ?? options.enableResourceNameDnsAaaaRecord
  }
  checkFamilies(subnet, next)
  return next
}

/** A name of a family that the subnet has not. */
function checkFamilies (subnet: Subnet, options: PrivateDnsNameOptions): void {
  const fault = subnet.cidrBlock === null
    ? options.hostnameType === 'ip-name'
      ? 'the hostname type ip-name'
      : options.enableResourceNameDnsARecord ? 'DNS A records' : null
    : options.enableResourceNameDnsAaaaRecord && subnet.ipv6CidrBlocks.length === 0
      ? 'DNS AAAA records' : null
  if (fault === null) return
  throw new AwsError('InvalidParameterCombination',
    `The subnet '${subnet.id}' has no addresses for ${fault}`)
}
