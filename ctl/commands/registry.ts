/**
 * Every noun of `vpcctl`, in the order of the help. A noun is one line here and one file, which is
 * loaded when the noun is typed. `load` gives the verbs, or one command for a noun without verbs.
 */
import type { Command } from '../command.ts'

export interface Noun {
  readonly name: string
  /** One line without a full stop. */
  readonly summary: string
  readonly load: () => Promise<readonly Command[] | Command>
}

export const NOUNS: readonly Noun[] = [
  {
    name: 'lab',
    summary: 'Start, stop and empty a lab',
    load: async () => (await import('./lab.ts')).labCommands
  },
  {
    name: 'vpc',
    summary: 'VPCs and their CIDR blocks',
    load: async () => (await import('./vpc.ts')).vpcCommands
  },
  {
    name: 'subnet',
    summary: 'Subnets',
    load: async () => (await import('./subnet.ts')).subnetCommands
  },
  {
    name: 'route-table',
    summary: 'Route tables, routes and associations',
    load: async () => (await import('./route_table.ts')).routeTableCommands
  },
  {
    name: 'eni',
    summary: 'Elastic network interfaces',
    load: async () => (await import('./eni.ts')).eniCommands
  },
  {
    name: 'instance',
    summary: 'Instances: run them, run commands in them',
    load: async () => (await import('./instance.ts')).instanceCommands
  },
  {
    name: 'security-group',
    summary: 'Security groups and their rules',
    load: async () => (await import('./security_group.ts')).securityGroupCommands
  },
  {
    name: 'zone',
    summary: 'Availability Zones',
    load: async () => (await import('./zone.ts')).zoneCommands
  },
  {
    name: 'tag',
    summary: 'Tags of any resource',
    load: async () => (await import('./tag.ts')).tagCommands
  },
  {
    name: 'wait',
    summary: 'Wait until the hosts or an instance are there',
    load: async () => (await import('./wait.ts')).waitCommands
  },
  {
    name: 'env',
    summary: 'Print the shell variables that point the aws CLI and SDKs at the lab',
    load: async () => (await import('./env.ts')).envCommand
  },
  {
    name: 'drops',
    summary: 'Dropped packets by ENI and reason',
    load: async () => (await import('./drops.ts')).dropsCommand
  },
  {
    name: 'flows',
    summary: 'Live flows of the hosts',
    load: async () => (await import('./flows.ts')).flowsCommand
  },
  {
    name: 'mapping',
    summary: 'The mapping service: which host has an address of a VPC',
    load: async () => (await import('./mapping.ts')).mappingCommands
  },
  {
    name: 'cache',
    summary: 'The mapping caches of the hosts',
    load: async () => (await import('./cache.ts')).cacheCommand
  }
]
