/**
 * Sample configurations for the customer's device: GetVpnConnectionDeviceSampleConfiguration, and
 * with it `vpcctl vpn config`. One template per program, no edits needed by hand:
 *
 *     swanctl.conf        IKE and IPsec of both tunnels, each bound to an XFRM interface by if_id
 *     bird.conf, frr.conf BGP (or static routes) over the tunnels' inside addresses
 *     generic             the same facts as text, for any other device
 *
 * What they take for granted: a tunnel's interface is `vpn1` or `vpn2` and has the customer's
 * inside address, the networks to be announced stand on interfaces named `lan…`.
 * `scripts/netns/customer_gateway.sh` makes such a device of namespaces.
 */
import { AwsError } from '../model/aws_error.ts'
import { endpointIdentity } from '../model/vpn_certificate.ts'
import { insideAddresses, tunnelOptions } from '../model/vpn_tunnel.ts'
import type { VpnTunnel } from '../model/vpn_tunnel.ts'
import { DPD, HOLD_TIME_S, TCP_MSS } from './customer_configuration.ts'
import type { VpnParts } from './customer_configuration.ts'
import { isGcm, phase1Proposal, phase2Proposal } from './proposal.ts'
import type { IkeVersion, Proposal } from './proposal.ts'

export interface DeviceType {
  /** Eight hex digits, as AWS's are. */
  readonly id: string
  readonly vendor: string
  readonly platform: string
  readonly software: string
}

interface Template extends DeviceType {
  readonly write: (parts: VpnParts, ikeVersion: IkeVersion) => string
}

const TEMPLATES: readonly Template[] = [
  { id: '9005b6c1', vendor: 'Generic', platform: 'Generic', software: 'Vendor Agnostic',
    write: writeGeneric },
  { id: 'b19d0002', vendor: 'BIRD', platform: 'Linux', software: 'BIRD 2.0+', write: writeBird },
  { id: 'f4400008', vendor: 'FRRouting', platform: 'Linux', software: 'FRR 8.0+',
    write: writeFrr },
  { id: '57a05905', vendor: 'strongSwan', platform: 'Linux', software: 'strongSwan 5.9+ (swanctl)',
    write: writeStrongswan }
]

export const DEVICE_TYPES: readonly DeviceType[] = TEMPLATES

/**
 * @returns the file's text, with secrets
 * @throws AwsError InvalidParameterValue for a device type or an IKE version that is not there
 */
export function sampleConfiguration (parts: VpnParts, choice: {
  readonly deviceTypeId: string
  readonly ikeVersion: string
}): string {
  const { deviceTypeId, ikeVersion } = choice
  const template = TEMPLATES.find(({ id }) => id === deviceTypeId)
  if (template === undefined) {
    throw new AwsError('InvalidParameterValue', `Value (${deviceTypeId}) for parameter ` +
      'vpnConnectionDeviceTypeId is invalid. GetVpnConnectionDeviceTypes lists the device types.')
  }
  const isAccepted = parts.connection.tunnels.every((tunnel) =>
    tunnelOptions(tunnel).ikeVersions.some((one) => one === ikeVersion))
  if (!isAccepted || (ikeVersion !== 'ikev1' && ikeVersion !== 'ikev2')) {
    throw new AwsError('InvalidParameterValue', `Value (${ikeVersion}) for parameter ` +
      'internetKeyExchangeVersion is invalid: expecting one that both tunnels accept')
  }
  if (parts.connection.state === 'deleted') {
    throw new AwsError('InvalidVpnConnection.InvalidState',
      `The vpnConnection '${parts.connection.id}' is deleted`)
  }
  return template.write(parts, ikeVersion)
}

/** One tunnel as templates speak of it. */
interface TunnelFacts {
  /** 1 or 2. */
  readonly number: number
  readonly tunnel: VpnTunnel
  readonly aws: string
  readonly customer: string
  readonly phase1: Proposal
  readonly phase2: Proposal
}

