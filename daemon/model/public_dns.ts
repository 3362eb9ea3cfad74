/**
 * Host names of public addresses. VPC User Guide, "DNS attributes for your VPC".
 *
 *     ec2-203-0-113-5.compute-1.amazonaws.com, elsewhere ec2-203-0-113-5.<region>.compute.…
 *
 * A VPC gives them when both of its DNS attributes are true.
 */
import type { Snapshot } from './snapshot.ts'

/** @param ipv4 dotted decimal */
export function publicName (ipv4: string, region: string): string {
  const place = region === 'us-east-1' ? 'compute-1' : `${region}.compute`
  return `ec2-${ipv4.replaceAll('.', '-')}.${place}.amazonaws.com`
}

/** Name of a public address in use in a VPC; undefined when the VPC gives none. */
export function publicNameIn ({ tables }: Snapshot, vpcId: string,
  ipv4: string): string | undefined {
  const vpc = tables.vpc.get(vpcId)
  return vpc?.enableDnsHostnames === true && vpc.enableDnsSupport
    ? publicName(ipv4, vpc.region)
    : undefined
}
