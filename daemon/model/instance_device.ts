/**
 * [lab] What the ENIs of an instance are inside: TUNs, which carry IP packets and nothing else, or
 * TAPs, which carry Ethernet, so that DHCP clients, ARP and packet sockets work as on EC2 (ADR 19).
 *
 * The caller of RunInstances asks for it by a tag of the instance, `vpclab:device` = `tap`: every
 * AWS client can. It is the one tag of the system that a caller may give, only there, and it stays
 * as it is for the instance's life. A virtual machine has TAPs by all means.
 */
import { AwsError } from './aws_error.ts'
import type { Guest } from './instance_guest.ts'
import type { Tags } from './record.ts'
import type { TagSpecificationInput } from './tag.ts'

export const DEVICE_TAG = 'vpclab:device'

export type Device = 'tun' | 'tap'

/** What every ENI of the instance is. */
export function deviceOf (
  { tags, guest }: { readonly tags: Tags, readonly guest?: Guest }): Device {
  return guest?.kind === 'vm' || tags[DEVICE_TAG] === 'tap' ? 'tap' : 'tun'
}

/** Tag specifications of RunInstances without the tag, and the tags that stand for it. */
export interface DeviceWish {
  readonly rest: readonly TagSpecificationInput[]
  readonly tags: Tags
}

/** @throws AwsError InvalidParameterValue for anything but `tun` and `tap` */
export function deviceFromSpecifications (
  specifications: readonly TagSpecificationInput[]): DeviceWish {
  const asked = specifications.filter(({ ResourceType }) => ResourceType === 'instance')
    .flatMap(({ Tags = [] }) => Tags).find(({ Key }) => Key === DEVICE_TAG)
  if (asked === undefined) return { rest: specifications, tags: {} }
  if (asked.Value !== 'tun' && asked.Value !== 'tap') {
    throw new AwsError('InvalidParameterValue', `Value ( ${asked.Value ?? ''} ) of the tag ` +
      `${DEVICE_TAG} is invalid; expecting tun or tap`)
  }
  const rest = specifications.map((specification) => ({
    ...specification, Tags: specification.Tags?.filter((tag) => tag !== asked)
  }))
  return { rest, tags: asked.Value === 'tap' ? { [DEVICE_TAG]: 'tap' } : {} }
}
