/**
 * The tunnels of VPN connections on the lab's edges: where their outside addresses are, who speaks
 * IKE for them, and where their inside addresses are.
 *
 *     records ──▶ desiredTunnels ──┬─▶ [router]   outside address ─▶ the edge's uplink
 *                                  ├─▶ [edge-ike] ike0: outside addresses ─ charon ◀─ thread
 *                                  ├─▶ [vgw-…]    a TUN with the inside address, for BGP
 *                                  └─▶ thread of the edge (ipsec_worker.ts): tunnels
 *     ipsecSession ◀── transaction ◀── status ◀── thread ──▶ SAs ──▶ data plane of the edge
 *
 * One reconcile at a time, each with the newest records. An edge without tunnels has neither
 * namespace nor thread. When an edge's data plane ends, its SAs are gone: IKE is ended, too, and
 * begins anew with the next one.
 */
import { Worker } from 'node:worker_threads'
import { rmSync } from 'node:fs'
import type { Clock } from '../base/clock.ts'
import type { Negotiated } from '../ipsec/negotiated.ts'
import type { TunnelAuthentication, TunnelConfig } from '../ipsec/tunnel.ts'
import { addressPrefix } from '../mapping/prefix.ts'
import { authorityArn } from '../model/certificate_authority.ts'
import type { AppliedChange } from '../model/commit_feed.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { authorityOfGateway } from '../model/vpn_certificate.ts'
import type { VpnConnection } from '../model/vpn_connection.ts'
import { edgesOfTunnels } from '../model/vpn_placement.ts'
import { planIpsecSession, tunnelKey } from '../model/vpn_status.ts'
import type { Log, LogLevel } from '../observe/log.ts'
import { LatestWriter } from '../store/latest_writer.ts'
import type { Replica } from '../store/replica.ts'
import type { EspSa } from '../tun/esp_sa.ts'
import { tunnelSettings } from '../vpn/tunnel_settings.ts'
import type { TunnelSettings } from '../vpn/tunnel_settings.ts'
import type { HostAgent } from './agent.ts'
import { runIpBatch } from './command.ts'
import type { FromIpsecWorker, IpsecWorkerOptions, ToIpsecWorker } from './ipsec_worker.ts'
import { killProcessesIn } from './namespace_processes.ts'
import {
  espFilePath, ikeNamespace, ipsecDirectory, namespaceName, namespacePath, routerNamespace
} from './paths.ts'
import { namespacesOf, removeNamespaces } from './teardown.ts'
import { ensureNamespace, requireView } from './topology.ts'
import { TunnelLog } from './tunnel_log.ts'

const WORKER_FILE = new URL('ipsec_worker.ts', import.meta.url)
export const IKE_DEVICE = 'ike0'
const OUTSIDE_MTU = 1500
/** AWS Site-to-Site VPN User Guide: what a tunnel's interface is to have. */
const INSIDE_MTU = 1399
const SETTINGS = [
  'net.ipv4.ip_forward=0', 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.default.rp_filter=0',
  'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1'
]
/** Pause before what failed is tried again. */
const RETRY_MS = 2000
/** How long a thread may take to end its tunnels. */
const STOP_MS_MAX = 10_000
const GATEWAY_PATTERN = /^vgw-[0-9a-f]+$/
const NOUNS: ReadonlySet<string> =
  new Set(['vpnGateway', 'vpnConnection', 'customerGateway', 'certificateAuthority',
    'certificate', 'host'])

/** A tunnel that is to be served. */
export interface EdgeTunnel {
  readonly config: TunnelConfig
  readonly edge: string
  readonly vpnGatewayId: string
  readonly vpnConnectionId: string
  readonly outsideIpAddress: string
  /** AWS's inside address; null where nobody speaks BGP. */
  readonly insideAddress: string | null
}

/** @param keyOf private key of a certificate, PEM; null where there is none */
export function desiredTunnels (
  snapshot: Snapshot, keyOf: (certificateId: string) => string | null): EdgeTunnel[] {
  const { vpnConnection } = snapshot.tables
  return tunnelSettings(snapshot).flatMap((settings): EdgeTunnel[] => {
    const { outsideIpAddress, vpnConnectionId, vpnGatewayId } = settings
    const connection = vpnConnection.get(vpnConnectionId)
    const authentication = authenticationOf(settings, keyOf)
    if (connection === undefined || authentication === null) return []
    const at = connection.tunnels.findIndex((one) => one.outsideIpAddress === outsideIpAddress)
    const edge = edgesOfTunnels(snapshot, connection)[at]
    return edge === undefined ? [] : [{
      config: configOf(settings, authentication, `${vpnConnectionId}-${String(at + 1)}`), edge,
      vpnConnectionId, vpnGatewayId, outsideIpAddress,
      insideAddress: connection.staticRoutesOnly ? null : settings.insideAddresses.aws
    }]
  })
}

