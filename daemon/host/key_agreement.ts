/**
 * How two hosts agree on keys of the encrypted underlay: they make a connection of TLS 1.3 (RFC
 * 8446) with a certificate at either end, and take the keys from its exporter (section 7.5), one
 * for each direction. Nothing that is kept tells a key afterwards. A new handshake makes new keys.
 *
 *     caller                                        called
 *       connects ───────────── TLS ─────────────────▶ who is it? certificate and address
 *       can receive with the next key
 *       { id } ─────────────────────────────────────▶ can receive with the next key, sends with it
 *       sends with the next key ◀──────────────── { id }
 *
 * So either end can receive with a key before the other sends with it; the keys of before are
 * received with for a while, and nothing is lost. Key ids are the receiver's.
 *
 * A host is known by its name: the certificate's SAN has it, and the connection comes from, or
 * goes to, the address that the host's record has. Of two hosts, the one whose name comes first
 * calls; the other one only when it has waited for that, as after a start of its own. Where both
 * call, the first one's call goes on and it refuses the other: handshakes of two hosts follow each
 * other, so that both come to the same keys in the same order.
 */
import { randomInt } from 'node:crypto'
import { Socket } from 'node:net'
import * as tls from 'node:tls'
import { openSocket } from '../tun/sockets.ts'
import { EPOCHS, PEER_BITS, WIRE_KEY_BYTES } from '../tun/wire_key.ts'
import type { WireKeyMessage } from '../tun/wire_key.ts'
import { Limiter } from './limiter.ts'

/** TCP port of the agents on the underlay: that of Geneve, which is UDP. */
export const AGENT_PORT = 6081
const PROTOCOL = 'vpclab-underlay-1'
const EXPORTER_LABEL = 'EXPORTER-vpclab-underlay'
/** How old keys become. */
export const KEY_AGE_MS_MAX = 3_600_000
/** How much longer the host that is called waits: this part of an age. */
const PATIENCE = 0.1
/** How much earlier a handshake may come, so that not all come at once. */
const KEY_AGE_SPREAD_MS = 180_000
/** How long keys of before are received with. */
export const FORMER_KEY_MS = 30_000
/** How long the host that is called waits for the first call. */
const FIRST_CALL_MS = 250
const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 2000
const HANDSHAKE_MS_MAX = 5000
/** Handshakes that this thread has begun and not ended, at most. */
const CALLS_MAX = 16
/** Callers of a host at once. */
const CALLERS_MAX = 256
const LINE_BYTES_MAX = 64
/** Calls in vain after which somebody is told. */
const FAILURES_TOLD = 20

export interface Identity {
  /** PEM. */
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** A host whose data plane runs here. */
export interface LocalHost {
  readonly name: string
  readonly address: string
  readonly namespacePath: string
  readonly identity: Identity
  readonly peers: readonly Peer[]
}

export interface Peer {
  readonly name: string
  readonly address: string
  /** Its number in the data plane of the local host. */
  readonly index: number
}

export interface AgreementEvents {
  /** Resolves when the data plane of the host has done so. */
  readonly setKey: (host: string, message: WireKeyMessage) => Promise<void>
  readonly endKey: (host: string, id: number) => void
  /** The host sends to the peer with a new key. */
  readonly onAgreed: (host: string, peer: string) => void
  /** The peer cannot be agreed with; null: no peer can. */
  readonly onTrouble: (host: string, peer: string | null, error: string) => void
}

/** What one host knows of another. */
interface Side {
  peer: Peer
  /** Of the next key to receive with. */
  epoch: number
  /** Keys that are received with, but for those whose end is near. */
  readonly receives: number[]
  failures: number
  isCalling: boolean
  isAnswering: boolean
  timer: NodeJS.Timeout | undefined
  readonly formerTimers: Set<NodeJS.Timeout>
}

interface Local {
  host: LocalHost
  readonly server: tls.Server
  readonly sides: Map<string, Side>
}

export class KeyAgreement {
  readonly #events: AgreementEvents
  readonly #locals = new Map<string, Local>()
  readonly #calls = new Limiter(CALLS_MAX)
  readonly #beginTimers = new Map<string, NodeJS.Timeout>()

