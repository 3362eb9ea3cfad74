/**
 * Hears of every change inside the namespaces of a lab, so that what somebody removes by hand is
 * put back at once and not at the next sweep.
 *
 *     /run/netns           fs.watch                      a namespace appears or goes
 *     links, addresses,    ip monitor all-nsid           one process for the whole lab
 *     routes, rules
 *
 * `ip monitor all-nsid` reports on all namespaces that have a number (nsid) in the namespace where
 * it runs. It runs in the underlay's, and `watch` numbers each namespace there; the machine's own
 * table of numbers is not touched. The process dies with the daemon (PR_SET_PDEATHSIG), also after
 * kill -9. Only names come out of here: what changed is for the plans to find out.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Log } from '../observe/log.ts'
import { runIp } from './command.ts'
import { NAMESPACE_DIRECTORY, underlayNamespace } from './paths.ts'

/** What is listened to. */
const KINDS = ['link', 'address', 'route', 'rule']
/** Numbers tried for one namespace before giving up. */
const NUMBER_ATTEMPTS_MAX = 5
/** How long to wait before a monitor that ended is started again. */
const RESTART_DELAY_MS = 1000

export interface NamespaceMonitorOptions {
  readonly lab: string
  readonly log: Log
  /** Something inside this namespace changed, or it came or went. */
  readonly onChange: (namespace: string) => void
  /** For a moment nobody listened: anything may have changed. */
  readonly onGap: () => void
}

export class NamespaceMonitor {
  readonly #lab: string
  readonly #log: Log
  readonly #onChange: (namespace: string) => void
  readonly #onGap: () => void
  readonly #nameOf = new Map<number, string>()
  readonly #numberOf = new Map<string, number>()
  /** Numbers in use, those of namespaces without a name of ours included. */
  readonly #used = new Set<number>()
  #child: ChildProcess | null = null
  #watcher: FSWatcher | null = null
  #restart: NodeJS.Timeout | undefined
  #nextNumber = 0
  #stopped = false

  constructor (options: NamespaceMonitorOptions) {
    this.#lab = options.lab
    this.#log = options.log
    this.#onChange = options.onChange
    this.#onGap = options.onGap
  }

  /** Precondition: the underlay's namespace is there. */
  async start (): Promise<void> {
    await this.#readNumbers()
    this.#watcher ??= watch(NAMESPACE_DIRECTORY, (_event, name) => {
      if (name?.startsWith(`${this.#lab}-`) === true) this.#onChange(name)
    })
    this.#spawn()
  }

  /**
   * Begins again in an underlay namespace that was made anew. The namespaces have to be watched
   * again.
   */
  async restart (): Promise<void> {
    const child = this.#child
    this.#child = null
    child?.kill('SIGKILL')
    this.#nameOf.clear()
    this.#numberOf.clear()
    this.#used.clear()
    await this.#readNumbers()
    this.#spawn()
    this.#onGap()
  }

  /**
   * Includes a namespace. Harmless when it is included already.
   * @throws VpclabError VPCLAB_ERR_COMMAND
   */
  async watch (namespace: string): Promise<void> {
    let refusal: unknown
    for (let attempt = 0; attempt < NUMBER_ATTEMPTS_MAX; attempt++) {
      if (this.#numberOf.has(namespace)) return
      while (this.#used.has(this.#nextNumber)) this.#nextNumber++
      const number = this.#nextNumber++
      try {
        await runIp('-n', underlayNamespace(this.#lab), 'netns', 'set', namespace, String(number))
        this.#remember(number, namespace)
        return
      } catch (error) {
        // The kernel gives numbers, too: to a namespace that a veth leads to. And one that is on
        // its way out has a number, but no name.
        refusal = error
        await this.#readNumbers()
      }
    }
    throw refusal
  }

  /** After the namespace is gone, or before one of the same name is made anew. */
  forget (namespace: string): void {
    const number = this.#numberOf.get(namespace)
    if (number === undefined) return
    this.#numberOf.delete(namespace)
    this.#nameOf.delete(number)
    this.#used.delete(number)
  }

  stop (): void {
    this.#stopped = true
    clearTimeout(this.#restart)
    this.#watcher?.close()
    this.#child?.kill('SIGKILL')
  }

  /** Numbers that an earlier daemon gave. */
  async #readNumbers (): Promise<void> {
    // An attached namespace has two names, and list-id tells one of them only.
    const [numbers, names] = await Promise.all([
      this.#list<{ nsid: number }>('list-id'), this.#list<{ name: string, id?: number }>('list')])
    for (const { nsid } of numbers) this.#used.add(nsid)
    for (const { name, id } of names) {
      if (id !== undefined && name.startsWith(`${this.#lab}-`)) this.#remember(id, name)
    }
  }

  async #list<Entry> (verb: string): Promise<Entry[]> {
    const text = await runIp('-n', underlayNamespace(this.#lab), '-j', 'netns', verb)
    return text.trim() === '' ? [] : JSON.parse(text) as Entry[]
  }

  #remember (number: number, namespace: string): void {
    this.#used.add(number)
    this.#nameOf.set(number, namespace)
    this.#numberOf.set(namespace, number)
  }

  #spawn (): void {
    const monitor = ['ip', '-n', underlayNamespace(this.#lab), '-o', 'monitor', 'all-nsid']
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...monitor, ...KINDS], {
      stdio: ['ignore', 'pipe', 'ignore']
    })
    this.#child = child
    createInterface({ input: child.stdout }).on('line', (line) => { this.#hear(line) })
    child.on('error', (error) => {
      this.#log.error({ err: error }, 'cannot run the namespace monitor')
    })
    child.on('close', () => {
      if (this.#stopped || this.#child !== child) return
      this.#log.warn('the namespace monitor ended and is started again')
      this.#restart = setTimeout(() => {
        this.#spawn()
        this.#onGap()
      }, RESTART_DELAY_MS)
    })
  }

  /** `[nsid 7]2: eth0: <…>`; changes of the underlay's own namespace come without a number. */
  #hear (line: string): void {
    const number = /^\[nsid (\d+)\]/.exec(line)?.[1]
    const namespace = number === undefined
      ? underlayNamespace(this.#lab)
      : this.#nameOf.get(Number(number))
    if (namespace !== undefined) this.#onChange(namespace)
  }
}