function factsOf ({ connection }: VpnParts, ikeVersion: IkeVersion): TunnelFacts[] {
  return connection.tunnels.map((tunnel, at) => {
    const options = tunnelOptions(tunnel)
    return {
      number: at + 1, tunnel, ...insideAddresses(tunnel),
      phase1: phase1Proposal(options, ikeVersion), phase2: phase2Proposal(options)
    }
  })
}

function headOf ({ connection, gateway, customer }: VpnParts, what: string): string {
  return `# ${what} of ${connection.id}: ${customer.id} (AS ${String(customer.bgpAsn)}) to ` +
    `${gateway.id} (AS ${String(gateway.amazonSideAsn)})\n`
}

/** strongSwan's words for EC2's names. */
const SWAN_ENCRYPTION: Readonly<Record<string, string>> = {
  'AES128': 'aes128', 'AES256': 'aes256', 'AES128-GCM-16': 'aes128gcm16',
  'AES256-GCM-16': 'aes256gcm16'
}
const SWAN_INTEGRITY: Readonly<Record<string, string>> =
  { 'SHA1': 'sha1', 'SHA2-256': 'sha256', 'SHA2-384': 'sha384', 'SHA2-512': 'sha512' }
const SWAN_GROUPS: Readonly<Record<number, string>> = {
  2: 'modp1024', 5: 'modp1536', 14: 'modp2048', 15: 'modp3072', 16: 'modp4096', 17: 'modp6144',
  18: 'modp8192', 19: 'ecp256', 20: 'ecp384', 21: 'ecp521', 22: 'modp1024s160',
  23: 'modp2048s224', 24: 'modp2048s256'
}

function swanProposal (proposal: Proposal, phase: 1 | 2): string {
  const integrity = SWAN_INTEGRITY[proposal.integrity] ?? ''
  return [
    SWAN_ENCRYPTION[proposal.encryption], !isGcm(proposal) ? integrity
      : phase === 1 ? `prf${integrity}` : '',
    SWAN_GROUPS[proposal.dhGroup]
  ].filter((word) => word !== '').join('-')
}

/**
 * The device gives up an IKE_SA, and a CHILD_SA, shortly before AWS's lifetime is over, and rekeys
 * before that: the side that begins is then always the same.
 */
function writeStrongswan (parts: VpnParts, ikeVersion: IkeVersion): string {
  const { connection, customer } = parts
  const facts = factsOf(parts, ikeVersion)
  const connections = facts.map((one) => swanConnection(parts, one, ikeVersion)).join('\n')
  const secrets = facts.filter(({ tunnel }) => tunnel.preSharedKey !== null)
    .map(({ number, tunnel }) => `  ike-${connection.id}-${String(number)} {
    id-1 = ${customer.ipAddress ?? '%any'}
    id-2 = ${tunnel.outsideIpAddress}
    secret = "${tunnel.preSharedKey ?? ''}"
  }`).join('\n')
  const certificates = customer.certificateArn === null ? '' : CERTIFICATE_FILES
  const interfaces = facts.map(({ number, customer: address }) =>
    `#   ip link add vpn${String(number)} type xfrm if_id ${String(number)} && ` +
    `ip address add ${address}/30 dev vpn${String(number)} && ` +
    `ip link set vpn${String(number)} mtu 1399 up`).join('\n')
  return `${headOf(parts, 'swanctl.conf')}# Each tunnel has an XFRM interface of its own:
${interfaces}
# Let no segment be too long: MSS ${String(TCP_MSS)}. charon.install_routes = no in strongswan.conf.
${certificates}connections {
${connections}
}
secrets {
${secrets}
}
`
}

/** What `vpcctl certificate export` writes has these names. */
const CERTIFICATE_FILES = `# The certificate of the customer gateway and its key, in /etc/swanctl:
#   x509/certificate.pem   x509ca/subordinate.pem, x509ca/root.pem   private/private_key.pem
`

