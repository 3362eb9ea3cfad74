/**
 * The socket behind the shim (../xfrm_shim): one charon, two connections, of which the first
 * message says what each is for. It carries keys, so it lies in a folder that is ours alone.
 *
 *     requests   hello (groups 0), then request and answer in turn
 *     events     hello (groups), then EXPIRE and MAPPING as they happen
 *
 * charon asks under one mutex and waits for each answer: this server must run where nothing else
 * takes long, and it answers within the call that brought the request. When the connection of the
 * requests ends, charon is gone, and so are its SAs.
 */
import { chmodSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { VpclabError } from '../../base/errors.ts'
import type { Log } from '../../observe/log.ts'
import { XfrmDatabase } from './database.ts'
import type { DatabaseOptions } from './database.ts'
import { NetlinkReader, NLMSG_NOOP } from './netlink.ts'
import type { NetlinkMessage } from './netlink.ts'

/** charon has two; one of a charon that is just dying may still be there. */
const CONNECTIONS_MAX = 8
const TICK_MS = 1000
/** Events that charon does not take, bytes; beyond it the connection is ended, and made anew. */
const EVENTS_WAITING_BYTES_MAX = 1 << 20

export interface XfrmServerOptions extends Omit<DatabaseOptions, 'onEvent'> {
  readonly path: string
  readonly log: Log
  /** charon connects for its requests; whatever it had installed before is gone. */
  readonly onHello: (pid: number) => void
}

export class XfrmServer {
  readonly database: XfrmDatabase
  readonly #options: XfrmServerOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #events = new Set<Socket>()
  #requests: Socket | null = null
  readonly #timer: NodeJS.Timeout

  private constructor (options: XfrmServerOptions) {
    this.#options = options
    const { backend, clock, random } = options
    this.database = new XfrmDatabase({
      backend, clock, random, onEvent: (message) => { this.#sendEvent(message) }
    })
    this.#server = createServer((socket) => { this.#accept(socket) })
    this.#timer = setInterval(() => { this.database.tick() }, TICK_MS)
    this.#timer.unref()
  }

  /** Takes the path, whatever stands there. @throws VpclabError VPCLAB_ERR_SYSCALL */
  static async listen (options: XfrmServerOptions): Promise<XfrmServer> {
    rmSync(options.path, { force: true })
    const server = new XfrmServer(options)
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', (cause) => {
        clearInterval(server.#timer)
        reject(new VpclabError('VPCLAB_ERR_SYSCALL',
          `Cannot listen on "${options.path}": ${cause.message}`, { cause }))
      })
      server.#server.listen(options.path, resolve)
    })
    chmodSync(options.path, 0o600)
    return server
  }

  /** Ends the connections and forgets all SAs. */
  async close (): Promise<void> {
    clearInterval(this.#timer)
    this.database.purge()
    this.#requests = null
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => { this.#server.close(() => { resolve() }) })
  }

  #accept (socket: Socket): void {
    if (this.#sockets.size >= CONNECTIONS_MAX) {
      socket.destroy()
      return
    }
    this.#sockets.add(socket)
    const reader = new NetlinkReader()
    socket.on('data', (chunk: Buffer) => {
      const messages = reader.push(chunk)
      if (messages === null) socket.destroy()
      for (const message of messages ?? []) this.#take(socket, message)
    })
    socket.on('error', () => { /* 'close' follows */ })
    socket.on('close', () => { this.#forget(socket) })
  }

  #take (socket: Socket, message: NetlinkMessage): void {
    if (message.type === NLMSG_NOOP) {
      this.#greet(socket, message)
    } else if (socket === this.#requests) {
      socket.write(this.database.handle(message))
    } else {
      socket.destroy()
    }
  }

  #greet (socket: Socket, hello: NetlinkMessage): void {
    if (hello.sequence !== 0) {
      this.#events.add(socket)
      return
    }
    // The one before ended, or hangs: what it installed is nobody's.
    this.#requests?.destroy()
    this.#requests = socket
    this.database.purge()
    this.#options.onHello(hello.pid)
  }

  #forget (socket: Socket): void {
    this.#sockets.delete(socket)
    this.#events.delete(socket)
    if (socket !== this.#requests) return
    this.#requests = null
    this.#options.log.info({ count: this.database.saCount },
      'charon has ended its talk with the XFRM server; its SAs are removed')
    this.database.purge()
  }

  #sendEvent (message: Buffer): void {
    for (const socket of this.#events) {
      if (socket.writableLength > EVENTS_WAITING_BYTES_MAX) socket.destroy()
      else socket.write(message)
    }
  }
}
