/** An ENI as the services know it, for tests. */
import type { EndpointData, LeaseData, MetadataData, VpcData } from '../update.ts'
import type { Viewer } from '../viewer.ts'

export const DEFAULT_LEASE: LeaseData = {
  address: '10.0.1.10', prefixLength: 24, router: '10.0.1.1',
  ipv6Addresses: ['2001:db8:0:1::10'], hostName: 'ip-10-0-1-10', domainNames: ['ec2.internal'],
  dnsServers: ['10.0.0.2'], dnsServersIpv6: ['fd00:ec2::253'], ntpServers: [],
  ntpServersIpv6: [], netbiosNameServers: [], netbiosNodeType: null, mtu: 9001, ipv6PreferredS: 140
}

export const DEFAULT_METADATA: MetadataData = {
  instanceId: 'i-0123456789abcdef0', requiresToken: false, hopLimit: 1, isEnabled: true,
  isIpv6Enabled: false, leaves: [['meta-data/instance-id', 'i-0123456789abcdef0']], userData: ''
}

export const DEFAULT_ENDPOINT: EndpointData = {
  portIndex: 1, networkInterfaceId: 'eni-1', vpcId: 'vpc-1', lease: DEFAULT_LEASE,
  hasDns64: false, metadata: DEFAULT_METADATA
}

export const DEFAULT_VPC: VpcData = {
  vpcId: 'vpc-1', region: 'us-east-1', ipv4Blocks: ['10.0.0.0/16'], hasDnsHostnames: true,
  resolvedPeers: []
}

export const DEFAULT_VIEWER: Viewer = { endpoint: DEFAULT_ENDPOINT, vpc: DEFAULT_VPC }
