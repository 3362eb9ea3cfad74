/**
 * All EC2 actions that are built. A noun's actions are one file beside this one and one line
 * here.
 */
import type { Action } from '../action.ts'
import { addressActions } from './address.ts'
import { dhcpOptionsActions } from './dhcp_options.ts'
import { flowLogActions } from './flow_log.ts'
import { instanceActions } from './instance.ts'
import { internetGatewayActions } from './internet_gateway.ts'
import { natGatewayActions } from './nat_gateway.ts'
import { networkAclActions } from './network_acl.ts'
import { networkInsightsActions } from './network_insights.ts'
import { networkInterfaceActions } from './network_interface.ts'
import { prefixListActions } from './prefix_list.ts'
import { routeTableActions } from './route_table.ts'
import { securityGroupActions } from './security_group.ts'
import { subnetActions } from './subnet.ts'
import { tagActions } from './tag.ts'
import { trafficMirrorActions } from './traffic_mirror.ts'
import { vpcActions } from './vpc.ts'
import { vpcPeeringActions } from './vpc_peering.ts'
import { vpnConnectionActions } from './vpn_connection.ts'
import { vpnGatewayActions } from './vpn_gateway.ts'
import { zoneActions } from './zone.ts'

export const ACTIONS: readonly Action[] = [
  ...addressActions,
  ...dhcpOptionsActions,
  ...flowLogActions,
  ...instanceActions,
  ...internetGatewayActions,
  ...natGatewayActions,
  ...networkAclActions,
  ...networkInsightsActions,
  ...networkInterfaceActions,
  ...prefixListActions,
  ...routeTableActions,
  ...securityGroupActions,
  ...subnetActions,
  ...tagActions,
  ...trafficMirrorActions,
  ...vpcActions,
  ...vpcPeeringActions,
  ...vpnConnectionActions,
  ...vpnGatewayActions,
  ...zoneActions
]
