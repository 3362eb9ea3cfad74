/**
 * Every option of a tunnel, set by itself through EC2 and read back where it shows: of AWS's side
 * in what its charon lists, of both sides in what IKE agreed on. For site_to_site.test.ts, which
 * has a lab.
 *
 *     [cgw] 198.51.100.210 ── [internet-router] ── edge: charon of AWS's side
 *       stock strongSwan, which accepts everything
 */
import * as ec2 from '@aws-sdk/client-ec2'
import type { ExecutionContext } from 'ava'
import { existsSync, mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ipsecDirectory, namespaceName, routerNamespace } from '../../../daemon/host/paths.ts'
import { command, eventually, tryCommand } from '../../harness/command.ts'
import type { Lab } from '../../harness/lab.ts'
import { Namespaces } from '../../harness/namespaces.ts'
import { StrongSwan } from '../../harness/strongswan.ts'
import {
  customerGateway, VPCCTL, vpnConnection, vpnGateway, VPN_UP_MS_MAX
} from '../../harness/vpn.ts'

const CUSTOMER = '198.51.100.210'
const ROUTER = '198.51.100.1'
const WAN = 'cgwopt'
const KEY = 'first.key_of_9'
const OTHER_KEY = 'second.key_of_9'
const IKE = 'aes256-aes128-sha1-sha256-sha512-modp2048-modp1024-ecp521, ' +
  'aes128gcm16-prfsha256-modp2048'
const ESP = 'aes256gcm16-aes128gcm16-modp2048, aes256-aes128-sha1-sha384-modp2048-modp2048s256'
/** IKEv1 offers one group alone with ESP. */
const ESP_GROUP_24 = 'aes256-aes128-sha1-sha256-modp2048s256'

type Options = ec2.ModifyVpnTunnelOptionsSpecification

/** What AWS's charon is to list of the connection, set but not up. */
const LISTED: readonly (readonly [Options, RegExp])[] = [
  [{ Phase1LifetimeSeconds: 4000 }, /, rekeying every 3730s/],
  [{ Phase2LifetimeSeconds: 1000 }, /TUNNEL, rekeying every 730s/],
  [{ RekeyMarginTimeSeconds: 100 }, /, rekeying every 28700s[^]*TUNNEL, rekeying every 3500s/],
  [{ DPDTimeoutAction: 'restart' }, /dpd action is (restart|start)/],
  [{ DPDTimeoutAction: 'none' }, /^\S+: IKEv1\/2, no reauthentication, rekeying every \d+s$/m],
  [{ IKEVersions: [{ Value: 'ikev1' }] }, /^\S+: IKEv1, /m],
  [{ IKEVersions: [{ Value: 'ikev2' }] }, /^\S+: IKEv2, /m]
]

/** How the customer calls. */
interface Call { readonly version: 1 | 2, readonly key: string, readonly esp?: string }