  constructor (events: AgreementEvents) { this.#events = events }

  /** A data plane begins, and has no keys: with each peer there are to be new ones, soon. */
  begin (host: LocalHost): void {
    this.end(host.name)
    try {
      const local: Local = { host, server: this.#listen(host), sides: new Map() }
      this.#locals.set(host.name, local)
      this.#takePeers(local)
    } catch (error) {
      this.#events.onTrouble(host.name, null, (error as Error).message)
      this.#beginTimers.set(host.name, setTimeout(() => { this.begin(host) }, RETRY_MS_MAX))
    }
  }

  /** The peers of a host are these now. */
  setPeers (name: string, peers: readonly Peer[]): void {
    const local = this.#locals.get(name)
    if (local === undefined) return
    local.host = { ...local.host, peers }
    this.#takePeers(local)
  }

  /** Harmless for a host that has not begun. */
  end (name: string): void {
    clearTimeout(this.#beginTimers.get(name))
    const local = this.#locals.get(name)
    if (local === undefined) return
    this.#locals.delete(name)
    local.server.close()
    for (const side of local.sides.values()) dispose(side)
  }

  /** New keys, now. @param peer null: with every peer */
  rotate (name: string, peer: string | null): void {
    const local = this.#locals.get(name)
    for (const side of local?.sides.values() ?? []) {
      if (local === undefined || (peer !== null && side.peer.name !== peer)) continue
      // Where both are here, one call serves both.
      if (peer === null && this.#locals.has(side.peer.name) && side.peer.name < name) continue
      this.#schedule(local, side, 0)
    }
  }

  stop (): void { for (const name of [...this.#locals.keys()]) this.end(name) }

  #takePeers (local: Local): void {
    const wanted = new Map(local.host.peers.map((peer) => [peer.name, peer]))
    for (const [name, side] of local.sides) {
      const peer = wanted.get(name)
      if (peer?.address === side.peer.address && peer.index === side.peer.index) continue
      dispose(side)
      local.sides.delete(name)
    }
    for (const [name, peer] of wanted) {
      if (local.sides.has(name)) continue
      const side: Side = {
        peer, epoch: randomInt(EPOCHS), receives: [], failures: 0, isCalling: false,
        isAnswering: false, timer: undefined, formerTimers: new Set()
      }
      local.sides.set(name, side)
      this.#schedule(local, side, calls(local, side) ? 0 : FIRST_CALL_MS)
    }
  }

  #schedule (local: Local, side: Side, delayMs: number): void {
    clearTimeout(side.timer)
    side.timer = setTimeout(() => { void this.#call(local, side) }, delayMs)
  }

  // ------------------------------------------------------------------------------------- calling

  async #call (local: Local, side: Side): Promise<void> {
    if (side.isCalling) return
    side.isCalling = true
    try {
      await this.#calls.run(async () => { await this.#agree(local, side) })
      this.#agreed(local, side)
    } catch (error) {
      if (!isKnown(local, side)) return
      side.failures++
      if (side.failures === FAILURES_TOLD) {
        this.#events.onTrouble(local.host.name, side.peer.name, (error as Error).message)
      }
      const delayMs = RETRY_MS_MIN * 2 ** Math.min(side.failures - 1, 16)
      this.#schedule(local, side, Math.min(delayMs, RETRY_MS_MAX))
    } finally {
      side.isCalling = false
    }
  }

  async #agree (local: Local, side: Side): Promise<void> {
    const { host } = local
    const secure = await connect(host, side.peer)
    try {
      const keys = keysOf(secure)
      const own = await this.#receiveWith(local, side, keys.fromCalled)
      await say(secure, own)
      const theirs = await hear(secure)
      await this.#sendWith(local, side, theirs, keys.fromCaller)
    } finally {
      secure.destroy()
    }
  }

  // ------------------------------------------------------------------------------------- called

  #listen (host: LocalHost): tls.Server {
    const server = tls.createServer({
      ...host.identity, minVersion: 'TLSv1.3', requestCert: true, rejectUnauthorized: true,
      ALPNProtocols: [PROTOCOL], handshakeTimeout: HANDSHAKE_MS_MAX
    }, (secure) => {
      // Whoever it is that breaks off will call again.
      secure.on('error', () => { secure.destroy() })
      secure.setTimeout(HANDSHAKE_MS_MAX, () => { secure.destroy() })
      void this.#answer(host.name, secure).catch(() => { secure.destroy() })
    })
    server.maxConnections = CALLERS_MAX
    server.on('error', (error: Error) => { this.#events.onTrouble(host.name, null, error.message) })
    server.on('tlsClientError', () => { /* no host: it is refused */ })
    server.listen({
      fd: openSocket(host.namespacePath, 'stream', host.address, AGENT_PORT), exclusive: true
    })
    return server
  }

  async #answer (name: string, secure: tls.TLSSocket): Promise<void> {
    const local = this.#locals.get(name)
    const side = local === undefined ? undefined : callerOf(local, secure)
    const isBusy = local === undefined || side === undefined || side.isAnswering ||
      (side.isCalling && calls(local, side))
    if (isBusy || secure.alpnProtocol !== PROTOCOL) {
      secure.destroy()
      return
    }
    side.isAnswering = true
    try {
      const keys = keysOf(secure)
      const theirs = await hear(secure)
      const own = await this.#receiveWith(local, side, keys.fromCaller)
      await this.#sendWith(local, side, theirs, keys.fromCalled)
      await say(secure, own)
      secure.end()
      this.#agreed(local, side)
    } finally {
      side.isAnswering = false
    }
  }

  // ------------------------------------------------------------------------------------- both

  /** @returns id of the key */
  async #receiveWith (local: Local, side: Side, key: Uint8Array): Promise<number> {
    side.epoch = side.epoch % (EPOCHS - 1) + 1 // 1 … EPOCHS - 1
    const id = ((side.epoch << PEER_BITS) | side.peer.index) >>> 0
    side.receives.push(id)
    await this.#events.setKey(local.host.name,
      { kind: 'wire-key', id, peer: side.peer.index, direction: 'receive', key })
    return id
  }

  async #sendWith (local: Local, side: Side, id: number, key: Uint8Array): Promise<void> {
    await this.#events.setKey(local.host.name,
      { kind: 'wire-key', id, peer: side.peer.index, direction: 'transmit', key })
  }

  #agreed (local: Local, side: Side): void {
    if (!isKnown(local, side)) return
    side.failures = 0
    const former = side.receives.splice(0, side.receives.length - 1)
    const timer = setTimeout(() => {
      side.formerTimers.delete(timer)
      for (const id of former) this.#events.endKey(local.host.name, id)
    }, FORMER_KEY_MS)
    side.formerTimers.add(timer)
    const age = KEY_AGE_MS_MAX - randomInt(KEY_AGE_SPREAD_MS)
    this.#schedule(local, side, calls(local, side) ? age : age * (1 + PATIENCE))
    this.#events.onAgreed(local.host.name, side.peer.name)
  }
}

function dispose (side: Side): void {
  clearTimeout(side.timer)
  for (const timer of side.formerTimers) clearTimeout(timer)
}

function isKnown (local: Local, side: Side): boolean {
  return local.server.listening && local.sides.get(side.peer.name) === side
}

/** Whether the host is the one that calls. */
function calls ({ host }: Local, { peer }: Side): boolean { return host.name < peer.name }

/** Opens a connection of which both ends are who they should be. */
async function connect (host: LocalHost, peer: Peer): Promise<tls.TLSSocket> {
  const fd = openSocket(host.namespacePath, 'stream', host.address, 0)
  // A socket that is connected later must not be read from before (lib/net.js of Node).
  const socket = new Socket({ fd, manualStart: true } as { fd: number })
  return await new Promise((resolve, reject) => {
    const refuse = (error: Error): void => {
      socket.destroy()
      reject(error)
    }
    socket.setTimeout(HANDSHAKE_MS_MAX, () => { refuse(new Error('no answer in time')) })
    socket.once('error', refuse)
    socket.connect({ host: peer.address, port: AGENT_PORT }, () => {
      const secure = tls.connect({
        socket, ...host.identity, servername: peer.name, minVersion: 'TLSv1.3',
        ALPNProtocols: [PROTOCOL]
      }, () => { resolve(secure) })
      secure.on('error', refuse)
      secure.once('close', () => { refuse(new Error('the connection was broken off')) })
    })
  })
}

/** The peer whose address and certificate the caller has. */
function callerOf (local: Local, secure: tls.TLSSocket): Side | undefined {
  const address = canonical(secure.remoteAddress ?? '')
  const side = [...local.sides.values()].find(({ peer }) => canonical(peer.address) === address)
  const certificate = secure.getPeerX509Certificate()
  return side !== undefined && certificate?.checkHost(side.peer.name, { subject: 'never' }) !==
    undefined ? side : undefined
}

/** An address in the one form that a URL gives it. */
function canonical (address: string): string {
  return address.includes(':') ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address
}

interface Keys { readonly fromCaller: Uint8Array, readonly fromCalled: Uint8Array }

function keysOf (secure: tls.TLSSocket): Keys {
  const bytes = secure.exportKeyingMaterial(2 * WIRE_KEY_BYTES, EXPORTER_LABEL, Buffer.alloc(0))
  return {
    fromCaller: Uint8Array.from(bytes.subarray(0, WIRE_KEY_BYTES)),
    fromCalled: Uint8Array.from(bytes.subarray(WIRE_KEY_BYTES))
  }
}

async function say (secure: tls.TLSSocket, id: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    secure.write(`${JSON.stringify({ id })}\n`, (error) => {
      if (error instanceof Error) reject(error)
      else resolve()
    })
  })
}

/** The key id that the other end receives with. */
async function hear (secure: tls.TLSSocket): Promise<number> {
  let text = ''
  return await new Promise((resolve, reject) => {
    const end = (): void => { reject(new Error('the connection was broken off')) }
    secure.once('close', end)
    secure.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1')
      const id = /^\{"id":(\d{1,10})\}\n$/.exec(text)?.[1]
      if (id !== undefined && Number(id) > 0 && Number(id) < 2 ** 32) {
        secure.off('close', end)
        resolve(Number(id))
      } else if (text.length > LINE_BYTES_MAX || text.includes('\n')) {
        reject(new Error('the other end does not speak this protocol'))
      }
    })
  })
}
