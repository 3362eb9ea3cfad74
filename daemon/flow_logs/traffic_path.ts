/**
 * `traffic-path` of a flow log: which way what leaves an interface takes. AWS VPC User Guide, "Flow
 * log records". The route is that of the records when the window was opened.
 */
import { cidrContainsAddress, knownCidr, parseAddress } from '../model/cidr.ts'
import { effectiveRoutes } from '../model/route_order.ts'
import { routeTableOfSubnet } from '../model/route_table.ts'
import type { RouteTarget } from '../model/route_target.ts'
import type { Snapshot } from '../model/snapshot.ts'

/** The field's value for an address, or NO_PATH. */
export type PathTo = (address: string) => string

export const NO_PATH = '-'
/** Through another resource of the same VPC: an interface, a NAT gateway. */
const SAME_VPC = '1'
const INTERNET_GATEWAY = '8'

/** Ways out of a subnet. Empty prefixes when the subnet is gone. */
export function pathsOf (snapshot: Snapshot, vpcId: string, subnetId: string): PathTo {
  const vpc = snapshot.tables.vpc.get(vpcId)
  const blocks = [...vpc?.cidrBlocks ?? [], ...vpc?.ipv6CidrBlocks ?? []]
    .map(({ cidrBlock }) => knownCidr(cidrBlock))
  const subnet = snapshot.tables.subnet.get(subnetId)
  const table = subnet === undefined ? undefined : routeTableOfSubnet(snapshot, subnet)
  const routes = table === undefined ? [] : effectiveRoutes(snapshot, table)
    .map(({ cidr, route }) => ({ cidr: knownCidr(cidr), path: pathOf(route.target) }))
    .sort((a, b) => b.cidr.prefixLength - a.cidr.prefixLength)
  return (text) => {
    const address = parseAddress(text)
    if (address === null) return NO_PATH
    if (blocks.some((block) => cidrContainsAddress(block, address))) return SAME_VPC
    return routes.find(({ cidr }) => cidrContainsAddress(cidr, address))?.path ?? NO_PATH
  }
}

function pathOf (target: RouteTarget): string {
  switch (target.kind) {
    case 'internet-gateway': return INTERNET_GATEWAY
    case 'network-interface': case 'nat-gateway': case 'local': return SAME_VPC
    default: return NO_PATH
  }
}
