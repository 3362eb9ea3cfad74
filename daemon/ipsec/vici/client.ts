/**
 * A client of charon's VICI socket: two connections, so that an event is never behind a command
 * that takes its time.
 *
 *     commands   request ─▶ … ─▶ response         one under way, the others wait in their order
 *                with `stream`: register, request, events …, response, unregister
 *     events     register once per event, then they come as they happen
 *
 * When either connection ends, both do: what waits is rejected, and `onClose` says so once. charon
 * is then gone or about to be (charon.ts starts it again and makes a new client).
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { viciError } from './message.ts'
import type { ViciMessage } from './message.ts'
import {
  encodePacket, PACKET_EVENT, PACKET_EVENT_CONFIRM, PACKET_EVENT_REGISTER, PACKET_EVENT_UNKNOWN,
  PACKET_EVENT_UNREGISTER, PACKET_REQUEST, PACKET_RESPONSE, PACKET_UNKNOWN_COMMAND, PacketReader
} from './packet.ts'
import type { ViciPacket } from './packet.ts'

/** How long charon may take for an answer; `initiate` and `terminate` have a time of their own. */
export const ANSWER_MS_MAX = 10_000
/** Events of one streamed command: 4,096 tunnels, each an IKE_SA that is being replaced. */
const STREAM_EVENTS_MAX = 8192
/** Requests that wait for the one under way. */
const QUEUE_MAX = 4096

export interface ViciClientOptions {
  readonly path: string
  readonly onEvent: (name: string, message: ViciMessage) => void
  /** A connection has ended that was not closed by `close`. */
  readonly onClose: (error: Error) => void
}

export class ViciClient {
  readonly #commands: Connection
  readonly #events: Connection

  private constructor (commands: Connection, events: Connection) {
    this.#commands = commands
    this.#events = events
  }

  /** @throws VpclabError VPCLAB_ERR_CHARON when nothing listens there */
  static async connect (options: ViciClientOptions): Promise<ViciClient> {
    let isOpen = true
    const end = (error: Error): void => {
      if (!isOpen) return
      isOpen = false
      commands.close()
      events?.close()
      options.onClose(error)
    }
    let events: Connection | null = null
    const commands = await Connection.open(options.path, () => undefined, end)
    events = await Connection.open(options.path, options.onEvent, end).catch((error: unknown) => {
      isOpen = false
      commands.close()
      throw error
    })
    return new ViciClient(commands, events)
  }

  /**
   * Runs a command. Values are text; booleans are "yes" and "no".
   * @throws VpclabError VPCLAB_ERR_CHARON with charon's words when it answers `success = no`
   */
  async request (
    command: string, message: ViciMessage = {}, timeoutMs = ANSWER_MS_MAX): Promise<ViciMessage> {
    const answer = await this.#commands.ask(
      { type: PACKET_REQUEST, name: command, message }, timeoutMs)
    return checked(command, answer.message)
  }

  /**
   * Runs a command that answers with events.
   * @param event name of these events: `list-sa` of `list-sas`
   */
  async stream (
    command: string, event: string, message: ViciMessage = {}): Promise<readonly ViciMessage[]> {
    const { items, answer } = await this.#commands.askStream(event,
      { type: PACKET_REQUEST, name: command, message }, ANSWER_MS_MAX)
    checked(command, answer.message)
    return items
  }

  /** Has an event reported from now on. @throws VpclabError VPCLAB_ERR_CHARON for an unknown one */
  async subscribe (event: string): Promise<void> {
    await this.#events.ask(
      { type: PACKET_EVENT_REGISTER, name: event, message: {} }, ANSWER_MS_MAX)
  }

  close (): void {
    this.#commands.close()
    this.#events.close()
  }
}

function checked (command: string, answer: ViciMessage): ViciMessage {
  if (answer['success'] !== 'no') return answer
  const reason = answer['errmsg']
  throw viciError(
    `charon refused "${command}": ${typeof reason === 'string' ? reason : 'without a reason'}`)
}

interface Waiting {
  readonly packet: ViciPacket
  readonly timeoutMs: number
  readonly resolve: (packet: ViciPacket) => void
  readonly reject: (error: Error) => void
}

class Connection {
  readonly #socket: Socket
  readonly #reader = new PacketReader()
  readonly #queue: Waiting[] = []
  readonly #onEvent: (name: string, message: ViciMessage) => void
  readonly #onEnd: (error: Error) => void
  #current: Waiting | null = null
  #timer: NodeJS.Timeout | undefined
  #closed = false
  /** Commands that stream take the connection one after the other. */
  #streams: Promise<unknown> = Promise.resolve()
  #streamItems: ViciMessage[] | null = null

