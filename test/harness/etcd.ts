/**
 * etcd members of Debian's package, each with its data in a folder of its own: one on loopback, or
 * any number at addresses in namespaces.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Background, command, eventually, inside, tryCommand } from './command.ts'
import { freePort } from './lab.ts'

/** What a member in a namespace of its own listens on. */
export const CLIENT_PORT = 2379
const PEER_PORT = 2380

export interface EtcdPlace { readonly namespace: string, readonly address: string }

/** PEM files with which a member wants TLS of its callers, and certificates. */
export interface EtcdTls { readonly ca: string, readonly cert: string, readonly key: string }

interface Member {
  readonly name: string
  readonly address: string
  readonly namespace: string | null
  readonly port: number
  readonly peerPort: number
}

export class Etcd {
  readonly address: string
  readonly port: number
  readonly #member: Member
  /** All members, this one too. */
  readonly #cluster: readonly Member[]
  readonly #directory = mkdtempSync(join(tmpdir(), 'vpclab-etcd-'))
  readonly #tls: EtcdTls | null
  #process: Background
  #isPaused = false

  private constructor (member: Member, cluster: readonly Member[], tls: EtcdTls | null) {
    this.address = member.address
    this.port = member.port
    this.#member = member
    this.#cluster = cluster
    this.#tls = tls
    this.#process = this.#spawn()
  }

  /** One member on loopback. */
  static async start (tls: EtcdTls | null = null): Promise<Etcd> {
    const member = {
      name: 'one', address: '127.0.0.1', namespace: null, port: await freePort(),
      peerPort: await freePort()
    }
    const etcd = new Etcd(member, [member], tls)
    await etcd.#ready()
    return etcd
  }

  /** A member at each place, all of one etcd. */
  static async startAt (places: readonly EtcdPlace[]): Promise<Etcd[]> {
    const cluster = places.map(({ namespace, address }, index) => ({
      name: `e${String(index + 1)}`, address, namespace, port: CLIENT_PORT, peerPort: PEER_PORT
    }))
    const etcds = cluster.map((member) => new Etcd(member, cluster, null))
    for (const etcd of etcds) await etcd.#ready()
    return etcds
  }

  async kill (): Promise<void> {
    await this.#process.stop('SIGKILL')
    this.#isPaused = false
  }

  /** Starts it again, with what it had written. */
  async restart (): Promise<void> {
    this.#process = this.#spawn()
    await this.#ready()
  }

  /** It does nothing, but its connections stay. */
  pause (): void {
    this.#process.child.kill('SIGSTOP')
    this.#isPaused = true
  }

  resume (): void {
    this.#process.child.kill('SIGCONT')
    this.#isPaused = false
  }

  /** Whether it leads the others, as far as it knows; one that does not run does not. */
  async leads (): Promise<boolean> {
    if (this.#isPaused || !this.#process.running) return false
    const { stdout } = await tryCommand(...this.#ctl(['endpoint', 'status', '-w', 'simple']))
    return stdout.split(', ')[4] === 'true'
  }

  /** Leads from now on, instead of `leader`. */
  async takeLead (leader: Etcd): Promise<void> {
    const { stdout } = await tryCommand(...this.#ctl(['endpoint', 'status', '-w', 'simple']))
    await leader.ctl('move-leader', stdout.split(', ')[1] ?? '')
  }

  /** Debian's `etcdctl`. */
  async ctl (...words: string[]): Promise<string> {
    const [program, args] = this.#ctl(words)
    return await command(program, ...args)
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.kill()
    rmSync(this.#directory, { recursive: true })
  }

  #ctl (words: readonly string[]): [string, string[]] {
    const tls = this.#tls
    return this.#inPlace('env', ['ETCDCTL_API=3', 'etcdctl', `--endpoints=${this.#url('port')}`,
      ...tls === null ? [] : ['--cacert', tls.ca, '--cert', tls.cert, '--key', tls.key], ...words])
  }

  #url (port: 'port' | 'peerPort', member = this.#member): string {
    const scheme = port === 'port' && this.#tls !== null ? 'https' : 'http'
    return `${scheme}://${member.address}:${String(member[port])}`
  }

  #inPlace (program: string, args: string[]): [string, string[]] {
    const { namespace } = this.#member
    return namespace === null ? [program, args] : ['ip', inside(namespace, [program, ...args])]
  }

  #spawn (): Background {
    const tls = this.#tls
    const client = this.#url('port')
    const peer = this.#url('peerPort')
    const all = this.#cluster.map((member) => `${member.name}=${this.#url('peerPort', member)}`)
    return new Background(...this.#inPlace('etcd', [
      '--name', this.#member.name, '--data-dir', this.#directory,
      '--listen-client-urls', client, '--advertise-client-urls', client,
      '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer,
      '--initial-cluster', all.join(), '--max-txn-ops', '100000',
      ...(tls === null ? [] : ['--cert-file', tls.cert, '--key-file', tls.key,
        '--trusted-ca-file', tls.ca, '--client-cert-auth'])]))
  }

  async #ready (): Promise<void> { await this.#process.printed('ready to serve client requests') }
}

/** Waits until one of the members leads. */
export async function leaderOf (etcds: readonly Etcd[]): Promise<Etcd> {
  return await eventually('an etcd member leads', async () => {
    for (const etcd of etcds) if (await etcd.leads()) return etcd
    return undefined
  })
}
