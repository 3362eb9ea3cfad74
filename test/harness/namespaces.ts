/**
 * Bare network namespaces for tests that need real devices but no lab. Their names begin with
 * `nicp` and the number of the process, so that files may run at once and a crash leaves nothing
 * that a later run trips over.
 *
 *     await using net = await Namespaces.create('a', 'b')
 *     await net.join('a', '198.51.100.1/24', 'b', '198.51.100.2/24')
 */
import { command, inside, tryCommand, type CommandResult } from './command.ts'

/** Name of the veth end that `join` makes in each namespace. */
export const VETH_NAME = 'veth0'

export class Namespaces implements AsyncDisposable {
  readonly #names: readonly string[]
  readonly #prefix: string

  private constructor (prefix: string, names: readonly string[]) {
    this.#prefix = prefix
    this.#names = names
  }

  /** Makes a namespace, with its loopback up, for each of the short names. */
  static async create (...names: readonly string[]): Promise<Namespaces> {
    const random = Math.trunc(performance.now() * 1000).toString(36)
    const namespaces = new Namespaces(`nicp${String(process.pid)}-${random}-`, names)
    try {
      for (const name of names) {
        await command('ip', 'netns', 'add', namespaces.name(name))
        await namespaces.ip(name, 'link', 'set', 'lo', 'up')
      }
    } catch (error) {
      await namespaces[Symbol.asyncDispose]()
      throw error
    }
    return namespaces
  }

  /** Full name of a namespace, as `ip netns` knows it. */
  name (short: string): string { return this.#prefix + short }
  /** As setns and Nic.openTun take it. */
  path (short: string): string { return `/run/netns/${this.name(short)}` }

  /** Runs `ip` on a namespace; it must succeed. @returns its output */
  ip (short: string, ...args: readonly string[]): Promise<string> {
    return command('ip', '-n', this.name(short), ...args)
  }

  /** Runs a program inside to its end, however it ends. */
  run (short: string, ...args: readonly string[]): Promise<CommandResult> {
    return tryCommand('ip', inside(this.name(short), args))
  }

  /** Lays a veth pair between two namespaces, with addresses (IPv4 or IPv6, with prefix
   * length). */
  async join (
    left: string, leftAddresses: readonly string[], right: string,
    rightAddresses: readonly string[], mtu = 1500
  ): Promise<void> {
    await command('ip', 'link', 'add', VETH_NAME, 'netns', this.name(left), 'type', 'veth',
      'peer', 'name', VETH_NAME, 'netns', this.name(right))
    for (const [name, addresses] of [[left, leftAddresses], [right, rightAddresses]] as const) {
      for (const address of addresses) {
        await this.ip(name, 'address', 'add', address, 'dev', VETH_NAME,
          ...(address.includes(':') ? ['nodad'] : []))
      }
      await this.ip(name, 'link', 'set', VETH_NAME, 'mtu', String(mtu), 'up')
    }
  }

  /**
   * Runs a Python program of test/platform/programs that shows a fact of the kernel.
   * @returns what it printed, one JSON value
   */
  async fact (program: string, ...args: readonly string[]): Promise<unknown> {
    const path = new URL(`../platform/programs/${program}`, import.meta.url).pathname
    return JSON.parse(await command('python3', path, ...args)) as unknown
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    for (const name of this.#names) await tryCommand('ip', ['netns', 'delete', this.name(name)])
  }
}
