/**
 * One etcd member of Debian's package, with its data in a folder of its own: on loopback, or at an
 * address in a namespace.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Background, command, inside } from './command.ts'
import { freePort } from './lab.ts'

export interface EtcdPlace { readonly namespace: string, readonly address: string }

/** PEM files with which a member wants TLS of its callers, and certificates. */
export interface EtcdTls { readonly ca: string, readonly cert: string, readonly key: string }

export class Etcd {
  readonly address: string
  readonly port: number
  readonly #peerPort: number
  readonly #directory: string
  readonly #namespace: string | null
  readonly #tls: EtcdTls | null
  #process: Background

  private constructor (directory: string, port: number, peerPort: number,
    place: EtcdPlace | null, tls: EtcdTls | null) {
    this.#tls = tls
    this.address = place?.address ?? '127.0.0.1'
    this.#namespace = place?.namespace ?? null
    this.port = port
    this.#peerPort = peerPort
    this.#directory = directory
    this.#process = this.#spawn()
  }

  static async start (place: EtcdPlace | null = null, tls: EtcdTls | null = null): Promise<Etcd> {
    const etcd = new Etcd(mkdtempSync(join(tmpdir(), 'vpclab-etcd-')), await freePort(),
      await freePort(), place, tls)
    await etcd.#ready()
    return etcd
  }

  async kill (): Promise<void> { await this.#process.stop('SIGKILL') }

  /** Starts it again, with what it had written. */
  async restart (): Promise<void> {
    this.#process = this.#spawn()
    await this.#ready()
  }

  /** Debian's `etcdctl`. */
  async ctl (...words: string[]): Promise<string> {
    return await command('env', 'ETCDCTL_API=3', 'etcdctl',
      `--endpoints=127.0.0.1:${String(this.port)}`, ...words)
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.kill()
    rmSync(this.#directory, { recursive: true })
  }

  #spawn (): Background {
    const tls = this.#tls
    const client = `http${tls === null ? '' : 's'}://${this.address}:${String(this.port)}`
    const peer = `http://${this.address}:${String(this.#peerPort)}`
    const where = this.#namespace === null ? [] : inside(this.#namespace, ['etcd'])
    const program = this.#namespace === null ? 'etcd' : 'ip'
    return new Background(program, [...where, '--name', 'one', '--data-dir', this.#directory,
      '--listen-client-urls', client, '--advertise-client-urls', client,
      '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer,
      '--initial-cluster', `one=${peer}`, '--max-txn-ops', '100000',
      ...(tls === null ? [] : ['--cert-file', tls.cert, '--key-file', tls.key,
        '--trusted-ca-file', tls.ca, '--client-cert-auth'])])
  }

  async #ready (): Promise<void> { await this.#process.printed('ready to serve client requests') }
}