  private constructor (
    socket: Socket, onEvent: (name: string, message: ViciMessage) => void,
    onEnd: (error: Error) => void
  ) {
    this.#socket = socket
    this.#onEvent = onEvent
    this.#onEnd = onEnd
    socket.on('data', (chunk: Buffer) => { this.#hear(chunk) })
    socket.on('error', (error) => { this.#fail(error) })
    socket.on('close', () => { this.#fail(new Error('the connection ended')) })
  }

  static open (
    path: string, onEvent: (name: string, message: ViciMessage) => void,
    onEnd: (error: Error) => void
  ): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(path)
      const refuse = (cause: Error): void => {
        reject(viciError(`Cannot reach charon at "${path}": ${cause.message}`, { cause }))
      }
      socket.once('error', refuse)
      socket.once('connect', () => {
        socket.off('error', refuse)
        resolve(new Connection(socket, onEvent, onEnd))
      })
    })
  }

  ask (packet: ViciPacket, timeoutMs: number): Promise<ViciPacket> {
    return new Promise((resolve, reject) => {
      if (this.#closed) reject(viciError(`Cannot ask charon "${packet.name}": it is gone`))
      else if (this.#queue.length >= QUEUE_MAX) {
        reject(viciError(`Cannot ask charon "${packet.name}": ${String(QUEUE_MAX)} requests wait`))
      } else {
        this.#queue.push({ packet, timeoutMs, resolve, reject })
        this.#next()
      }
    })
  }

  askStream (
    event: string, packet: ViciPacket, timeoutMs: number
  ): Promise<{ items: ViciMessage[], answer: ViciPacket }> {
    const run = async (): Promise<{ items: ViciMessage[], answer: ViciPacket }> => {
      const items: ViciMessage[] = []
      await this.ask({ type: PACKET_EVENT_REGISTER, name: event, message: {} }, timeoutMs)
      this.#streamItems = items
      try {
        const answer = await this.ask(packet, timeoutMs)
        return { items, answer }
      } finally {
        this.#streamItems = null
        if (!this.#closed) {
          await this.ask({ type: PACKET_EVENT_UNREGISTER, name: event, message: {} }, timeoutMs)
        }
      }
    }
    const result = this.#streams.then(run)
    this.#streams = result.catch(() => undefined)
    return result
  }

  close (): void {
    this.#closed = true
    this.#rejectAll(viciError('The client was closed'))
    this.#socket.destroy()
  }

  #next (): void {
    if (this.#current !== null) return
    const waiting = this.#queue.shift()
    if (waiting === undefined) return
    this.#current = waiting
    this.#timer = setTimeout(() => {
      this.#fail(new Error(`no answer to "${waiting.packet.name}" within ` +
        `${String(waiting.timeoutMs)} ms`))
    }, waiting.timeoutMs)
    this.#socket.write(encodePacket(waiting.packet))
  }

  #hear (chunk: Buffer): void {
    try {
      for (const packet of this.#reader.push(chunk)) this.#take(packet)
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #take (packet: ViciPacket): void {
    if (packet.type === PACKET_EVENT) {
      const items = this.#streamItems
      if (items === null) this.#onEvent(packet.name, packet.message)
      else if (items.length < STREAM_EVENTS_MAX) items.push(packet.message)
      else throw viciError(`More than ${String(STREAM_EVENTS_MAX)} events for one command`)
      return
    }
    const current = this.#current
    if (current === null) throw viciError('charon answered what nobody asked')
    const unknown = packet.type === PACKET_UNKNOWN_COMMAND || packet.type === PACKET_EVENT_UNKNOWN
    const expected = current.packet.type === PACKET_REQUEST ? PACKET_RESPONSE : PACKET_EVENT_CONFIRM
    if (!unknown && packet.type !== expected) {
      throw viciError(`charon answered "${current.packet.name}" with type ${String(packet.type)}`)
    }
    this.#current = null
    clearTimeout(this.#timer)
    if (unknown) current.reject(viciError(`charon does not know "${current.packet.name}"`))
    else current.resolve(packet)
    this.#next()
  }

  #fail (cause: Error): void {
    if (this.#closed) return
    this.#closed = true
    const error = viciError(`The talk with charon ended: ${cause.message}`, { cause })
    this.#socket.destroy()
    this.#rejectAll(error)
    this.#onEnd(error)
  }

  #rejectAll (error: Error): void {
    clearTimeout(this.#timer)
    const waiting = this.#current === null ? this.#queue : [this.#current, ...this.#queue]
    this.#current = null
    for (const one of waiting.splice(0)) one.reject(error)
    this.#queue.length = 0
  }
}
