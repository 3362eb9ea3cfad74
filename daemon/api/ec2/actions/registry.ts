/**
 * All EC2 actions that are built. A noun's actions are one file beside this one and one line
 * here.
 */
import type { Action } from '../action.ts'
import { dhcpOptionsActions } from './dhcp_options.ts'
import { instanceActions } from './instance.ts'
import { networkAclActions } from './network_acl.ts'
import { networkInterfaceActions } from './network_interface.ts'
import { routeTableActions } from './route_table.ts'
import { securityGroupActions } from './security_group.ts'
import { subnetActions } from './subnet.ts'
import { tagActions } from './tag.ts'
import { vpcActions } from './vpc.ts'
import { zoneActions } from './zone.ts'

export const ACTIONS: readonly Action[] = [
  ...dhcpOptionsActions,
  ...instanceActions,
  ...networkAclActions,
  ...networkInterfaceActions,
  ...routeTableActions,
  ...securityGroupActions,
  ...subnetActions,
  ...tagActions,
  ...vpcActions,
  ...zoneActions
]
