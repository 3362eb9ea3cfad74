/**
 * Instance types: what a type allows an instance to have on the network. The lab gives every
 * instance the whole machine; vCPUs and memory are what AWS publishes and are shown, not enforced.
 *
 * Source: EC2 User Guide, "Maximum IP addresses per network interface", and the network
 * specifications of the "Amazon EC2 instance types guide".
 */
import { AwsError } from './aws_error.ts'

export interface InstanceType {
  readonly name: string
  readonly vcpus: number
  readonly memoryMiB: number
  /** Network interfaces that may be attached at once, the primary one included. */
  readonly interfacesMax: number
  /** Private IPv4 addresses per interface, the primary one included; a /28 prefix counts as one. */
  readonly ipv4PerInterfaceMax: number
  /** IPv6 addresses per interface; a /80 prefix counts as one. */
  readonly ipv6PerInterfaceMax: number
  readonly baselineGbps: number
  readonly peakGbps: number
  readonly hypervisor: 'nitro' | 'xen'
  readonly burstablePerformance: boolean
}

/** name, vCPUs, memory GiB, interfaces, addresses per interface, baseline and peak Gbit/s. */
type Row = readonly [string, number, number, number, number, number, number]

const XEN_ROWS: readonly Row[] = [
  ['t2.nano', 1, 0.5, 2, 2, 0.032, 0.5],
  ['t2.micro', 1, 1, 2, 2, 0.064, 1],
  ['t2.small', 1, 2, 3, 4, 0.128, 1],
  ['t2.medium', 2, 4, 3, 6, 0.256, 1],
  ['t2.large', 2, 8, 3, 12, 0.512, 1]
]

const NITRO_ROWS: readonly Row[] = [
  ['t3.nano', 2, 0.5, 2, 2, 0.032, 5],
  ['t3.micro', 2, 1, 2, 2, 0.064, 5],
  ['t3.small', 2, 2, 3, 4, 0.128, 5],
  ['t3.medium', 2, 4, 3, 6, 0.256, 5],
  ['t3.large', 2, 8, 3, 12, 0.512, 5],
  ['t3.xlarge', 4, 16, 4, 15, 1.024, 5],
  ['t3.2xlarge', 8, 32, 4, 15, 2.048, 5],
  ['m5.large', 2, 8, 3, 10, 0.75, 10],
  ['m5.xlarge', 4, 16, 4, 15, 1.25, 10],
  ['m5.2xlarge', 8, 32, 4, 15, 2.5, 10],
  ['m5.4xlarge', 16, 64, 8, 30, 5, 10],
  ['m5.8xlarge', 32, 128, 8, 30, 10, 10],
  ['m5.16xlarge', 64, 256, 15, 50, 20, 20],
  ['m6i.large', 2, 8, 3, 10, 0.781, 12.5],
  ['m6i.xlarge', 4, 16, 4, 15, 1.562, 12.5],
  ['m6i.2xlarge', 8, 32, 4, 15, 3.125, 12.5],
  ['m6i.4xlarge', 16, 64, 8, 30, 6.25, 12.5],
  ['m6i.8xlarge', 32, 128, 8, 30, 12.5, 12.5],
  ['m6i.16xlarge', 64, 256, 15, 50, 25, 25],
  ['c5.large', 2, 4, 3, 10, 0.75, 10],
  ['c5.xlarge', 4, 8, 4, 15, 1.25, 10],
  ['c5.2xlarge', 8, 16, 4, 15, 2.5, 10],
  ['c5.4xlarge', 16, 32, 8, 30, 5, 10],
  ['c5.9xlarge', 36, 72, 8, 30, 12, 12],
  ['c5.18xlarge', 72, 144, 15, 50, 25, 25],
  ['c5n.large', 2, 5.25, 3, 10, 3, 25],
  ['c5n.xlarge', 4, 10.5, 4, 15, 5, 25],
  ['c5n.2xlarge', 8, 21, 4, 15, 10, 25],
  ['c5n.4xlarge', 16, 42, 8, 30, 15, 25],
  ['c5n.9xlarge', 36, 96, 8, 30, 50, 50],
  ['c5n.18xlarge', 72, 192, 15, 50, 100, 100],
  ['r5.large', 2, 16, 3, 10, 0.75, 10],
  ['r5.xlarge', 4, 32, 4, 15, 1.25, 10],
  ['r5.2xlarge', 8, 64, 4, 15, 2.5, 10],
  ['r5.4xlarge', 16, 128, 8, 30, 5, 10],
  ['r5.8xlarge', 32, 256, 8, 30, 10, 10],
  ['r5.16xlarge', 64, 512, 15, 50, 20, 20]
]

function instanceType (row: Row, hypervisor: 'nitro' | 'xen'): InstanceType {
  const [name, vcpus, memoryGiB, interfacesMax, addressesMax, baselineGbps, peakGbps] = row
  return {
    name, vcpus, memoryMiB: memoryGiB * 1024, interfacesMax,
    ipv4PerInterfaceMax: addressesMax, ipv6PerInterfaceMax: addressesMax,
    baselineGbps, peakGbps, hypervisor, burstablePerformance: name.startsWith('t')
  }
}

/** Every type of the lab, by name. */
export const INSTANCE_TYPES: ReadonlyMap<string, InstanceType> = new Map([
  ...XEN_ROWS.map((row) => [row[0], instanceType(row, 'xen')] as const),
  ...NITRO_ROWS.map((row) => [row[0], instanceType(row, 'nitro')] as const)
])

/** Type of an instance whose RunInstances names none (AWS: m1.small, which is long gone). */
export const INSTANCE_TYPE_DEFAULT = 'm5.large'

/** @throws AwsError InvalidParameterValue for a type that is not in the table */
export function findInstanceType (name: string): InstanceType {
  const found = INSTANCE_TYPES.get(name)
  if (found === undefined) {
    throw new AwsError('InvalidParameterValue', `Invalid value '${name}' for InstanceType. ` +
      `This lab has ${[...INSTANCE_TYPES.keys()].join(', ')}`)
  }
  return found
}
