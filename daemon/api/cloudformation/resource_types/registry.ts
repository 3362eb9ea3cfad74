/**
 * All resource types of templates. A noun's types are one file beside this one and one line here;
 * docs/stacks.md has the table for people.
 */
import type { ResourceType } from '../resource_type.ts'
import { addressTypes } from './address.ts'
import { instanceTypes } from './instance.ts'
import { internetGatewayTypes } from './internet_gateway.ts'
import { natGatewayTypes } from './nat_gateway.ts'
import { networkAclTypes } from './network_acl.ts'
import { networkInterfaceTypes } from './network_interface.ts'
import { routeTableTypes } from './route_table.ts'
import { securityGroupTypes } from './security_group.ts'
import { subnetTypes } from './subnet.ts'
import { vpcTypes } from './vpc.ts'
import { vpcPeeringTypes } from './vpc_peering.ts'
import { vpnTypes } from './vpn.ts'

export const RESOURCE_TYPES: ReadonlyMap<string, ResourceType> = new Map([
  ...vpcTypes, ...subnetTypes, ...routeTableTypes, ...securityGroupTypes, ...networkAclTypes,
  ...networkInterfaceTypes, ...instanceTypes, ...internetGatewayTypes, ...addressTypes,
  ...natGatewayTypes, ...vpcPeeringTypes, ...vpnTypes
].map((type) => [type.name, type]))
