/**
 * IPsec of one edge: a charon that speaks IKE, the XFRM server that it takes for its kernel, and
 * what is known of each tunnel. ESP itself is the backend's (backend.ts).
 *
 *     open(config) ──▶ VICI ──▶ charon ──IKE──▶ customer gateway
 *     onTunnel(status) ◀── events ◀──┘ │
 *                                      └──shim──▶ XFRM server ──▶ backend: install, select, remove
 *
 * charon may end at any time: its SAs are then gone, every tunnel is down, and the next one is told
 * of all tunnels again. It must run in a thread whose event loop is never held up for long: charon
 * waits for each answer of the XFRM server.
 */
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { VpclabError } from '../base/errors.ts'
import type { Log } from '../observe/log.ts'
import type { EspSa } from '../tun/esp_sa.ts'
import type { EspBackend } from './backend.ts'
import { Charon } from './charon.ts'
import type { RetransmitOptions } from './charon_config.ts'
import { TunnelMonitor } from './monitor.ts'
import type { TunnelStatus } from './monitor.ts'
import { CHILD_NAME, certificateMessages, connectionMessage, sharedKeyMessage } from './tunnel.ts'
import type { TunnelConfig } from './tunnel.ts'
import { XfrmServer } from './xfrm/server.ts'
import type { ViciClient } from './vici/client.ts'
import { isList } from './vici/message.ts'
import type { ViciMessage } from './vici/message.ts'

/** Tunnels of one engine; charon takes about 22 KB for each. */
export const TUNNELS_MAX = 2000
/** How long charon may take to end the SAs of a tunnel, asking its peer, ms. */
const TERMINATE_MS_MAX = 5000

export interface IpsecEngineOptions {
  /** Folder for sockets and log; its path has at most 90 bytes, so that a socket's fits. */
  readonly directory: string
  /** Namespace in which IKE is spoken: it has the outside addresses. */
  readonly namespacePath: string
  readonly backend: EspBackend
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly retransmit?: RetransmitOptions
  /**
   * Whether charon knows the tunnel: IKE that comes before is not to reach it, since charon would
   * refuse it.
   */
  readonly onListen: (tunnel: number, isListening: boolean) => void
  /** The status of a tunnel has changed. */
  readonly onTunnel: (status: TunnelStatus) => void
  /** A line of charon's log that is about a tunnel. */
  readonly onLine?: (name: string, line: string) => void
}

export class IpsecEngine {
  readonly charon: Charon
  readonly #options: IpsecEngineOptions
  readonly #monitor: TunnelMonitor
  readonly #tunnels = new Map<string, TunnelConfig>()
  /** charon's ids of the private keys that tunnels have loaded, by tunnel. */
  readonly #keys = new Map<string, string>()
  #server: XfrmServer | null = null

  private constructor (options: IpsecEngineOptions) {
    this.#options = options
    this.#monitor = new TunnelMonitor(options.clock, options.onTunnel,
      options.onLine ?? ((): void => { /* nobody reads it */ }))
    this.charon = new Charon({
      directory: options.directory,
      namespacePath: options.namespacePath,
      ...(options.retransmit === undefined ? {} : { retransmit: options.retransmit }),
      log: options.log,
      onUp: (client) => { void this.#loadAll(client) },
      onDown: () => {
        for (const { tunnel } of this.#tunnels.values()) options.onListen(tunnel, false)
        this.#monitor.allDown()
      },
      onEvent: (name, message) => { this.#monitor.hear(name, message) }
    })
  }

  /**
   * Resolves when charon is up.
   * @throws VpclabError VPCLAB_ERR_PREREQUISITE, VPCLAB_ERR_CHARON, VPCLAB_ERR_SYSCALL
   */
  static async start (options: IpsecEngineOptions): Promise<IpsecEngine> {
    const engine = new IpsecEngine(options)
    engine.charon.prepare()
    const { backend, clock, random, log } = options
    engine.#server = await XfrmServer.listen({
      path: join(options.directory, 'xfrm.sock'),
      backend,
      clock,
      random,
      log,
      onHello: (pid) => { engine.charon.hello(pid) }
    })
    try {
      await engine.charon.start()
    } catch (error) {
      await engine.#server.close()
      throw error
    }
    return engine
  }

  /** SAs and policies that charon has installed. */
  get counts (): { readonly sas: number, readonly policies: number } {
    const database = this.#server?.database
    return { sas: database?.saCount ?? 0, policies: database?.policyCount ?? 0 }
  }

