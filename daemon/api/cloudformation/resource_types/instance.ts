/**
 * AWS::EC2::Instance. CloudFormation Template Reference, "AWS::EC2::Instance".
 *
 * It is complete when it runs. Its type and its user data are changed while it is stopped, which is
 * what AWS calls "some interruptions".
 */
import type * as Ec2 from '@aws-sdk/client-ec2'
import { AwsError } from '../../../model/aws_error.ts'
import type { Instance } from '../../../model/instance.ts'
import { interfacesOfInstance } from '../../../model/instance.ts'
import { ipName, resourceName } from '../../../model/private_dns.ts'
import type { JsonObject } from '../../../model/stack.ts'
import { zoneName } from '../../../model/zone.ts'
import { TAGS, inPlace, interrupts, replaces, required } from '../property.ts'
import type { ResourceCall, ResourceType } from '../resource_type.ts'
import { allowing, pick, text, texts } from '../resource_type.ts'
import { ADDRESS_KINDS } from './network_interface.ts'

function instanceOf (call: ResourceCall, id: string): Instance | undefined {
  return call.view.get('instance', id)
}

/** Whether the instance runs. @throws AwsError when it never will */
function runs (call: ResourceCall, id: string): boolean {
  const instance = instanceOf(call, id)
  if (instance === undefined || ['shutting-down', 'terminated'].includes(instance.state)) {
    throw new AwsError('InternalError', `Instance ${id} did not stabilize: it is ` +
      `${instance?.state ?? 'gone'}. ${instance?.stateReason ?? ''}`.trimEnd())
  }
  return instance.state === 'running'
}

const OF_LAUNCH = [
  'ImageId', 'InstanceType', 'KeyName', 'SubnetId', 'SecurityGroupIds', 'SecurityGroups',
  'PrivateIpAddress', 'Ipv6AddressCount', 'Ipv6Addresses', 'UserData', 'DisableApiTermination',
  'InstanceInitiatedShutdownBehavior', 'PrivateDnsNameOptions'
] as const

function launchOf (properties: JsonObject): object {
  const interfaces = properties['NetworkInterfaces'] as readonly JsonObject[] | undefined
  const { AvailabilityZone, HostId, Tenancy } = properties
  return {
    MinCount: 1, MaxCount: 1, ...pick(properties, ...OF_LAUNCH),
    Placement: { AvailabilityZone, HostId, Tenancy },
    ...interfaces === undefined
      ? {}
      : { NetworkInterfaces: interfaces.map(interfaceOf) }
  }
}

/** An interface of a launch: in RunInstances its groups and addresses are named otherwise. */
function interfaceOf ({ GroupSet, ...rest }: JsonObject): object {
  return { ...rest, Groups: GroupSet }
}

/** Attributes that can change while it runs. */
async function settleRunning (call: ResourceCall, id: string,
  before: readonly JsonObject[]): Promise<void> {
  const modify = async (change: object): Promise<void> => {
    await call.ec2('ModifyInstanceAttribute', { InstanceId: id, ...change })
  }
  const { properties } = call
  const said = (name: string): boolean =>
    [properties, ...before].some((one) => one[name] !== undefined)
  if (said('SourceDestCheck')) {
    await modify({ SourceDestCheck: { Value: properties['SourceDestCheck'] ?? true } })
  }
  if (before.length === 0) return
  await modify({ DisableApiTermination: { Value: properties['DisableApiTermination'] ?? false } })
  await modify({ InstanceInitiatedShutdownBehavior: {
    Value: properties['InstanceInitiatedShutdownBehavior'] ?? 'stop'
  } })
  const groups = texts(properties, 'SecurityGroupIds')
  if (groups !== undefined) await modify({ Groups: groups })
}

/** Type and user data, for which the instance is stopped. */
async function settleStopped (call: ResourceCall, id: string): Promise<void> {
  const instance = instanceOf(call, id)
  const type = text(call.properties, 'InstanceType') ?? instance?.instanceType
  const userData = text(call.properties, 'UserData') ?? ''
  if (instance?.instanceType === type && instance?.userData === userData) return
  await call.ec2('StopInstances', { InstanceIds: [id] })
  await call.until(() => instanceOf(call, id)?.state === 'stopped')
  await call.ec2('ModifyInstanceAttribute', { InstanceId: id, InstanceType: { Value: type } })
  await call.ec2('ModifyInstanceAttribute',
    { InstanceId: id, UserData: { Value: Buffer.from(userData, 'base64') } })
}

const instance: ResourceType = {
  name: 'AWS::EC2::Instance',
  properties: {
    ImageId: required(replaces('string')),
    InstanceType: interrupts('string'),
    UserData: interrupts('string'),
    SubnetId: replaces('string'),
    SecurityGroupIds: inPlace(['string']),
    SecurityGroups: replaces(['string']),
    PrivateIpAddress: replaces('string'),
    Ipv6AddressCount: replaces('integer'),
    Ipv6Addresses: replaces([{ Ipv6Address: 'string' }]),
    NetworkInterfaces: replaces([{
      DeviceIndex: 'integer', NetworkInterfaceId: 'string', SubnetId: 'string',
      GroupSet: ['string'], Description: 'string', DeleteOnTermination: 'boolean',
      AssociatePublicIpAddress: 'boolean', ...ADDRESS_KINDS
    }]),
    SourceDestCheck: inPlace('boolean'),
    DisableApiTermination: inPlace('boolean'),
    InstanceInitiatedShutdownBehavior: inPlace('string'),
    PrivateDnsNameOptions: replaces({
      HostnameType: 'string', EnableResourceNameDnsARecord: 'boolean',
      EnableResourceNameDnsAAAARecord: 'boolean'
    }),
    AvailabilityZone: replaces('string'),
    HostId: replaces('string'),
    Tenancy: replaces('string'),
    KeyName: replaces('string'),
    Tags: TAGS
  },
  ref: 'instance id',
  attributes: ['AvailabilityZone', 'InstanceId', 'PrivateDnsName', 'PrivateIp', 'VpcId'],
  tagged: true,
  async create (call) {
    const { Instances: [made] = [] } = await call.once<Ec2.Reservation>('RunInstances',
      launchOf(call.properties))
    return made?.InstanceId ?? ''
  },
  async settle (call, id, before) {
    await settleRunning(call, id, before)
    await settleStopped(call, id)
    if (instanceOf(call, id)?.state === 'stopped') {
      await call.ec2('StartInstances', { InstanceIds: [id] })
    }
    await call.until(() => runs(call, id))
    return id
  },
  read ({ view }, id) {
    const record = view.get('instance', id)
    if (record === undefined) return {}
    const [primary] = interfacesOfInstance(view.snapshot, record)
    const address = primary?.privateIpAddresses[0] ?? ''
    return {
      InstanceId: id, AvailabilityZone: zoneName(view, record.zoneId), PrivateIp: address,
      PrivateDnsName: record.hostnameType === 'resource-name' || address === ''
        ? resourceName(record.id, record.region)
        : ipName(address, record.region),
      VpcId: record.vpcId
    }
  },
  async delete (call, id) {
    await allowing(['InvalidInstanceID.NotFound'],
      call.ec2('TerminateInstances', { InstanceIds: [id] }))
    await call.until(() => (instanceOf(call, id)?.state ?? 'terminated') === 'terminated')
  }
}

export const instanceTypes: readonly ResourceType[] = [instance]
