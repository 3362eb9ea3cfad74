/**
 * What is known of each tunnel, from charon's events: whether it is up, since when, and if it is
 * not, what charon's log said about the last attempt (explain.ts).
 *
 * A tunnel is up while one of its children is installed. While it is rekeyed there are two.
 */
import type { Clock } from '../base/clock.ts'
import { Attempts } from './attempts.ts'
import { explain } from './explain.ts'
import type { TunnelConfig } from './tunnel.ts'
import { isList } from './vici/message.ts'
import type { ViciMessage, ViciValue } from './vici/message.ts'

export interface TunnelStatus {
  readonly name: string
  /** That of the configuration that it is, or was, up with. */
  readonly generation: number
  readonly tunnel: number
  /** `connecting`: an IKE_SA is there, and no child. */
  readonly state: 'down' | 'connecting' | 'up'
  /** Wall clock of the last change of `state`, ms. */
  readonly sinceMs: number
  /** Where the peer is, as far as it is known: behind NAT not the configured address. */
  readonly peerAddress: string | null
  readonly peerId: string | null
  /** ESP travels in UDP. */
  readonly inUdp: boolean
  /** Why it is not up, in words for the person who has to mend it; null: nothing is known. */
  readonly explanation: string | null
}

/** charon's name of an IKE_SA whose peer it could not place yet. */
const UNNAMED = '(unnamed)'

interface Entry {
  status: TunnelStatus
  readonly config: TunnelConfig
  /** Unique ids of its IKE_SAs and children that are up. */
  readonly ikeSas: Set<string>
  readonly children: Set<string>
}

const text = (value: ViciValue | undefined): string | null =>
  typeof value === 'string' ? value : null
const section = (value: ViciValue | undefined): ViciMessage | null =>
  value === undefined || typeof value === 'string' || isList(value) ? null : value

export class TunnelMonitor {
  readonly #clock: Clock
  readonly #onChange: (status: TunnelStatus) => void
  readonly #onLine: (name: string, line: string) => void
  readonly #entries = new Map<string, Entry>()
  readonly #attempts = new Attempts()

  /** @param onLine a line of charon's log that is about a tunnel */
  constructor (clock: Clock, onChange: (status: TunnelStatus) => void,
    onLine: (name: string, line: string) => void) {
    this.#clock = clock
    this.#onChange = onChange
    this.#onLine = onLine
  }

  add (config: TunnelConfig): void {
    this.#entries.set(config.name, {
      status: {
        name: config.name,
        generation: config.generation,
        tunnel: config.tunnel,
        state: 'down',
        sinceMs: this.#clock.nowMs(),
        peerAddress: config.remoteAddress,
        peerId: null,
        inUdp: false,
        explanation: null
      },
      config,
      ikeSas: new Set(),
      children: new Set()
    })
  }

  remove (name: string): void { this.#entries.delete(name) }

  status (name: string): TunnelStatus | null { return this.#entries.get(name)?.status ?? null }

  /** charon is gone, and every tunnel with it. */
  allDown (): void {
    for (const entry of this.#entries.values()) {
      entry.ikeSas.clear()
      entry.children.clear()
      this.#change(entry, { explanation: 'The IKE daemon ended and is started again.' })
    }
  }

  /** Takes an event of charon (VICI). */
  hear (event: string, message: ViciMessage): void {
    if (event === 'log') {
      this.#hearLog(message)
      return
    }
    const isUp = message['up'] === 'yes'
    for (const [name, value] of Object.entries(message)) {
      const entry = this.#entries.get(name)
      const ikeSa = section(value)
      if (entry === undefined || ikeSa === null) continue
      if (event === 'ike-updown') this.#hearIke(entry, ikeSa, isUp)
      else if (event === 'child-updown') this.#hearChildren(entry, ikeSa, isUp)
      else if (event === 'ike-rekey' || event === 'child-rekey') {
        this.#hearRekey(entry, ikeSa, event)
      }
      this.#change(entry, peerOf(ikeSa))
    }
  }

  #hearIke (entry: Entry, ikeSa: ViciMessage, isUp: boolean): void {
    const id = text(ikeSa['uniqueid']) ?? ''
    if (isUp) entry.ikeSas.add(id)
    else entry.ikeSas.delete(id)
    // charon says nothing of children that end with their IKE_SA.
    if (!isUp && entry.ikeSas.size === 0) entry.children.clear()
  }

  #hearChildren (entry: Entry, ikeSa: ViciMessage, isUp: boolean): void {
    for (const child of Object.values(section(ikeSa['child-sas']) ?? {})) {
      const id = text(section(child)?.['uniqueid'])
      if (id === null) continue
      if (isUp) entry.children.add(id)
      else entry.children.delete(id)
    }
  }

  /** The old one ends without an event of its own. */
  #hearRekey (entry: Entry, message: ViciMessage, event: string): void {
    const replace = (set: Set<string>, pair: ViciMessage | null): void => {
      const [from, to] = ['old', 'new'].map((which) => text(section(pair?.[which])?.['uniqueid']))
      if (from !== null && from !== undefined) set.delete(from)
      if (to !== null && to !== undefined) set.add(to)
    }
    if (event === 'ike-rekey') {
      replace(entry.ikeSas, message)
      return
    }
    for (const child of Object.values(section(message['child-sas']) ?? {})) {
      replace(entry.children, section(child))
    }
  }

  #hearLog (message: ViciMessage): void {
    const line = text(message['msg'])
    const ikeSa = text(message['ikesa-uniqueid'])
    if (line === null || ikeSa === null) return
    const name = text(message['ikesa-name'])
    const heard = this.#attempts.hear(ikeSa, name === UNNAMED ? null : name, line)
    for (const entry of this.#entries.values()) {
      if (!heard.isFor(entry.config)) continue
      this.#onLine(entry.config.name, line)
      if (entry.children.size > 0) continue
      const explanation = explain(heard.lines, entry.config)
      if (explanation !== null) this.#change(entry, { explanation })
    }
  }

  #change (entry: Entry, change: Partial<TunnelStatus>): void {
    const before = entry.status
    const state = entry.children.size > 0 ? 'up' : entry.ikeSas.size > 0 ? 'connecting' : 'down'
    const after: TunnelStatus = {
      ...before,
      ...change,
      state,
      ...(state === 'up' ? { explanation: null } : {}),
      sinceMs: state === before.state ? before.sinceMs : this.#clock.nowMs()
    }
    const isSame = (Object.keys(after) as (keyof TunnelStatus)[])
      .every((key) => after[key] === before[key])
    if (isSame) return
    entry.status = after
    this.#onChange(after)
  }
}

function peerOf (ikeSa: ViciMessage): Partial<TunnelStatus> {
  const address = text(ikeSa['remote-host'])
  const id = text(ikeSa['remote-id'])
  const children = Object.values(section(ikeSa['child-sas']) ?? {}).map(section)
  const inUdp = children.some((child) => child?.['encap'] === 'yes')
  return {
    ...(address === null || address === '%any' ? {} : { peerAddress: address }),
    ...(id === null || id === '%any' ? {} : { peerId: id }),
    ...(children.length === 0 ? {} : { inUdp })
  }
}
