/** The socket behind the shim: who may ask, and what the end of a connection means. */
import test from 'ava'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../base/clock.ts'
import { systemRandom } from '../../base/random.ts'
import { silentLog } from '../../observe/log.ts'
import { NetlinkReader, NLMSG_NOOP, writeNetlink } from './netlink.ts'
import type { NetlinkMessage } from './netlink.ts'
import { XfrmServer } from './server.ts'

const EVENT_GROUPS = 0xc3
/** Messages of charon up to the first GETSA: a tunnel is installed then. */
const INSTALLED = 8

const [, life = ''] = readFileSync(new URL('../testing/xfrm_messages.txt', import.meta.url), 'utf8')
  .split(/^== /m)
const MESSAGES = life.trimEnd().split('\n').slice(1).map((hex) => Buffer.from(hex, 'hex'))

class Peer {
  readonly socket: Socket
  readonly heard: NetlinkMessage[] = []
  readonly ended: Promise<void>

  constructor (path: string) {
    this.socket = connect(path)
    const reader = new NetlinkReader()
    this.socket.on('error', () => undefined)
    this.socket.on('data', (chunk: Buffer) => { this.heard.push(...reader.push(chunk) ?? []) })
    this.ended = new Promise((resolve) => { this.socket.on('close', () => { resolve() }) })
  }

  hello (groups: number, pid: number): void {
    this.socket.write(writeNetlink(NLMSG_NOOP, groups, pid))
  }

  /** Sends a message and waits for an answer. */
  async ask (message: Buffer): Promise<NetlinkMessage | undefined> {
    const before = this.heard.length
    this.socket.write(message)
    while (this.heard.length === before) {
      const more = new Promise((resolve) => { this.socket.once('data', resolve) })
      await Promise.race([more, this.ended])
      if (this.socket.destroyed) return undefined
    }
    return this.heard.at(-1)
  }
}

interface Place extends AsyncDisposable {
  readonly server: XfrmServer
  readonly path: string
  readonly hellos: number[]
}

async function place (): Promise<Place> {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-xfrm-'))
  const path = join(directory, 'xfrm.sock')
  const hellos: number[] = []
  const server = await XfrmServer.listen({
    path,
    backend: {
      install: () => undefined,
      remove: () => undefined,
      select: () => undefined,
      permit: () => undefined,
      usage: () => ({ bytes: 0, packets: 0, lastUseMs: 0, sequence: 0n })
    },
    clock: systemClock,
    random: systemRandom,
    log: silentLog(),
    onHello: (pid) => { hellos.push(pid) }
  })
  return {
    server,
    path,
    hellos,
    async [Symbol.asyncDispose] () {
      await server.close()
      rmSync(directory, { recursive: true })
    }
  }
}

/** A charon that has installed policies and an outbound SA. */
async function install (path: string, pid: number): Promise<Peer> {
  const peer = new Peer(path)
  peer.hello(0, pid)
  for (const message of MESSAGES.slice(0, INSTALLED)) await peer.ask(message)
  return peer
}

test('the socket is the owner\'s alone', async (t) => {
  await using here = await place()
  t.is(statSync(here.path).mode & 0o777, 0o600)
})

test('requests are answered after a hello, in any pieces', async (t) => {
  await using here = await place()
  const peer = await install(here.path, 41)
  t.deepEqual(here.hellos, [41])
  t.true(here.server.database.saCount >= 1 && here.server.database.policyCount === 3)
  const [first = Buffer.alloc(0)] = MESSAGES
  for (const byte of first.subarray(0, -1)) peer.socket.write(Buffer.of(byte))
  t.truthy(await peer.ask(first.subarray(-1)))
})

test('when charon is gone, so are its SAs', async (t) => {
  await using here = await place()
  const peer = await install(here.path, 41)
  peer.socket.destroy()
  const next = new Peer(here.path)
  next.hello(EVENT_GROUPS, 42)
  await peer.ended
  while (here.server.database.saCount > 0) await new Promise(setImmediate)
  t.is(here.server.database.policyCount, 0)
})

test('another charon begins with nothing, and the one before is ended', async (t) => {
  await using here = await place()
  const peer = await install(here.path, 41)
  const next = await install(here.path, 42)
  await peer.ended
  t.deepEqual(here.hellos, [41, 42])
  t.true(here.server.database.saCount >= 1)
  t.false(next.socket.destroyed)
})

test('a connection that asks without a hello, or sends no netlink, is ended', async (t) => {
  await using here = await place()
  for (const bytes of [MESSAGES[0] ?? Buffer.alloc(0), Buffer.alloc(64), Buffer.alloc(64, 0xff)]) {
    const peer = new Peer(here.path)
    peer.socket.write(bytes)
    await peer.ended
  }
  t.is(here.server.database.saCount, 0)
})

test('more connections than charon makes are refused', async (t) => {
  await using here = await place()
  const peers = Array.from({ length: 9 }, () => new Peer(here.path))
  await Promise.race(peers.map(({ ended }) => ended))
  t.pass()
  for (const { socket } of peers) socket.destroy()
})