/** @returns null while AWS's side has no certificate */
function authenticationOf ({ preSharedKey, certificates }: TunnelSettings,
  keyOf: (certificateId: string) => string | null): TunnelAuthentication | null {
  if (preSharedKey !== null) return { kind: 'psk', secret: preSharedKey }
  const { endpoint = null } = certificates ?? {}
  const privateKey = endpoint === null ? null : keyOf(endpoint.id)
  if (certificates === null || endpoint === null || privateKey === null) return null
  const { issuer, chain, revocationLists } = certificates
  return { kind: 'certificate', certificate: endpoint.certificate, privateKey, issuer, chain,
    revocationLists }
}

/** A tunnel, and why nobody serves it, in words for people. */
interface Unserved extends Pick<EdgeTunnel, 'vpnConnectionId' | 'outsideIpAddress'> {
  readonly reason: string
}

/** Tunnels that are not among `desired`. */
export function unservedTunnels (
  snapshot: Snapshot, desired: readonly EdgeTunnel[]): Unserved[] {
  const served = new Set(desired.map(({ outsideIpAddress }) => outsideIpAddress))
  return [...snapshot.tables.vpnConnection.values()]
    .filter(({ state }) => state === 'available')
    .flatMap((connection) => connection.tunnels
      .filter(({ outsideIpAddress }) => !served.has(outsideIpAddress))
      .map(({ outsideIpAddress, preSharedKey }): Unserved => ({
        vpnConnectionId: connection.id, outsideIpAddress,
        reason: preSharedKey !== null || edgesOfTunnels(snapshot, connection).length === 0
          ? 'the lab has no edges' : whyUncertified(snapshot, connection)
      })))
}

function whyUncertified (snapshot: Snapshot, { customerGatewayId }: VpnConnection): string {
  const customer = snapshot.tables.customerGateway.get(customerGatewayId)
  const authority = customer === undefined ? 'its customer gateway is gone'
    : authorityOfGateway(snapshot, customer)
  if (typeof authority === 'string') return authority
  return authority.state === 'ACTIVE' ? 'the certificate of this end is being made'
    : `${authorityArn(authority)} is ${authority.state}: it issues no certificate for this end`
}

function configOf (
  settings: TunnelSettings, authentication: TunnelAuthentication, name: string): TunnelConfig {
  return {
    name,
    generation: settings.replacedMs ?? 0,
    tunnel: settings.number,
    localAddress: settings.outsideIpAddress,
    remoteAddress: settings.peerIpAddress,
    localId: settings.certificates?.identity ?? settings.outsideIpAddress,
    remoteId: null,
    authentication,
    ikeVersions: settings.ikeVersions,
    phase1: {
      encryption: settings.phase1EncryptionAlgorithms,
      integrity: settings.phase1IntegrityAlgorithms,
      dhGroups: settings.phase1DHGroupNumbers,
      lifetimeSeconds: settings.phase1LifetimeSeconds
    },
    phase2: {
      encryption: settings.phase2EncryptionAlgorithms,
      integrity: settings.phase2IntegrityAlgorithms,
      dhGroups: settings.phase2DHGroupNumbers,
      lifetimeSeconds: settings.phase2LifetimeSeconds
    },
    rekeyMarginSeconds: settings.rekeyMarginTimeSeconds,
    rekeyFuzzPercentage: settings.rekeyFuzzPercentage,
    replayWindow: settings.replayWindowSize,
    dpdTimeoutSeconds: settings.dpdTimeoutSeconds,
    dpdTimeoutAction: settings.dpdTimeoutAction,
    startupAction: settings.startupAction,
    localSelectors: [settings.awsNetwork],
    remoteSelectors: [settings.customerNetwork]
  }
}

/** A tunnel's number: its outside address. */
function wordOf (address: string): number { return addressPrefix(address).words[3] ?? 0 }

/** Name of the device at a tunnel's inside address. */
function insideDevice (outsideIpAddress: string): string {
  return `vpn${wordOf(outsideIpAddress).toString(16).padStart(8, '0')}`
}

/** Somebody who follows the keys of tunnels, by their numbers. */
interface KeyReader {
  readonly tunnels: ReadonlySet<number>
  readonly onSa: (sa: EspSa) => void
}

/** IKE of one edge. */
interface Speaker {
  readonly worker: Worker
  readonly ended: Promise<void>
  /** Inside devices that the data plane has been told of, by outside address. */
  readonly inside: Set<string>
}

