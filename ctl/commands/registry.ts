/**
 * Every noun of `vpcctl`, in the order of the help. A noun is one line here and one file, which is
 * loaded when the noun is typed. `load` gives the verbs, or one command for a noun without verbs.
 */
import type { Command } from '../command.ts'

export interface Noun {
  readonly name: string
  /** One line without a full stop. */
  readonly summary: string
  /** Under which heading of the help it stands. */
  readonly group: NounGroup
  readonly load: () => Promise<readonly Command[] | Command>
}

/** Headings of the help, in their order. */
export const NOUN_GROUPS = ['Lab', 'Network', 'Guests', 'Look inside', 'Files'] as const

export type NounGroup = (typeof NOUN_GROUPS)[number]

export const NOUNS: readonly Noun[] = [
  {
    name: 'lab',
    summary: 'Start, stop and empty a lab',
    group: 'Lab',
    load: async () => (await import('./lab.ts')).labCommands
  },
  {
    name: 'internet',
    summary: 'Hosts on the internet of the lab',
    group: 'Lab',
    load: async () => (await import('./internet.ts')).internetCommands
  },
  {
    name: 'vpc',
    summary: 'VPCs and their CIDR blocks',
    group: 'Network',
    load: async () => (await import('./vpc.ts')).vpcCommands
  },
  {
    name: 'subnet',
    summary: 'Subnets',
    group: 'Network',
    load: async () => (await import('./subnet.ts')).subnetCommands
  },
  {
    name: 'route-table',
    summary: 'Route tables, routes and associations',
    group: 'Network',
    load: async () => (await import('./route_table.ts')).routeTableCommands
  },
  {
    name: 'igw',
    summary: 'Internet gateways',
    group: 'Network',
    load: async () => (await import('./internet_gateway.ts')).internetGatewayCommands
  },
  {
    name: 'eip',
    summary: 'Elastic IP addresses',
    group: 'Network',
    load: async () => (await import('./address.ts')).addressCommands
  },
  {
    name: 'nat-gateway',
    summary: 'NAT gateways and their addresses',
    group: 'Network',
    load: async () => (await import('./nat_gateway.ts')).natGatewayCommands
  },
  {
    name: 'eigw',
    summary: 'Egress-only internet gateways, for IPv6',
    group: 'Network',
    load: async () => (await import('./egress_only_internet_gateway.ts'))
      .egressOnlyInternetGatewayCommands
  },
  {
    name: 'peering',
    summary: 'VPC peering connections',
    group: 'Network',
    load: async () => (await import('./peering.ts')).peeringCommands
  },
  {
    name: 'vgw',
    summary: 'Virtual private gateways',
    group: 'Network',
    load: async () => (await import('./vpn_gateway.ts')).vpnGatewayCommands
  },
  {
    name: 'cgw',
    summary: 'Customer gateways: devices at the other end of VPN connections',
    group: 'Network',
    load: async () => (await import('./customer_gateway.ts')).customerGatewayCommands
  },
  {
    name: 'certificate',
    summary: 'Certificates of customer gateways, and the authorities that issue them',
    group: 'Network',
    load: async () => (await import('./certificate.ts')).allCertificateCommands
  },
  {
    name: 'vpn',
    summary: 'Site-to-Site VPN connections: tunnels, routes, samples for devices',
    group: 'Network',
    load: async () => (await import('./vpn_connection.ts')).vpnConnectionCommands
  },
  {
    name: 'network-acl',
    summary: 'Network ACLs, their rules and associations',
    group: 'Network',
    load: async () => (await import('./network_acl.ts')).networkAclCommands
  },
  {
    name: 'prefix-list',
    summary: 'Managed prefix lists: CIDR blocks that rules and routes share',
    group: 'Network',
    load: async () => (await import('./prefix_list.ts')).prefixListCommands
  },
  {
    name: 'mirror',
    summary: 'Traffic mirroring: which ENI is copied to which target',
    group: 'Look inside',
    load: async () => (await import('./mirror.ts')).mirrorCommands
  },
  {
    name: 'mirror-target',
    summary: 'ENIs that take the copies of mirrored packets',
    group: 'Look inside',
    load: async () => (await import('./mirror.ts')).mirrorTargetCommands
  },
  {
    name: 'mirror-filter',
    summary: 'Which packets are mirrored',
    group: 'Look inside',
    load: async () => (await import('./mirror_filter.ts')).mirrorFilterCommands
  },
  {
    name: 'dhcp-options',
    summary: 'DHCP option sets',
    group: 'Network',
    load: async () => (await import('./dhcp_options.ts')).dhcpOptionsCommands
  },
  {
    name: 'hosted-zone',
    summary: 'Private hosted zones: DNS names that chosen VPCs see',
    group: 'Network',
    load: async () => (await import('./hosted_zone.ts')).hostedZoneCommands
  },
  {
    name: 'eni',
    summary: 'Elastic network interfaces',
    group: 'Network',
    load: async () => (await import('./eni.ts')).eniCommands
  },
  {
    name: 'instance',
    summary: 'Instances: run them, run commands in them',
    group: 'Guests',
    load: async () => (await import('./instance.ts')).instanceCommands
  },
  {
    name: 'image',
    summary: 'Images: directories with a root file system for instances',
    group: 'Guests',
    load: async () => (await import('./image.ts')).imageCommands
  },
  {
    name: 'attach',
    summary: 'Hang a network namespace or a container on a subnet',
    group: 'Guests',
    load: async () => (await import('./attach.ts')).attachCommand
  },
  {
    name: 'detach',
    summary: 'Take an attached namespace or container off its subnet',
    group: 'Guests',
    load: async () => (await import('./attach.ts')).detachCommand
  },
  {
    name: 'security-group',
    summary: 'Security groups and their rules',
    group: 'Network',
    load: async () => (await import('./security_group.ts')).securityGroupCommands
  },
  {
    name: 'instance-type',
    summary: 'Instance types: how many ENIs and addresses each allows',
    group: 'Guests',
    load: async () => (await import('./instance_type.ts')).instanceTypeCommands
  },
  {
    name: 'region',
    summary: 'Regions',
    group: 'Lab',
    load: async () => (await import('./region.ts')).regionCommands
  },
  {
    name: 'account',
    summary: 'Attributes of the account',
    group: 'Lab',
    load: async () => (await import('./account.ts')).accountCommands
  },
  {
    name: 'impair',
    summary: 'Delay, lose or damage packets, or limit their rate',
    group: 'Lab',
    load: async () => (await import('./impair.ts')).impairCommand
  },
  {
    name: 'partition',
    summary: 'Cut two hosts off from each other',
    group: 'Lab',
    load: async () => (await import('./impair.ts')).partitionCommand
  },
  {
    name: 'heal',
    summary: 'Let two hosts reach each other again',
    group: 'Lab',
    load: async () => (await import('./impair.ts')).healCommand
  },
  {
    name: 'quota',
    summary: 'Quotas, and how much of each is used',
    group: 'Lab',
    load: async () => (await import('./quota.ts')).quotaCommands
  },
  {
    name: 'stack',
    summary: 'Stacks: templates that become resources',
    group: 'Files',
    load: async () => (await import('./stack.ts')).stackCommands
  },
  {
    name: 'zone',
    summary: 'Availability Zones',
    group: 'Lab',
    load: async () => (await import('./zone.ts')).zoneCommands
  },
  {
    name: 'tag',
    summary: 'Tags of any resource',
    group: 'Network',
    load: async () => (await import('./tag.ts')).tagCommands
  },
  {
    name: 'wait',
    summary: 'Wait until the hosts or an instance are there',
    group: 'Lab',
    load: async () => (await import('./wait.ts')).waitCommands
  },
  {
    name: 'env',
    summary: 'Shell variables that point the aws CLI and SDKs at the lab',
    group: 'Lab',
    load: async () => (await import('./env.ts')).envCommand
  },
  {
    name: 'completion',
    summary: 'Completion of command lines by bash, zsh and fish',
    group: 'Lab',
    load: async () => (await import('./completion.ts')).completionCommands
  },
  {
    name: 'drops',
    summary: 'Dropped packets by ENI and reason',
    group: 'Look inside',
    load: async () => (await import('./drops.ts')).dropsCommand
  },
  {
    name: 'flows',
    summary: 'Live flows of the hosts',
    group: 'Look inside',
    load: async () => (await import('./flows.ts')).flowsCommand
  },
  {
    name: 'flow-log',
    summary: 'Flow logs: which traffic is written down, and where',
    group: 'Look inside',
    load: async () => (await import('./flow_log.ts')).flowLogCommands
  },
  {
    name: 'logs',
    summary: 'Ask with SQL what flow logs have written, or follow it',
    group: 'Look inside',
    load: async () => (await import('./logs.ts')).logsCommands
  },
  {
    name: 'capture',
    summary: 'Captured packets of ENIs, instances, VPCs and hosts, for Wireshark',
    group: 'Look inside',
    load: async () => (await import('./capture.ts')).captureCommand
  },
  {
    name: 'trace',
    summary: 'The way of a packet: every step and rule that it meets',
    group: 'Look inside',
    load: async () => (await import('./trace.ts')).traceCommand
  },
  {
    name: 'can-reach',
    summary: 'Whether two ends can talk, and what is in the way',
    group: 'Look inside',
    load: async () => (await import('./can_reach.ts')).canReachCommand
  },
  {
    name: 'names',
    summary: 'Names of VPCs, ENIs and hosts for Wireshark',
    group: 'Look inside',
    load: async () => (await import('./names.ts')).namesCommand
  },
  {
    name: 'wireshark',
    summary: 'ENIs and hosts of every lab in the interface list of Wireshark',
    group: 'Look inside',
    load: async () => (await import('./wireshark.ts')).wiresharkCommands
  },
  {
    name: 'top',
    summary: 'Live packets, bits and drops of every ENI and host',
    group: 'Look inside',
    load: async () => (await import('./top.ts')).topCommand
  },
  {
    name: 'events',
    summary: 'Every change of the lab as it happens',
    group: 'Look inside',
    load: async () => (await import('./events.ts')).eventsCommand
  },
  {
    name: 'graph',
    summary: 'A picture of the lab: Mermaid, DOT, SVG or JSON',
    group: 'Look inside',
    load: async () => (await import('./graph.ts')).graphCommand
  },
  {
    name: 'mapping',
    summary: 'The mapping service: which host has an address of a VPC',
    group: 'Look inside',
    load: async () => (await import('./mapping.ts')).mappingCommands
  },
  {
    name: 'hyperplane',
    summary: 'HyperPlane: the nodes behind NAT gateways',
    group: 'Look inside',
    load: async () => (await import('./hyperplane.ts')).hyperplaneCommands
  },
  {
    name: 'underlay',
    summary: 'The underlay: how what crosses between hosts is encrypted',
    group: 'Look inside',
    load: async () => (await import('./underlay.ts')).underlayCommands
  },
  {
    name: 'cache',
    summary: 'The mapping caches of the hosts',
    group: 'Look inside',
    load: async () => (await import('./cache.ts')).cacheCommand
  },
  {
    name: 'audit',
    summary: 'API calls: who called what, when, and what came of it',
    group: 'Look inside',
    load: async () => (await import('./audit.ts')).auditCommands
  },
  {
    name: 'history',
    summary: 'The past of a resource: what it was like, and which call changed it',
    group: 'Look inside',
    load: async () => (await import('./history.ts')).historyCommands
  },
  {
    name: 'apply',
    summary: 'Make the lab as a lab file says, changing only what differs',
    group: 'Files',
    load: async () => (await import('./apply.ts')).applyCommand
  },
  {
    name: 'validate',
    summary: 'Run the checks of a lab file',
    group: 'Files',
    load: async () => (await import('./validate.ts')).validateCommand
  },
  {
    name: 'export',
    summary: 'Write the lab file of the live lab',
    group: 'Files',
    load: async () => (await import('./export.ts')).exportCommand
  }
]
