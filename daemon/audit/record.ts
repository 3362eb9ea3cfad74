/**
 * The record of one API call, in CloudTrail's format. AWS CloudTrail User Guide, "CloudTrail record
 * contents", "CloudTrail userIdentity element".
 *
 * It is one line of JSON in the journal and the same text in an answer of LookupEvents. What
 * CloudTrail has no field for stands in `additionalEventData`, the field that it has for that.
 */
import { idPrefix } from '../base/ids.ts'

/** Version of the format: major for what breaks readers, minor for additions. */
export const EVENT_VERSION = '1.11'
/** Resources that an event is found by; a call that names more is found by the first. */
export const EVENT_RESOURCES_MAX = 1000

export interface UserIdentity {
  /** A key of the lab acts with all rights of its account; `Unknown` when it was not believed. */
  readonly type: 'Root' | 'Unknown'
  readonly principalId?: string
  readonly arn?: string
  readonly accountId?: string
  readonly accessKeyId?: string
  /** Who made the call on the caller's behalf. */
  readonly invokedBy?: string
}

export interface CloudTrailRecord {
  readonly eventVersion: string
  readonly userIdentity: UserIdentity
  /** When the call was decided, ISO 8601 in UTC, whole seconds. */
  readonly eventTime: string
  readonly eventSource: string
  readonly eventName: string
  readonly awsRegion: string
  readonly sourceIPAddress: string
  readonly userAgent: string
  readonly errorCode?: string
  readonly errorMessage?: string
  /** null: the call had none, or they could not be read. */
  readonly requestParameters: object | null
  /** null: a call that only reads, or was refused. */
  readonly responseElements: object | null
  readonly additionalEventData: {
    /** `eventTime` in ms since 1970. */
    readonly eventTimeMs: number
    /** Revision of the store that the call made. */
    readonly revision?: number
  }
  readonly requestID: string
  readonly eventID: string
  readonly readOnly: boolean
  readonly eventType: 'AwsApiCall'
  readonly managementEvent: true
  /** Whose event history shows the event; absent when the caller was not believed. */
  readonly recipientAccountId?: string
  readonly eventCategory: 'Management'
}

/** A resource that a call names, as LookupEvents shows it. */
export interface EventResource {
  /** `AWS::EC2::VPC` */
  readonly type: string
  readonly name: string
}

/** Id prefix to the type's name in CloudTrail, Config and CloudFormation. */
const RESOURCE_TYPES: ReadonlyMap<string, string> = new Map([
  ['acl', 'AWS::EC2::NetworkAcl'],
  ['ami', 'AWS::EC2::Ami'],
  ['cgw', 'AWS::EC2::CustomerGateway'],
  ['dopt', 'AWS::EC2::DHCPOptions'],
  ['eigw', 'AWS::EC2::EgressOnlyInternetGateway'],
  ['eipalloc', 'AWS::EC2::EIP'],
  ['eni', 'AWS::EC2::NetworkInterface'],
  ['i', 'AWS::EC2::Instance'],
  ['igw', 'AWS::EC2::InternetGateway'],
  ['nat', 'AWS::EC2::NatGateway'],
  ['pcx', 'AWS::EC2::VPCPeeringConnection'],
  ['pl', 'AWS::EC2::PrefixList'],
  ['rtb', 'AWS::EC2::RouteTable'],
  ['sg', 'AWS::EC2::SecurityGroup'],
  ['subnet', 'AWS::EC2::Subnet'],
  ['tgw', 'AWS::EC2::TransitGateway'],
  ['vgw', 'AWS::EC2::VPNGateway'],
  ['vpc', 'AWS::EC2::VPC'],
  ['vpce', 'AWS::EC2::VPCEndpoint'],
  ['vpn', 'AWS::EC2::VPNConnection']
])

/** The type of the resource that has this id, or undefined when it is no id. */
function resourceTypeOf (id: string): string | undefined {
  const type = RESOURCE_TYPES.get(id.slice(0, Math.max(id.lastIndexOf('-'), 0)))
  return type !== undefined && idPrefix(id) !== '' ? type : undefined
}

/** Ids of resources anywhere in a JSON value, each once, in the order they stand. */
export function resourcesIn (...values: readonly unknown[]): EventResource[] {
  const found = new Map<string, EventResource>()
  const visit = (value: unknown): void => {
    if (typeof value === 'string') {
      const type = found.size < EVENT_RESOURCES_MAX ? resourceTypeOf(value) : undefined
      if (type !== undefined) found.set(value, { type, name: value })
    } else if (typeof value === 'object' && value !== null) Object.values(value).forEach(visit)
  }
  values.forEach(visit)
  return [...found.values()]
}