export interface VpnEdgesOptions {
  readonly lab: string
  readonly replica: Replica
  readonly clock: Clock
  readonly log: Log
  readonly agents: () => readonly HostAgent[]
  /** Private key of a certificate, PEM; null where there is none. */
  readonly keyOf: (certificateId: string) => string | null
}

export class VpnEdges {
  /** What has happened to the tunnels since the start. */
  readonly log = new TunnelLog()
  readonly #options: VpnEdgesOptions
  readonly #speakers = new Map<string, Speaker>()
  readonly #downEdges = new Set<string>()
  /** What each tunnel of a speaker is: by its name in IKE. */
  #tunnels = new Map<string, EdgeTunnel>()
  readonly #keyReaders = new Set<KeyReader>()
  /** Who waits for the answer to 'tell-sas', by edge. */
  readonly #asking = new Map<string, (() => void)[]>()
  readonly #writer: LatestWriter<Parameters<typeof planIpsecSession>[1]>
  #working: Promise<void> | null = null
  #isDirty = false
  #isRunning = false
  #retryTimer: NodeJS.Timeout | undefined

  constructor (options: VpnEdgesOptions) {
    this.#options = options
    const { replica, log } = options
    this.#writer = new LatestWriter(replica,
      (snapshot, report) => planIpsecSession(snapshot, report).changes,
      (error) => {
        log.error({ err: error }, 'what is known of the tunnels could not be written')
      })
  }

  /** The edges' data planes run. */
  begin (): void {
    this.#isRunning = true
    this.reconcile()
  }

  async stop (): Promise<void> {
    this.#isRunning = false
    clearTimeout(this.#retryTimer)
    await this.#working
    await Promise.all([...this.#speakers.keys()].map(async (edge) => { await this.#end(edge) }))
    await this.#writer.idle()
  }

  onCommit (changes: readonly AppliedChange[]): void {
    this.log.onCommit(changes, this.#options.clock.nowMs())
    if (changes.some(({ noun }) => NOUNS.has(noun))) this.reconcile()
  }

  /** An edge's data plane ended, or runs again and knows of no tunnel. */
  noteEdge (edge: string, isDown: boolean): void {
    if (isDown) this.#downEdges.add(edge)
    else this.#downEdges.delete(edge)
    this.reconcile()
  }

  /** A packet of an inbound SA came from elsewhere than its SA says. */
  mapped (edge: string, mapping: Omit<Extract<ToIpsecWorker, { kind: 'mapping' }>, 'kind'>): void {
    this.#say(edge, { kind: 'mapping', ...mapping })
  }

  /**
   * Tells the SAs of tunnels, keys and all: first those that there are, then each that is made.
   * Resolves when the former have been told. @param tunnels outside addresses @returns ends it
   */
  async followKeys (
    tunnels: ReadonlySet<string>, onSa: (sa: EspSa) => void): Promise<() => void> {
    const reader = { tunnels: new Set([...tunnels].map((one) => wordOf(one) >>> 0)), onSa }
    this.#keyReaders.add(reader)
    await Promise.all([...this.#speakers].map(async ([edge, { ended }]) => {
      const told = new Promise<void>((resolve) => {
        this.#asking.set(edge, [...this.#asking.get(edge) ?? [], resolve])
      })
      this.#say(edge, { kind: 'tell-sas' })
      await Promise.race([told, ended])
    }))
    return () => { this.#keyReaders.delete(reader) }
  }

  #tellKeys (sas: readonly EspSa[]): void {
    for (const { tunnels, onSa } of this.#keyReaders) {
      for (const sa of sas) if (tunnels.has(sa.tunnel >>> 0)) onSa(sa)
    }
  }

  /** Looks at everything again, soon. */
  reconcile (): void {
    if (!this.#isRunning) return
    this.#isDirty = true
    this.#working ??= this.#work().finally(() => { this.#working = null })
  }

  async #work (): Promise<void> {
    while (this.#isDirty && this.#isRunning) {
      this.#isDirty = false
      try {
        await this.#reconcile()
      } catch (error) {
        this.#options.log.error({ err: error }, 'the tunnels of the edges could not be made')
        this.#retryLater()
      }
    }
  }

  #retryLater (): void {
    clearTimeout(this.#retryTimer)
    this.#retryTimer = setTimeout(() => { this.reconcile() }, RETRY_MS)
  }

  async #reconcile (): Promise<void> {
    const { lab, replica, keyOf } = this.#options
    const all = desiredTunnels(replica.snapshot, keyOf)
    const tunnels = all.filter(({ edge }) => !this.#downEdges.has(edge))
    this.#tunnels = new Map(tunnels.map((tunnel) => [tunnel.config.name, tunnel]))
    const edges = new Set(tunnels.map(({ edge }) => edge))
    for (const edge of [...this.#speakers.keys()]) if (!edges.has(edge)) await this.#end(edge)
    for (const tunnel of all) {
      if (this.#downEdges.has(tunnel.edge)) this.#report(tunnel, false, 'the edge is down')
    }
    for (const tunnel of unservedTunnels(replica.snapshot, all)) {
      this.#report(tunnel, false, tunnel.reason)
    }
    for (const edge of edges) {
      await this.#serve(edge, tunnels.filter((tunnel) => tunnel.edge === edge))
    }
    await this.#removeStrays(new Set([
      ...all.map(({ edge }) => ikeNamespace(lab, edge)),
      ...all.filter(({ insideAddress }) => insideAddress !== null)
        .map(({ vpnGatewayId }) => namespaceName(lab, vpnGatewayId))
    ]))
  }

  /** Namespaces of gateways and edges that have no tunnel any more. */
  async #removeStrays (wanted: ReadonlySet<string>): Promise<void> {
    const { lab, agents } = this.#options
    const ofEdges = new Set(agents().map(({ host }) => ikeNamespace(lab, host.id)))
    const strays = namespacesOf(lab).filter((name) => !wanted.has(name) &&
      (ofEdges.has(name) || GATEWAY_PATTERN.test(name.slice(lab.length + 1))))
    if (strays.length > 0) await removeNamespaces(strays)
  }

  async #serve (edge: string, tunnels: readonly EdgeTunnel[]): Promise<void> {
    const { lab } = this.#options
    const addresses = tunnels.map(({ outsideIpAddress }) => outsideIpAddress)
    const ike = ikeNamespace(lab, edge)
    await ensureNamespace(ike, SETTINGS)
    await ensureDevice(ike, IKE_DEVICE, OUTSIDE_MTU, addresses.map((address) => `${address}/32`))
    await runIpBatch(ike, [`route replace default dev ${IKE_DEVICE}`])
    await runIpBatch(routerNamespace(lab),
      addresses.map((address) => `route replace ${address}/32 dev ${edge}`))
    await this.#ensureInside(tunnels)
    const speaker = this.#speakers.get(edge) ?? await this.#begin(edge, ike, tunnels)
    this.#openInside(edge, speaker, tunnels)
    this.#say(edge, {
      kind: 'tunnels',
      tunnels: tunnels.map(({ config }) => config)
    })
  }

  async #ensureInside (tunnels: readonly EdgeTunnel[]): Promise<void> {
    for (const { insideAddress, outsideIpAddress, vpnGatewayId } of tunnels) {
      if (insideAddress === null) continue
      const namespace = namespaceName(this.#options.lab, vpnGatewayId)
      await ensureNamespace(namespace, SETTINGS)
      await ensureDevice(namespace, insideDevice(outsideIpAddress), INSIDE_MTU,
        [`${insideAddress}/30`])
    }
  }

  #openInside (edge: string, { inside }: Speaker, tunnels: readonly EdgeTunnel[]): void {
    const { lab } = this.#options
    const agent = this.#agentOf(edge)
    const withInside = tunnels.filter(({ insideAddress }) => insideAddress !== null)
    for (const outside of inside) {
      if (withInside.some(({ outsideIpAddress }) => outsideIpAddress === outside)) continue
      inside.delete(outside)
      agent?.post({ kind: 'close-inside', tunnel: wordOf(outside) })
    }
    for (const { outsideIpAddress, vpnGatewayId } of withInside) {
      if (inside.has(outsideIpAddress)) continue
      inside.add(outsideIpAddress)
      agent?.post({
        kind: 'open-inside', tunnel: wordOf(outsideIpAddress),
        namespacePath: namespacePath(namespaceName(lab, vpnGatewayId)),
        deviceName: insideDevice(outsideIpAddress)
      })
    }
  }

  /** Starts IKE of an edge, where no SA of an earlier one is left. */
  async #begin (edge: string, ike: string, tunnels: readonly EdgeTunnel[]): Promise<Speaker> {
    const { lab } = this.#options
    const directory = ipsecDirectory(lab, edge)
    await killProcessesIn([ike])
    rmSync(directory, { recursive: true, force: true })
    this.#agentOf(edge)?.post({
      kind: 'open-ike', namespacePath: namespacePath(ike), deviceName: IKE_DEVICE
    })
    for (const tunnel of tunnels) this.#report(tunnel, false, null)
    const workerData: IpsecWorkerOptions = {
      lab, edge, directory,
      logLevel: this.#options.log.level as LogLevel,
      namespacePath: namespacePath(ike),
      statisticsPath: espFilePath(lab, edge)
    }
    const worker = new Worker(WORKER_FILE, { workerData, name: `ipsec-${edge}` })
    const ended = new Promise<void>((resolve) => {
      worker.on('exit', () => {
        resolve()
        if (this.#speakers.get(edge)?.worker !== worker) return
        this.#speakers.delete(edge)
        this.#retryLater()
      })
    })
    worker.on('message', (message: FromIpsecWorker) => { this.#hear(edge, message) })
    worker.on('error', (error) => {
      this.#options.log.error({ err: error, host: edge }, 'IKE of an edge failed')
    })
    const speaker: Speaker = { worker, ended, inside: new Set() }
    this.#speakers.set(edge, speaker)
    return speaker
  }

  async #end (edge: string): Promise<void> {
    const speaker = this.#speakers.get(edge)
    if (speaker === undefined) return
    this.#say(edge, { kind: 'stop' })
    const timer = setTimeout(() => { void speaker.worker.terminate() }, STOP_MS_MAX)
    await speaker.ended
    clearTimeout(timer)
    this.#speakers.delete(edge)
  }

  #say (edge: string, message: ToIpsecWorker): void {
    this.#speakers.get(edge)?.worker.postMessage(message)
  }

  #agentOf (edge: string): HostAgent | undefined {
    return this.#options.agents().find(({ host }) => host.id === edge)
  }

  #hear (edge: string, message: FromIpsecWorker): void {
    switch (message.kind) {
      case 'esp':
        this.#agentOf(edge)?.post(message.message)
        if (message.message.kind === 'esp-install') this.#tellKeys([message.message.sa])
        return
      case 'sas':
        this.#tellKeys(message.sas)
        for (const resolve of this.#asking.get(edge) ?? []) resolve()
        this.#asking.delete(edge)
        return
      case 'line': {
        const { name, atMs, line: text } = message
        const tunnel = this.#tunnels.get(name)
        if (tunnel === undefined) return
        this.log.add(tunnelKey(tunnel.vpnConnectionId, tunnel.outsideIpAddress),
          { atMs, source: 'ike', text })
        return
      }
      case 'status':
        this.#hearStatus(message)
    }
  }

  #hearStatus ({ status: { name, state, explanation, generation }, negotiated }:
  Extract<FromIpsecWorker, { kind: 'status' }>): void {
    const tunnel = this.#tunnels.get(name)
    if (tunnel === undefined) return
    if (state !== 'up') this.#report(tunnel, false, explanation)
    else {
      this.#report(tunnel, true, null,
        { generation, negotiated: negotiated ?? this.#before(tunnel) })
    }
  }

  /** What was agreed on is told after that a tunnel is up; until then what was before stands. */
  #before ({ vpnConnectionId, outsideIpAddress }: EdgeTunnel): Negotiated | null {
    const { ipsecSession } = this.#options.replica.snapshot.tables
    return ipsecSession.get(tunnelKey(vpnConnectionId, outsideIpAddress))?.negotiated ?? null
  }

  #report ({ vpnConnectionId, outsideIpAddress }:
  Pick<EdgeTunnel, 'vpnConnectionId' | 'outsideIpAddress'>, isUp: boolean, message: string | null,
  up: { readonly generation: number, readonly negotiated: Negotiated | null } | null = null): void {
    const { generation = null, negotiated = null } = up ?? {}
    this.#writer.take(tunnelKey(vpnConnectionId, outsideIpAddress), {
      vpnConnectionId, outsideIpAddress, isUp, message, generation, negotiated,
      sinceMs: this.#options.clock.nowMs()
    })
  }
}

/** Makes a TUN, and gives it these addresses and no others. */
async function ensureDevice (
  namespace: string, device: string, mtu: number, addresses: readonly string[]): Promise<void> {
  const link = (await requireView(namespace)).links.find(({ name }) => name === device)
  const lines = link === undefined
    ? [`tuntap add dev ${device} mode tun vnet_hdr`, 'link set lo up',
        `link set ${device} mtu ${String(mtu)} up`]
    : []
  const known = (link?.addresses ?? [])
    .map(({ address, prefixLength }) => `${address}/${String(prefixLength)}`)
  lines.push(
    ...known.filter((one) => !addresses.includes(one))
      .map((address) => `addr del ${address} dev ${device}`),
    ...addresses.filter((one) => !known.includes(one))
      .map((address) => `addr add ${address} dev ${device}`))
  if (lines.length > 0) await runIpBatch(namespace, lines)
}