function swanConnection ({ connection, customer }: VpnParts,
  { number, tunnel, phase1, phase2 }: TunnelFacts, ikeVersion: IkeVersion): string {
  const options = tunnelOptions(tunnel)
  const isPsk = tunnel.preSharedKey !== null
  const auth = isPsk ? 'psk' : 'pubkey'
  const local = isPsk ? `id = ${customer.ipAddress ?? '%any'}` : 'certs = certificate.pem'
  const remoteId = isPsk ? tunnel.outsideIpAddress
    : `"${endpointIdentity(connection.id, number - 1)}"`
  const dpdTimeout = ikeVersion === 'ikev1'
    ? `\n    dpd_timeout = ${String(options.dpdTimeoutSeconds)}s` : ''
  return `  ${connection.id}-${String(number)} {
    version = ${ikeVersion === 'ikev2' ? '2' : '1'}
    remote_addrs = ${tunnel.outsideIpAddress}
    proposals = ${swanProposal(phase1, 1)}
    rekey_time = ${String(options.phase1LifetimeSeconds - 2 * options.rekeyMarginTimeSeconds)}s
    over_time = ${String(options.rekeyMarginTimeSeconds)}s
    mobike = no
    dpd_delay = ${String(DPD.intervalS)}s${dpdTimeout}
    keyingtries = 0
    local {
      auth = ${auth}
      ${local}
    }
    remote {
      auth = ${auth}
      id = ${remoteId}
    }
    children {
      ${connection.id}-${String(number)} {
        local_ts = ${connection.localIpv4NetworkCidr}
        remote_ts = ${connection.remoteIpv4NetworkCidr}
        esp_proposals = ${swanProposal(phase2, 2)}
        rekey_time = ${String(options.phase2LifetimeSeconds - 2 * options.rekeyMarginTimeSeconds)}s
        life_time = ${String(options.phase2LifetimeSeconds - options.rekeyMarginTimeSeconds)}s
        if_id_in = ${String(number)}
        if_id_out = ${String(number)}
        start_action = start
        close_action = start
        dpd_action = restart
      }
    }
  }`
}

function writeBird (parts: VpnParts, ikeVersion: IkeVersion): string {
  const { connection, customer, gateway } = parts
  const facts = factsOf(parts, ikeVersion)
  const routerId = customer.ipAddress ?? facts[0]?.customer ?? ''
  const sessions = connection.staticRoutesOnly ? birdStatic(parts, facts)
    : facts.map(({ number, aws, customer: own }) => `protocol bgp vpn${String(number)} {
  local ${own} as ${String(customer.bgpAsn)};
  neighbor ${aws} as ${String(gateway.amazonSideAsn)};
  hold time ${String(HOLD_TIME_S)};
  connect retry time 5;
  error wait time 5, 30;
  ipv4 {
    import all;
    export where source = RTS_DEVICE;
    next hop self;
  };
}
`).join('\n')
  return `${headOf(parts, 'bird.conf')}# Networks of interfaces named lan… are announced.
router id ${routerId};

protocol device {
  scan time 5;
}

protocol direct {
  ipv4;
  interface "lan*";
}

protocol kernel {
  ipv4 {
    import none;
    export where source ~ [ RTS_BGP, RTS_STATIC ];
  };
}

${sessions}`
}

/** Without BGP, BIRD is there to follow the interfaces: a route is gone when its tunnel is. */
function birdStatic ({ vpcCidrs }: VpnParts, facts: readonly TunnelFacts[]): string {
  return facts.map(({ number }) => `protocol static vpn${String(number)} {
  ipv4 { preference ${String(210 - 10 * number)}; };
${vpcCidrs.map((cidr) => `  route ${cidr} via "vpn${String(number)}";\n`).join('')}}
`).join('\n')
}

