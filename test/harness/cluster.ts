/**
 * Machines for a lab of several: namespaces on one network, and the members of an etcd beside them.
 *
 *     <name>-net   bridge
 *     <name>-e1    eth0 10.99.0.101/24      etcd, a member
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
import { command, inside } from './command.ts'
import { CLIENT_PORT, Etcd } from './etcd.ts'
import type { EtcdPlace } from './etcd.ts'
import { Lab } from './lab.ts'
import type { LabOptions } from './lab.ts'

const MTU = '9216'
/** Either endpoint takes the same keys. */
process.env['VPCLAB_ACCESS_KEYS'] = 'AKIACLUSTER000000000:cluster-secret:000000000000'

export class Cluster {
  etcds: readonly Etcd[] = []
  readonly #name = `c${randomBytes(3).toString('hex')}`
  readonly #labs: Lab[] = []
  readonly #namespaces: string[] = []
  readonly #directory: string
  readonly #authority: Certified

  private constructor (directory: string, authority: Certified) {
    this.#directory = directory
    this.#authority = authority
  }

  /** @param members of the etcd */
  static async start (members = 1): Promise<Cluster> {
    const directory = mkdtempSync(join(tmpdir(), 'vpclab-cluster-'))
    const cluster = new Cluster(directory, await makeAuthority(directory, 'hosts'))
    await cluster.#makeNetwork()
    const places: EtcdPlace[] = []
    for (let number = 1; number <= members; number++) {
      const place = { name: `e${String(number)}`, address: `10.99.0.${String(100 + number)}` }
      places.push({ namespace: await cluster.#attach(place.name, place.address), ...place })
    }
    cluster.etcds = await Etcd.startAt(places)
    return cluster
  }

  machineNamespace (number: number): string { return this.#namespace(`m${String(number)}`) }

  /** A machine, with a daemon on it. @param names of its hosts and edges */
  async machine (
    number: number, names: readonly string[], options: LabOptions): Promise<Lab> {
    const name = `m${String(number)}`
    const address = addressOf(number)
    const namespace = await this.#attach(name, address)
    const { certificatePath, keyPath } = await certify(this.#directory, this.#authority,
      name, names.map((host) => `DNS:${host}`).join(','))
    const lab = await Lab.start({
      ...options, namespace,
      flags: ['--store', `etcd://${this.etcds.map((etcd) => etcd.address).join()}/shop`,
        '--machine', `${name}=${address}`,
        '--agent-ca', this.#authority.certificatePath, '--agent-cert', certificatePath,
        '--agent-key', keyPath, ...options.flags ?? []]
    })
    this.#labs.push(lab)
    return lab
  }

  /** The member that a machine's daemon has heard last; undefined: it is connected to none. */
  async askedBy (number: number): Promise<Etcd | undefined> {
    const sockets = await command('ip', ...inside(this.machineNamespace(number),
      ['ss', '-tinHO', 'state', 'established', `dport = :${String(CLIENT_PORT)}`]))
    const silentMs = (line: string): number => Number(/lastrcv:(\d+)/.exec(line)?.[1] ?? 0)
    const [heard = ''] = sockets.split('\n').filter((line) => line !== '')
      .toSorted((one, other) => silentMs(one) - silentMs(other))
    return this.etcds.find(({ address }) => heard.includes(` ${address}:`))
  }

  /** Cuts a member off from the others. Machines reach it as before. */
  async cutOff (cut: Etcd): Promise<void> {
    const ports = this.etcds.map((_etcd, index) => `"e${String(index + 1)}"`)
    const port = ports[this.etcds.indexOf(cut)] ?? ''
    const others = ports.filter((other) => other !== port).join()
    await command('ip', ...inside(this.#namespace('net'), ['nft', `table bridge cut {
      chain forward {
        type filter hook forward priority 0
        iifname ${port} oifname { ${others} } drop
        iifname { ${others} } oifname ${port} drop
      }
    }`]))
  }

  async heal (): Promise<void> {
    await command('ip', ...inside(this.#namespace('net'),
      ['nft', 'delete', 'table', 'bridge', 'cut']))
  }

  /** The machine hears nothing of the etcd from here on; what crosses between machines goes on. */
  async silenceStore (number: number): Promise<void> {
    await this.#routeOfMembers('add', number)
  }

  async endSilence (number: number): Promise<void> {
    await this.#routeOfMembers('del', number)
  }

  /** @returns what is left of the labs, which must be nothing */
  async down (): Promise<string[]> {
    const left: string[] = []
    for (const lab of this.#labs) left.push(...await lab.down())
    for (const etcd of this.etcds) await etcd[Symbol.asyncDispose]()
    rmSync(this.#directory, { recursive: true })
    for (const namespace of this.#namespaces) await command('ip', 'netns', 'del', namespace)
    return left
  }

  #namespace (short: string): string { return `${this.#name}-${short}` }

  async #makeNetwork (): Promise<void> {
    await this.#makeNamespace('net')
    for (const line of [`link add br0 mtu ${MTU} type bridge`, 'link set br0 up']) {
      await this.#ip('net', line)
    }
  }

  async #makeNamespace (short: string): Promise<void> {
    await command('ip', 'netns', 'add', this.#namespace(short))
    this.#namespaces.push(this.#namespace(short))
    await this.#ip(short, 'link set lo up')
  }

  /** A namespace with an address on the network. @returns its name */
  async #attach (short: string, address: string): Promise<string> {
    const namespace = this.#namespace(short)
    await this.#makeNamespace(short)
    await this.#ip('net',
      `link add ${short} mtu ${MTU} type veth peer name eth0 mtu ${MTU} netns ${namespace}`)
    await this.#ip('net', `link set ${short} master br0 up`)
    await this.#ip(short, `addr add ${address}/24 dev eth0`)
    await this.#ip(short, 'link set eth0 up')
    return namespace
  }

  async #routeOfMembers (action: 'add' | 'del', number: number): Promise<void> {
    for (const [index] of this.etcds.entries()) {
      await this.#ip(`e${String(index + 1)}`, `route ${action} blackhole ${addressOf(number)}/32`)
    }
  }

  async #ip (short: string, line: string): Promise<void> {
    await command('ip', '-n', this.#namespace(short), ...line.split(' '))
  }
}

function addressOf (number: number): string { return `10.99.0.${String(number)}` }