/** What is to be agreed on, as AWS's charon lists it. */
const AGREED: readonly (readonly [Options, RegExp, Partial<Call>?])[] = [
  [{ Phase1EncryptionAlgorithms: [{ Value: 'AES128-GCM-16' }] }, /^ {2}AES_GCM_16-128\//m],
  [{ Phase1IntegrityAlgorithms: [{ Value: 'SHA2-512' }] }, /\/PRF_HMAC_SHA2_512\//],
  [{ Phase1DHGroupNumbers: [{ Value: 21 }] }, /^ {2}AES_.*\/ECP_521/m],
  [{ Phase2EncryptionAlgorithms: [{ Value: 'AES256-GCM-16' }] }, /ESP:AES_GCM_16-256/],
  [{ Phase2IntegrityAlgorithms: [{ Value: 'SHA2-384' }],
    Phase2EncryptionAlgorithms: [{ Value: 'AES128' }] }, /ESP:AES_CBC-128\/HMAC_SHA2_384_192/],
  [{ Phase2DHGroupNumbers: [{ Value: 24 }], IKEVersions: [{ Value: 'ikev1' }] },
    /ESP:.*\/MODP_2048_256/, { version: 1, esp: ESP_GROUP_24 }],
  [{ RekeyFuzzPercentage: 0 }, /INSTALLED, TUNNEL[^]*rekeying in 33[23]\ds/]
]

/** Those of which charon lists nothing: what the API says of them. */
const SAID: readonly Options[] = [{ ReplayWindowSize: 128 }, { DPDTimeoutSeconds: 60 }]

/** What a tunnel has that nobody has changed; an option that is set alone leaves the others so. */
const DEFAULTS: Options = {
  Phase1LifetimeSeconds: 28_800, Phase2LifetimeSeconds: 3600, RekeyMarginTimeSeconds: 270,
  RekeyFuzzPercentage: 100, DPDTimeoutAction: 'clear', StartupAction: 'add',
  IKEVersions: [{ Value: 'ikev1' }, { Value: 'ikev2' }],
  Phase1EncryptionAlgorithms: ['AES128', 'AES256', 'AES128-GCM-16', 'AES256-GCM-16']
    .map((Value) => ({ Value })),
  Phase2EncryptionAlgorithms: ['AES128', 'AES256', 'AES128-GCM-16', 'AES256-GCM-16']
    .map((Value) => ({ Value })),
  Phase1IntegrityAlgorithms: ['SHA1', 'SHA2-256', 'SHA2-384', 'SHA2-512']
    .map((Value) => ({ Value })),
  Phase2IntegrityAlgorithms: ['SHA1', 'SHA2-256', 'SHA2-384', 'SHA2-512']
    .map((Value) => ({ Value })),
  Phase1DHGroupNumbers: [2, 14, 21].map((Value) => ({ Value })),
  Phase2DHGroupNumbers: [14, 24].map((Value) => ({ Value }))
}

export async function setsEveryOption (t: ExecutionContext, lab: Lab): Promise<void> {
  await using net = await Namespaces.create('cgw')
  const router = routerNamespace(lab.name)
  await net.ip('cgw', 'link', 'add', 'wan0', 'type', 'veth', 'peer', 'name', WAN, 'netns', router)
  await command('ip', '-n', router, 'link', 'set', WAN, 'up')
  await command('ip', '-n', router, 'route', 'add', `${CUSTOMER}/32`, 'dev', WAN)
  await net.ip('cgw', 'address', 'add', `${CUSTOMER}/32`, 'dev', 'wan0')
  await net.ip('cgw', 'link', 'set', 'wan0', 'up')
  await net.ip('cgw', 'route', 'add', 'default', 'via', ROUTER, 'dev', 'wan0', 'onlink')
  await using peer =
    await StrongSwan.start(net.name('cgw'), mkdtempSync(join(tmpdir(), 'vpclab-options-')))
  const vgwId = await vpnGateway(lab)
  const { vpnId, tunnels } = await vpnConnection(lab, vgwId,
    await customerGateway(lab, CUSTOMER, 65_030),
    { TunnelOptions: [{ PreSharedKey: KEY, TunnelInsideCidr: '169.254.77.0/30' }, {}] })
  const tunnel = new Tunnel(lab, vgwId, vpnId, tunnels[0] ?? '', peer)
  await tunnel.listsSelectorsAndOptions(t)
  await tunnel.agrees(t)
  await tunnel.hasInsideCidrKeyAndStart(t)
}

class Tunnel {
  readonly #lab: Lab
  readonly #vgwId: string
  readonly #vpnId: string
  readonly #outside: string
  readonly #peer: StrongSwan

  constructor (lab: Lab, vgwId: string, vpnId: string, outside: string, peer: StrongSwan) {
    this.#lab = lab
    this.#vgwId = vgwId
    this.#vpnId = vpnId
    this.#outside = outside
    this.#peer = peer
  }

  async listsSelectorsAndOptions (t: ExecutionContext): Promise<void> {
    for (const [options, listed] of LISTED) {
      await this.#set(t, options)
      await this.#whenListed('--list-conns', listed)
    }
    for (const options of SAID) await this.#set(t, options)
    await this.#lab.ec2.send(new ec2.ModifyVpnConnectionOptionsCommand({
      VpnConnectionId: this.#vpnId, LocalIpv4NetworkCidr: '192.168.0.0/16',
      RemoteIpv4NetworkCidr: '10.0.0.0/8'
    }))
    await this.#whenListed('--list-conns',
      /TUNNEL[^]*local: +10\.0\.0\.0\/8\n +remote: 192\.168\.0\.0\/16/)
    await this.#lab.ec2.send(new ec2.ModifyVpnConnectionOptionsCommand({
      VpnConnectionId: this.#vpnId, LocalIpv4NetworkCidr: '0.0.0.0/0',
      RemoteIpv4NetworkCidr: '0.0.0.0/0'
    }))
    await this.#whenListed('--list-conns', /local: +0\.0\.0\.0\/0\n +remote: 0\.0\.0\.0\/0/)
  }

  async agrees (t: ExecutionContext): Promise<void> {
    for (const [options, agreed, call = {}] of AGREED) {
      await this.#set(t, options)
      await this.#bringUp({ version: 2, key: KEY, ...call }, agreed)
    }
  }

  async hasInsideCidrKeyAndStart (t: ExecutionContext): Promise<void> {
    const namespace = namespaceName(this.#lab.name, this.#vgwId)
    const inside = async (): Promise<string> =>
      (await tryCommand('ip', ['-n', namespace, '-4', '-o', 'address', 'show'])).stdout
    await eventually('the inside address', async () =>
      (await inside()).includes('169.254.77.1/30'))
    await this.#set(t, { TunnelInsideCidr: '169.254.78.0/30' })
    await eventually('the other inside address', async () => {
      const seen = await inside()
      return seen.includes('169.254.78.1/30') && !seen.includes('169.254.77.1/30')
    })
    await this.#set(t, { PreSharedKey: OTHER_KEY })
    await eventually('that the keys differ', async () => {
      await this.#initiate({ version: 2, key: KEY })
      const status =
        await command(VPCCTL, '--lab', this.#lab.name, 'vpn', 'status', this.#vpnId)
      return /IPsec is down: The pre-shared keys differ/.test(status)
    }, VPN_UP_MS_MAX)
    await this.#bringUp({ version: 2, key: OTHER_KEY }, /INSTALLED/)
    await this.#peer.swanctl('--terminate', '--ike', 'aws', '--force', '--timeout', '2')
    // AWS's side begins by itself, as often as its peer is there.
    await this.#set(t, { StartupAction: 'start', IKEVersions: [{ Value: 'ikev2' }] })
    await this.#whenListed('--list-sas', /ESTABLISHED, IKEv2[^*]*_i\*[^]*INSTALLED/)
  }

  /** Sets these options alone, and reads them back from the API. */
  async #set (t: ExecutionContext, options: Options): Promise<void> {
    await this.#lab.ec2.send(new ec2.ModifyVpnTunnelOptionsCommand({
      VpnConnectionId: this.#vpnId, VpnTunnelOutsideIpAddress: this.#outside,
      TunnelOptions: { ...DEFAULTS, ...options }
    }))
    const { VpnConnections = [] } = await this.#lab.ec2.send(new ec2.DescribeVpnConnectionsCommand(
      { VpnConnectionIds: [this.#vpnId] }))
    const said = VpnConnections[0]?.Options?.TunnelOptions
      ?.find(({ OutsideIpAddress }) => OutsideIpAddress === this.#outside)
    // EC2 spells these two otherwise when it answers.
    t.like(said, Object.fromEntries(Object.entries(options).map(([name, value]) =>
      [name.replace('DPD', 'Dpd').replace('IKE', 'Ike'), value as unknown])))
  }

  /** Has the customer bring the tunnel up until AWS's side lists it so. */
  async #bringUp (call: Call, listed: RegExp): Promise<void> {
    await eventually(String(listed), async () => {
      await this.#initiate(call)
      return listed.test(await this.#list('--list-sas'))
    }, VPN_UP_MS_MAX)
  }

  async #initiate ({ version, key, esp = ESP }: Call): Promise<void> {
    await this.#peer.swanctl('--terminate', '--ike', 'aws', '--force', '--timeout', '2')
    await this.#peer.load(`connections { aws {
  version = ${String(version)}
  local_addrs = ${CUSTOMER}
  remote_addrs = ${this.#outside}
  proposals = ${IKE}
  mobike = no
  local { auth = psk
    id = ${CUSTOMER} }
  remote { auth = psk
    id = ${this.#outside} }
  children { net {
    local_ts = 0.0.0.0/0
    remote_ts = 0.0.0.0/0
    esp_proposals = ${esp}
  } }
} }
secrets { ike-aws { id-1 = ${CUSTOMER}
  id-2 = ${this.#outside}
  secret = "${key}" } }
`)
    await this.#peer.swanctl('--initiate', '--child', 'net', '--timeout', '3')
  }

  async #whenListed (what: '--list-conns' | '--list-sas', listed: RegExp): Promise<void> {
    let seen = ''
    try {
      await eventually(String(listed), async () => {
        seen = await this.#list(what)
        return listed.test(seen)
      }, VPN_UP_MS_MAX)
    } catch (error) {
      throw new Error(seen, { cause: error })
    }
  }

  /** What the charon that serves the tunnel lists of it. */
  async #list (what: '--list-conns' | '--list-sas'): Promise<string> {
    const directory = ipsecDirectory(this.#lab.name, '')
    const edges = existsSync(directory) ? readdirSync(directory) : []
    const all = await Promise.all(edges.map(async (edge) => (await tryCommand('swanctl', [what,
      '--uri', `unix://${join(directory, edge)}/vici.sock`])).stdout))
    return all.join('').split(/^(?=\S)/m).filter((one) => one.startsWith(`${this.#vpnId}-1:`))
      .join('')
  }
}
