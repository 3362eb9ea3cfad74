/**
 * Private host names. VPC User Guide, "DNS attributes for your VPC"; EC2 User Guide, "EC2 instance
 * hostnames and domains".
 *
 *     ip-name         ip-10-0-1-10.ec2.internal, elsewhere ip-10-0-1-10.<region>.compute.internal
 *     resource-name   i-0123456789abcdef0.ec2.internal, alike
 *     public          ec2-203-0-113-5.compute-1.amazonaws.com, elsewhere …<region>.compute…
 */
import { formatAddress, knownCidr } from './cidr.ts'
import type { Vpc } from './vpc.ts'

const RESOLVER_OFFSET = 2n

/** "The Amazon DNS server": the base of the VPC's primary block plus two. */
export function resolverAddress (vpc: Vpc): string {
  const { family, first } = knownCidr(vpc.cidrBlocks[0]?.cidrBlock ?? '')
  return formatAddress({ family, value: first + RESOLVER_OFFSET })
}

/** `ec2.internal` in us-east-1, `<region>.compute.internal` elsewhere. */
export function privateDnsSuffix (region: string): string {
  return region === 'us-east-1' ? 'ec2.internal' : `${region}.compute.internal`
}

/** @param ipv4 dotted decimal */
export function ipName (ipv4: string, region: string): string {
  return `ip-${ipv4.replaceAll('.', '-')}.${privateDnsSuffix(region)}`
}

export function resourceName (instanceId: string, region: string): string {
  return `${instanceId}.${privateDnsSuffix(region)}`
}

/** `compute-1.amazonaws.com` in us-east-1, `<region>.compute.amazonaws.com` elsewhere. */
export function publicDnsSuffix (region: string): string {
  return region === 'us-east-1' ? 'compute-1.amazonaws.com' : `${region}.compute.amazonaws.com`
}

/** `ec2-203-0-113-5.compute-1.amazonaws.com`. @param ipv4 dotted decimal */
export function publicName (ipv4: string, region: string): string {
  return `ec2-${ipv4.replaceAll('.', '-')}.${publicDnsSuffix(region)}`
}