  /** SAs that charon has installed, keys and all. */
  sas (): EspSa[] { return this.#server?.database.sas() ?? [] }

  status (name: string): TunnelStatus | null { return this.#monitor.status(name) }

  /**
   * Opens a tunnel, or changes it: what was up of it ends then.
   * @throws VpclabError VPCLAB_ERR_CHARON with charon's reason, VPCLAB_ERR_CONFIG when full
   */
  async open (config: TunnelConfig): Promise<void> {
    const isNew = !this.#tunnels.has(config.name)
    if (isNew && this.#tunnels.size >= TUNNELS_MAX) {
      throw new VpclabError('VPCLAB_ERR_CONFIG', `Cannot open tunnel "${config.name}": an edge ` +
        `has ${String(TUNNELS_MAX)} at most`)
    }
    const client = this.charon.client
    const before = isNew || client === null ? [] : await ikeSasOf(client, config.name)
    this.#tunnels.set(config.name, config)
    this.#monitor.add(config)
    if (client === null) return
    // A peer whose SA ends comes again at once: it is then to meet what is so now.
    await this.#load(client, config)
    for (const { uniqueid } of before) {
      if (typeof uniqueid === 'string') await terminate(client, { 'ike-id': uniqueid })
    }
  }

  /** Harmless for one that is not open. */
  async close (name: string): Promise<void> {
    const config = this.#tunnels.get(name)
    if (config === undefined) return
    this.#tunnels.delete(name)
    const client = this.charon.client
    if (client !== null) {
      await client.request('unload-conn', { name })
      await client.request('unload-shared', { id: name }).catch(() => undefined)
      await this.#loadKeys(client, config.remoteAddress)
      await terminate(client, { ike: name })
      await this.#unloadKey(client, name)
      this.#options.onListen(config.tunnel, false)
    }
    this.#monitor.remove(name)
  }

  /**
   * Has charon bring the tunnel up, and waits for it.
   * @throws VpclabError VPCLAB_ERR_CHARON when it does not come up
   */
  async initiate (name: string, timeoutMs: number): Promise<void> {
    await this.#client().request('initiate',
      { child: CHILD_NAME, ike: name, timeout: String(timeoutMs) }, timeoutMs + TERMINATE_MS_MAX)
  }

  /** Makes new keys for the tunnel's child. */
  async rekey (name: string): Promise<void> {
    await this.#client().request('rekey', { ike: name, child: CHILD_NAME })
  }

  /** Everything that charon says of a tunnel's IKE_SAs: `list-sas`. */
  async describe (name: string): Promise<readonly ViciMessage[]> {
    return await ikeSasOf(this.#client(), name)
  }

  /** The backend has opened a packet that came from elsewhere than its SA says. */
  reportMapping (index: number, address: Uint8Array, port: number): void {
    this.#server?.database.reportMapping(index, address, port)
  }

  /** Ends all tunnels, charon, and the server. */
  async stop (): Promise<void> {
    await this.charon.stop()
    await this.#server?.close()
  }

  #client (): ViciClient {
    const client = this.charon.client
    if (client === null) throw new VpclabError('VPCLAB_ERR_CHARON', 'charon is not up')
    return client
  }

  async #load (client: ViciClient, config: TunnelConfig): Promise<void> {
    const { authentication, name } = config
    await this.#loadKeys(client, config.remoteAddress)
    if (authentication.kind === 'certificate') {
      const { id } = await client.request('load-key',
        { type: 'any', data: authentication.privateKey })
      if (this.#keys.get(name) !== id) await this.#unloadKey(client, name)
      if (typeof id === 'string') this.#keys.set(name, id)
    }
    for (const message of certificateMessages(config)) {
      await client.request('load-cert', message)
    }
    const loading = client.request('load-conn', connectionMessage(config))
    // Who calls is to hear the answer; who is called must know the tunnel first.
    if (config.startupAction === 'add') await loading
    this.#options.onListen(config.tunnel, true)
    await loading
  }

  /** Loads the shared keys of all tunnels to one address: whose they are depends on them all. */
  async #loadKeys (client: ViciClient, remoteAddress: string | null): Promise<void> {
    const tunnels = [...this.#tunnels.values()]
    for (const config of tunnels) {
      if (config.remoteAddress !== remoteAddress) continue
      const shared = sharedKeyMessage(config, tunnels)
      if (shared !== null) await client.request('load-shared', shared)
    }
  }

  /** Has charon forget a private key that no other tunnel uses. */
  async #unloadKey (client: ViciClient, name: string): Promise<void> {
    const id = this.#keys.get(name)
    if (id === undefined) return
    this.#keys.delete(name)
    if ([...this.#keys.values()].includes(id)) return
    await client.request('unload-key', { id }).catch(() => undefined)
  }

  async #loadAll (client: ViciClient): Promise<void> {
    this.#keys.clear()
    for (const config of this.#tunnels.values()) {
      try {
        await this.#load(client, config)
      } catch (error) {
        this.#options.log.error({ err: error, tunnel: config.name },
          'a tunnel could not be given to charon')
      }
    }
  }
}

/** What charon says of a tunnel's IKE_SAs: `list-sas`. */
async function ikeSasOf (client: ViciClient, name: string): Promise<ViciMessage[]> {
  return (await client.stream('list-sas', 'list-sa', { ike: name })).flatMap((message) => {
    const sa = message[name]
    return sa === undefined || typeof sa === 'string' || isList(sa) ? [] : [sa]
  })
}

/** Ends IKE_SAs, if there are any. @param which all of a tunnel's, or one */
async function terminate (client: ViciClient,
  which: { readonly ike: string } | { readonly 'ike-id': string }): Promise<void> {
  await client.request('terminate',
    { ...which, force: 'yes', timeout: String(TERMINATE_MS_MAX) }, 2 * TERMINATE_MS_MAX)
    .catch(() => undefined)
}
