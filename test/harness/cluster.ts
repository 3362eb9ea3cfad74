/**
 * Machines for a lab of several: namespaces on one network, and an etcd beside them.
 *
 *     <name>-net   bridge 10.99.0.254/24, etcd
 *     <name>-m1    eth0 10.99.0.1/24        vpcd --machine m1=10.99.0.1
 *     <name>-m2    eth0 10.99.0.2/24        vpcd --machine m2=10.99.0.2
 *
 * What crosses between them is encrypted, with certificates of one authority.
 *
 * All machines share one file system: each daemon has a lab name of its own, and all one prefix in
 * the etcd.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { certify, makeAuthority } from './certificates.ts'
import type { Certified } from './certificates.ts'
import { command } from './command.ts'
import { Etcd } from './etcd.ts'
import { Lab } from './lab.ts'
import type { LabOptions } from './lab.ts'

const MTU = '9216'
/** Either endpoint takes the same keys. */
process.env['VPCLAB_ACCESS_KEYS'] = 'AKIACLUSTER000000000:cluster-secret:000000000000'

export class Cluster {
  readonly etcd: Etcd
  readonly #name: string
  readonly #labs: Lab[] = []
  readonly #namespaces: string[]
  readonly #directory: string
  readonly #authority: Certified

  private constructor (name: string, etcd: Etcd, namespaces: string[], directory: string,
    authority: Certified) {
    this.#name = name
    this.#directory = directory
    this.#authority = authority
    this.etcd = etcd
    this.#namespaces = namespaces
  }

  static async start (): Promise<Cluster> {
    const name = `c${randomBytes(3).toString('hex')}`
    const net = `${name}-net`
    await command('ip', 'netns', 'add', net)
    for (const line of ['link add br0 type bridge', `link set br0 mtu ${MTU}`,
      'addr add 10.99.0.254/24 dev br0', 'link set br0 up', 'link set lo up']) {
      await command('ip', '-n', net, ...line.split(' '))
    }
    const directory = mkdtempSync(join(tmpdir(), 'vpclab-cluster-'))
    return new Cluster(name, await Etcd.start({ namespace: net, address: '10.99.0.254' }), [net],
      directory, await makeAuthority(directory, 'hosts'))
  }

  machineNamespace (number: number): string { return `${this.#name}-m${String(number)}` }

  /** A machine, with a daemon on it. @param names of its hosts and edges */
  async machine (
    number: number, names: readonly string[], options: LabOptions): Promise<Lab> {
    const namespace = this.machineNamespace(number)
    const net = `${this.#name}-net`
    const address = addressOf(number)
    await command('ip', 'netns', 'add', namespace)
    this.#namespaces.push(namespace)
    await command('ip', '-n', net, 'link', 'add', `m${String(number)}`, 'mtu', MTU, 'type', 'veth',
      'peer', 'name', 'eth0', 'mtu', MTU, 'netns', namespace)
    await command('ip', '-n', net, 'link', 'set', `m${String(number)}`, 'master', 'br0', 'up')
    for (const line of [`addr add ${address}/24 dev eth0`, 'link set eth0 up', 'link set lo up']) {
      await command('ip', '-n', namespace, ...line.split(' '))
    }
    const { certificatePath, keyPath } = await certify(this.#directory, this.#authority,
      `m${String(number)}`, names.map((name) => `DNS:${name}`).join(','))
    const lab = await Lab.start({
      ...options, namespace,
      flags: ['--store', `etcd://10.99.0.254:${String(this.etcd.port)}/shop`,
        '--machine', `m${String(number)}=${address}`,
        '--agent-ca', this.#authority.certificatePath, '--agent-cert', certificatePath,
        '--agent-key', keyPath, ...options.flags ?? []]
    })
    this.#labs.push(lab)
    return lab
  }

  /** The machine hears nothing of the etcd from here on; what crosses between machines goes on. */
  async silenceStore (number: number): Promise<void> {
    await command('ip', '-n', `${this.#name}-net`, 'route', 'add', 'blackhole', hostRoute(number))
  }

  async endSilence (number: number): Promise<void> {
    await command('ip', '-n', `${this.#name}-net`, 'route', 'del', 'blackhole', hostRoute(number))
  }

  /** @returns what is left of the labs, which must be nothing */
  async down (): Promise<string[]> {
    const left: string[] = []
    for (const lab of this.#labs) left.push(...await lab.down())
    await this.etcd[Symbol.asyncDispose]()
    rmSync(this.#directory, { recursive: true })
    for (const namespace of this.#namespaces) await command('ip', 'netns', 'del', namespace)
    return left
  }
}

function addressOf (number: number): string { return `10.99.0.${String(number)}` }

function hostRoute (number: number): string { return `${addressOf(number)}/32` }
