/**
 * Faults, by kind, each drawn again and again from the seed, each for a while; at the end all of
 * them are over.
 */
import type { SimulatedEtcd } from './etcd.ts'
import type { Links } from './links.ts'
import type { Machine } from './machine.ts'
import type { Chance, Timeline } from './timeline.ts'

export const FAULT_KINDS = [
  /** Datagrams are lost, and come twice. */
  'loss', 'repeat',
  /** Now and then a datagram, or what control says to a worker, takes a hundred times as long. */
  'delay',
  /** Machines are cut off from each other, from members of the store, and members from members. */
  'partition',
  /** A worker ends, a daemon with all its workers, a member of the store. */
  'worker', 'daemon', 'member',
  /** Answers of the store are lost after the deed; its past is compacted. */
  'answer', 'compact'
] as const

export type FaultKind = (typeof FAULT_KINDS)[number]

const LOSS = 0.1
const REPEAT = 0.1
const DELAY = 0.03
const DELAY_FACTOR = 100
const LOST_ANSWERS = 0.1
/** A fault of a kind begins about so often, and lasts about so long. */
const EVERY_MS = 4_000
const LASTS_MS = 2_500
const COMPACT_KEEPS = 5

export interface FaultsOptions {
  readonly kinds: readonly FaultKind[]
  readonly timeline: Timeline
  readonly chance: Chance
  readonly links: Links
  readonly etcd: SimulatedEtcd
  readonly machines: readonly Machine[]
  readonly trace: (text: string) => void
}

export class Faults {
  readonly counts: Record<string, number> = {}
  readonly #options: FaultsOptions
  #isOn = false

  constructor (options: FaultsOptions) { this.#options = options }

  begin (): void {
    this.#isOn = true
    const { kinds, etcd } = this.#options
    if (kinds.includes('answer')) etcd.lostAnswers = LOST_ANSWERS
    for (const kind of kinds) {
      if (!['loss', 'repeat', 'delay', 'answer'].includes(kind)) this.#later(kind)
    }
  }

  /** Everything is mended, and everybody is there again. */
  end (): void {
    this.#isOn = false
    const { etcd, links, machines } = this.#options
    if (etcd.lost > 0) this.counts['answer'] = etcd.lost
    etcd.lostAnswers = 0
    links.mendAll()
    for (const member of etcd.members) member.isUp = true
    etcd.recover()
    for (const machine of machines) if (machine.daemon === null) this.#start(machine)
  }

  /** How often a datagram arrives. */
  copies (chance: Chance): number {
    if (this.#has('loss') && chance.happens(LOSS)) {
      this.#count('loss')
      return 0
    }
    if (!this.#has('repeat') || !chance.happens(REPEAT)) return 1
    this.#count('repeat')
    return 2
  }

  /** Factor by which something takes longer. */
  slowness (chance: Chance): number {
    if (!this.#has('delay') || !chance.happens(DELAY)) return 1
    this.#count('delay')
    return DELAY_FACTOR
  }

  #has (kind: FaultKind): boolean { return this.#isOn && this.#options.kinds.includes(kind) }

  #count (kind: FaultKind): void { this.counts[kind] = (this.counts[kind] ?? 0) + 1 }

  #later (kind: FaultKind): void {
    const { timeline, chance } = this.#options
    timeline.after(chance.delayMs(EVERY_MS), () => {
      if (!this.#isOn) return
      this.#later(kind)
      this.#count(kind)
      this.#strike(kind)
    })
  }

  #strike (kind: FaultKind): void {
    const { chance, machines, etcd, trace } = this.#options
    const machine = chance.of(machines)
    if (kind === 'worker') {
      const host = chance.of(machine?.hosts ?? [])
      trace(`the worker of ${host?.name ?? ''} ends`)
      host?.worker?.end()
    } else if (kind === 'daemon' && machine !== undefined && machine.daemon !== null) {
      trace(`${machine.name} dies`)
      machine.crash()
      this.#forAWhile(() => { this.#start(machine) })
    } else if (kind === 'member') {
      const member = chance.of(etcd.members)
      if (member === undefined) return
      trace(`${member.name} stops`)
      etcd.stop(member)
      this.#forAWhile(() => { etcd.start(member) })
    } else if (kind === 'compact') etcd.compact(etcd.revision - COMPACT_KEEPS)
    else if (kind === 'partition') this.#cut()
  }

  #start (machine: Machine): void {
    if (machine.isStarting) return
    machine.start().then(
      () => { this.#options.trace(`${machine.name} is back`) },
      (error: unknown) => { this.#options.trace(String(error)) })
  }

  /** One of the store's members, or one machine, is cut off from some of the others. */
  #cut (): void {
    const { chance, machines, etcd, links, trace } = this.#options
    const members = etcd.members.map(({ name }) => name)
    const names = machines.map(({ name }) => name)
    const kind = chance.below(3)
    const one = (kind === 0 ? chance.of(members) : chance.of(names)) ?? ''
    const others = kind === 0 ? [...members, ...names] : kind === 1 ? members : names
    const port = kind === 2 ? 'machine ' : ''
    const cut = others.filter((name) => name !== one && chance.happens(0.7))
      .map((name) => port + name)
    trace(`${port}${one} is cut off from ${cut.join(', ')}`)
    for (const name of cut) links.cut(port + one, name)
    etcd.recover()
    this.#forAWhile(() => {
      for (const name of cut) links.mend(port + one, name)
      etcd.recover()
    })
  }

  #forAWhile (mend: () => void): void {
    const { timeline, chance } = this.#options
    timeline.after(chance.delayMs(LASTS_MS), () => { if (this.#isOn) mend() })
  }
}