function writeFrr (parts: VpnParts, ikeVersion: IkeVersion): string {
  const { connection, customer, gateway, vpcCidrs } = parts
  const facts = factsOf(parts, ikeVersion)
  const lines = connection.staticRoutesOnly
    ? facts.flatMap(({ number }) => vpcCidrs.map((cidr) =>
      `ip route ${cidr} vpn${String(number)} ${String(10 * number)}`))
    : [
        `router bgp ${String(customer.bgpAsn)}`,
        ` bgp router-id ${customer.ipAddress ?? facts[0]?.customer ?? ''}`,
        ' no bgp ebgp-requires-policy',
        ...facts.flatMap(({ aws, customer: own }) => [
          ` neighbor ${aws} remote-as ${String(gateway.amazonSideAsn)}`,
          ` neighbor ${aws} update-source ${own}`,
          ` neighbor ${aws} timers ${String(HOLD_TIME_S / 3)} ${String(HOLD_TIME_S)}`,
          ` neighbor ${aws} timers connect 5`
        ]),
        ' address-family ipv4 unicast',
        '  redistribute connected route-map lan',
        ...facts.flatMap(({ aws }) =>
          [`  neighbor ${aws} activate`, `  neighbor ${aws} soft-reconfiguration inbound`]),
        ' exit-address-family',
        'exit',
        '!',
        '! The networks of these interfaces are announced.',
        ...['lan', 'lan0', 'lan1'].flatMap((name, at) =>
          [`route-map lan permit ${String(10 * (at + 1))}`, ` match interface ${name}`, 'exit'])
      ]
  return `${headOf(parts, 'frr.conf').replace('#', '!')}frr defaults traditional\n!\n` +
    `${lines.join('\n')}\n!\n`
}

function writeGeneric (parts: VpnParts, ikeVersion: IkeVersion): string {
  const { connection, gateway, customer, vpcCidrs } = parts
  const tunnels = factsOf(parts, ikeVersion).map((facts) => genericTunnel(parts, facts))
  return `Amazon Web Services
Virtual Private Cloud

VPN connection ID          : ${connection.id}
Virtual private gateway ID : ${gateway.id}
Customer gateway ID        : ${customer.id}
IKE version                : ${ikeVersion}
Networks of the VPC        : ${vpcCidrs.join(', ') || '(not attached)'}

${tunnels.join('\n')}`
}

function genericTunnel ({ connection, gateway, customer }: VpnParts, facts: TunnelFacts): string {
  const { number, tunnel, phase1, phase2 } = facts
  const options = tunnelOptions(tunnel)
  const routing = connection.staticRoutesOnly
    ? `Static routes: point the VPC's networks to the tunnel interface, next hop ${facts.aws}.
`
    : `  - Customer gateway ASN          : ${String(customer.bgpAsn)}
  - Virtual private gateway ASN   : ${String(gateway.amazonSideAsn)}
  - Neighbor IP address           : ${facts.aws}
  - Neighbor hold time            : ${String(HOLD_TIME_S)}
`
  return `IPSec Tunnel #${String(number)}
#1: Internet Key Exchange
  - Authentication method         : ${tunnel.preSharedKey === null ? 'Certificate'
    : 'Pre-Shared Key'}
  - Pre-Shared Key                : ${tunnel.preSharedKey ?? '(none)'}
  - Authentication algorithm      : ${phase1.integrity}
  - Encryption algorithm          : ${phase1.encryption}
  - Lifetime                      : ${String(options.phase1LifetimeSeconds)} seconds
  - Diffie-Hellman group          : ${String(phase1.dhGroup)}
#2: IPSec
  - Protocol                      : esp, tunnel mode
  - Authentication algorithm      : ${isGcm(phase2) ? '(part of the encryption)'
    : phase2.integrity}
  - Encryption algorithm          : ${phase2.encryption}
  - Lifetime                      : ${String(options.phase2LifetimeSeconds)} seconds
  - Perfect forward secrecy       : Diffie-Hellman group ${String(phase2.dhGroup)}
  - DPD interval, retries         : ${String(DPD.intervalS)}, ${String(DPD.retries)}
  - TCP MSS adjustment            : ${String(TCP_MSS)} bytes
  - Clear don't-fragment bit      : enabled
  - Fragmentation                 : before encryption
#3: Tunnel interface
  - Outside, customer gateway     : ${customer.ipAddress ?? '(any)'}
  - Outside, virtual private gw   : ${tunnel.outsideIpAddress}
  - Inside, customer gateway      : ${facts.customer}/30
  - Inside, virtual private gw    : ${facts.aws}/30
#4: ${connection.staticRoutesOnly ? 'Static routing' : 'Border Gateway Protocol'}
${routing}`
}
