/**
 * A customer gateway: stock strongSwan in a namespace of its own, with its ESP in user space (the
 * kernel-libipsec plugin), since the kernel's is missing on some machines. Configured with the
 * text of swanctl.conf, as people do.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Background, eventually, inside, tryCommand } from './command.ts'
import type { CommandResult } from './command.ts'

/** TUN of kernel-libipsec: what is routed to it is sealed. */
export const PEER_DEVICE = 'ipsec0'
const CHARON = '/usr/sbin/charon-systemd'

export class StrongSwan implements AsyncDisposable {
  readonly #directory: string
  readonly #charon: Background

  private constructor (namespace: string, directory: string) {
    this.#directory = directory
    this.#charon = new Background('ip', inside(namespace, [CHARON]),
      { ...process.env, STRONGSWAN_CONF: join(directory, 'strongswan.conf') })
  }

  /** @param directory made here, and removed at the end */
  static async start (namespace: string, directory: string): Promise<StrongSwan> {
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, 'strongswan.conf'), `charon-systemd {
  load_modular = no
  load = random nonce openssl kdf pem pkcs1 pkcs8 x509 pubkey revocation constraints \
kernel-libipsec kernel-netlink socket-default vici updown
  install_routes = no
  install_virtual_ip = no
  routing_table_prio = 40000
  threads = 16
  retransmit_timeout = 1
  retransmit_tries = 2
  retransmit_base = 1
  journal { default = -1 }
  filelog { log { path = ${join(directory, 'charon.log')}
    default = 1
    flush_line = yes } }
  plugins { vici { socket = unix://${join(directory, 'vici.sock')} } }
}
`)
    const peer = new StrongSwan(namespace, directory)
    try {
      await eventually('strongSwan answers', async () => {
        if (!peer.#charon.running) throw new Error(`charon ended: ${peer.#charon.output}`)
        return (await peer.swanctl('--version')).code === 0
      })
    } catch (error) {
      await peer[Symbol.asyncDispose]()
      throw error
    }
    return peer
  }

  /** Process id of charon. */
  get pid (): number { return this.#charon.child.pid ?? -1 }

  /** Runs swanctl on it. */
  swanctl (...args: readonly string[]): Promise<CommandResult> {
    const uri = args[0] === '--version' ? ['--daemon'] : []
    return tryCommand('env', [`SWANCTL_DIR=${this.#directory}`, 'swanctl', ...args, ...uri,
      '--uri', `unix://${join(this.#directory, 'vici.sock')}`])
  }

  /**
   * Loads connections and secrets, in the place of those before.
   * @param text of swanctl.conf
   * @param privateKey PEM
   */
  async load (text: string, privateKey = ''): Promise<void> {
    const path = join(this.#directory, 'swanctl.conf')
    writeFileSync(path, text)
    mkdirSync(join(this.#directory, 'private'), { recursive: true })
    writeFileSync(join(this.#directory, 'private', 'own.key'), privateKey)
    if (privateKey === '') rmSync(join(this.#directory, 'private', 'own.key'))
    for (const what of [['--load-creds', '--clear'], ['--load-conns']]) {
      const result = await this.swanctl(...what, '--file', path)
      if (result.code !== 0) throw new Error(`swanctl: ${result.stdout}${result.stderr}`)
    }
  }

  /** Ends it as a crash does. */
  async kill (): Promise<void> { await this.#charon.stop('SIGKILL') }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.#charon.stop()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
