/** One etcd member of Debian's package on loopback, with its data in a folder of its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Background, command } from './command.ts'
import { freePort } from './lab.ts'

export class Etcd {
  readonly port: number
  readonly #peerPort: number
  readonly #directory: string
  #process: Background

  private constructor (directory: string, port: number, peerPort: number) {
    this.port = port
    this.#peerPort = peerPort
    this.#directory = directory
    this.#process = this.#spawn()
  }

  static async start (): Promise<Etcd> {
    const etcd = new Etcd(mkdtempSync(join(tmpdir(), 'vpclab-etcd-')), await freePort(),
      await freePort())
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
    const client = `http://127.0.0.1:${String(this.port)}`
    const peer = `http://127.0.0.1:${String(this.#peerPort)}`
    return new Background('etcd', ['--name', 'one', '--data-dir', this.#directory,
      '--listen-client-urls', client, '--advertise-client-urls', client,
      '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer,
      '--initial-cluster', `one=${peer}`, '--max-txn-ops', '100000'])
  }

  async #ready (): Promise<void> { await this.#process.printed('ready to serve client requests') }
}
