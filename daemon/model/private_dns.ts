/**
 * Private host names. VPC User Guide, "DNS attributes for your VPC"; EC2 User Guide, "EC2 instance
 * hostnames and domains".
 *
 *     ip-name         ip-10-0-1-10.ec2.internal, elsewhere ip-10-0-1-10.<region>.compute.internal
 *     resource-name   i-0123456789abcdef0.ec2.internal, alike
 */

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
