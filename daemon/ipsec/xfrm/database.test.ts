/** The database on messages of charon 5.9.8 (testing/xfrm_messages.txt), and on its limits. */
import test from 'ava'
import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import type { EspSa, EspUsage } from '../../tun/esp_sa.ts'
import { XfrmDatabase } from './database.ts'
import {
  ATTRIBUTE_REPLAY_ESN,
  EEXIST, EINVAL, ENOENT, ENOSYS, EOPNOTSUPP, ESRCH, MESSAGE_ALLOCSPI, MESSAGE_DELPOLICY,
  MESSAGE_DELSA, MESSAGE_EXPIRE, MESSAGE_GETAE, MESSAGE_GETPOLICY, MESSAGE_GETSA, MESSAGE_MAPPING,
  MESSAGE_NEWAE, MESSAGE_NEWPOLICY, MESSAGE_NEWSA, MESSAGE_NEWSPDINFO, MESSAGE_UPDPOLICY,
  MESSAGE_UPDSA, NLMSG_ERROR, readAttributes, readNetlink, writeNetlink
} from './netlink.ts'
import type { NetlinkMessage } from './netlink.ts'
import { readSa } from './structures.ts'

const MESSAGES = new Map(
  readFileSync(new URL('../testing/xfrm_messages.txt', import.meta.url), 'utf8')
    .split(/^== /m).slice(1).map((part) => {
      const [name = '', ...lines] = part.trimEnd().split('\n')
      return [name, lines.map((hex) => readNetlink(Buffer.from(hex, 'hex')))] as const
    }))
const messages = (name: string): readonly NetlinkMessage[] => MESSAGES.get(name) ?? []

interface Bench {
  readonly database: XfrmDatabase
  /** What the backend was told, in words. */
  readonly calls: string[]
  readonly installed: Map<number, EspSa>
  readonly usages: Map<number, EspUsage>
  /** Networks of each tunnel: local, remote. */
  readonly permitted: Map<number, string[]>
  readonly events: NetlinkMessage[]
  readonly clock: { ms: number }
  send(message: NetlinkMessage): NetlinkMessage
}

const UNUSED: EspUsage = { bytes: 0, packets: 0, lastUseMs: 0, sequence: 0n }

/** @param log whose SPIs are drawn, so that its later messages fit */
function bench (log: string): Bench {
  const spis = messages(log)
    .filter(({ type }) => type === MESSAGE_UPDSA || type === MESSAGE_ALLOCSPI)
    .map((message) => readSa(message.body)?.spi ?? 0)
  const drawn = spis.filter((spi) => spi !== 0)
  const calls: string[] = []
  const installed = new Map<number, EspSa>()
  const usages = new Map<number, EspUsage>()
  const permitted = new Map<number, string[]>()
  const events: NetlinkMessage[] = []
  const clock = { ms: 1_000_000 }
  const database = new XfrmDatabase({
    backend: {
      install (sa) {
        installed.set(sa.index, sa)
        calls.push(`install ${String(sa.index)} ${sa.direction}`)
      },
      remove (index) {
        installed.delete(index)
        calls.push(`remove ${String(index)}`)
      },
      permit (tunnel, selectors) {
        permitted.set(tunnel, selectors.map((pair) =>
          `${pair.local.join('.')}/${String(pair.localPrefixLength)} ` +
          `${pair.remote.join('.')}/${String(pair.remotePrefixLength)}`))
      },
      select (tunnel, index) { calls.push(`select ${String(tunnel)} ${String(index)}`) },
      usage: (index) => usages.get(index) ?? UNUSED
    },
    clock: { nowMs: () => 1_700_000_000_000 + clock.ms, monotonicMs: () => clock.ms },
    random: {
      bytes: (count) => {
        const out = Buffer.alloc(count)
        out.writeUInt32BE((drawn.shift() ?? 0xc000_0001) - 0xc000_0000)
        return out
      }
    },
    onEvent: (event) => { events.push(readNetlink(event)) }
  })
  const send = (message: NetlinkMessage): NetlinkMessage => readNetlink(database.handle(message))
  return { database, calls, installed, usages, permitted, events, clock, send }
}

/** Error of an answer; null when it is no NLMSG_ERROR. */
const errorOf = (answer: NetlinkMessage): number | null =>
  answer.type === NLMSG_ERROR ? answer.body.readInt32LE(0) : null

/** Sends messages of a log up to the first of a type, that one included. */
function play (here: Bench, log: string, until?: (message: NetlinkMessage) => boolean): void {
  for (const message of messages(log)) {
    here.send(message)
    if (until?.(message) === true) return
  }
}
const isLastPolicy = (message: NetlinkMessage): boolean => message.type === MESSAGE_GETSA

test('the life of a tunnel: every answer is the kernel\'s', (t) => {
  const here = bench('life')
  const answers = messages('life').map((message) => {
    const answer = here.send(message)
    t.is(answer.sequence, message.sequence)
    t.is(answer.pid, message.pid)
    return [message.type, answer.type, errorOf(answer)]
  })
  const expected: Readonly<Record<number, readonly [number, number | null]>> = {
    37: [MESSAGE_NEWSPDINFO, null],
    [MESSAGE_ALLOCSPI]: [MESSAGE_NEWSA, null],
    [MESSAGE_UPDSA]: [NLMSG_ERROR, 0],
    [MESSAGE_NEWSA]: [NLMSG_ERROR, 0],
    [MESSAGE_NEWPOLICY]: [NLMSG_ERROR, 0],
    [MESSAGE_GETSA]: [MESSAGE_NEWSA, null],
    [MESSAGE_GETPOLICY]: [MESSAGE_NEWPOLICY, null],
    [MESSAGE_DELPOLICY]: [NLMSG_ERROR, 0],
    [MESSAGE_DELSA]: [NLMSG_ERROR, 0]
  }
  t.deepEqual(answers, messages('life').map(({ type }) => [type, ...expected[type] ?? []]))
  t.deepEqual(here.calls, ['install 1 inbound', 'install 2 outbound', 'select 1 2',
    'select 1 2', 'remove 1', 'remove 2', 'select 1 0'].toSorted(byOrder(here.calls)))
  t.is(here.database.saCount + here.database.policyCount, 0)
})

/** The order of another list: which of the two SAs ends first is charon's business. */
const byOrder = (order: readonly string[]) => (a: string, b: string): number =>
  order.indexOf(a) - order.indexOf(b)

test('an SA is read as charon meant it', (t) => {
  const here = bench('life')
  play(here, 'life', ({ type }) => type === MESSAGE_NEWSA)
  const [inbound, outbound] = [here.installed.get(1), here.installed.get(2)]
  t.like(inbound, {
    direction: 'inbound',
    tunnel: 1,
    sourcePort: 4500,
    destinationPort: 4500,
    esn: false,
    replayWindow: 1024,
    noEcn: false,
    clearDf: false,
    copyDscp: true,
    hardBytes: null,
    hardPackets: null
  })
  t.deepEqual([...inbound?.source ?? []], [203, 0, 113, 9])
  t.deepEqual([...inbound?.destination ?? []], [198, 51, 100, 1])
  t.like(inbound?.transform, { kind: 'aes-gcm', icvBytes: 16 })
  t.is(inbound?.transform.key.length, 32)
  t.like(outbound, { direction: 'outbound', tunnel: 1, replayWindow: 0 })
})

test('a tunnel carries what its inbound policies say, until they are gone', (t) => {
  const here = bench('life')
  play(here, 'life', isLastPolicy)
  t.deepEqual(here.permitted.get(1), ['0.0.0.0/0 0.0.0.0/0'])
  play(here, 'life')
  t.deepEqual(here.permitted.get(1), [])
})

test('a rekey makes before it breaks', (t) => {
  const here = bench('rekey')
  play(here, 'rekey')
  const installs = here.calls.filter((call) => call.startsWith('install'))
  t.true(installs.length >= 4)
  const second = here.calls.findIndex((call) => call === installs[3])
  t.true(here.calls.findIndex((call) => call.startsWith('remove')) > second)
  const selected = here.calls.filter((call) => call.startsWith('select 1')).at(-1)
  const outbound = here.calls.filter((call) => call.endsWith('outbound')).at(-1)
  t.is(selected, `select 1 ${outbound?.split(' ')[1] ?? ''}`)
})

test('an SA that is moved to another address stays inbound, and keeps its numbers', (t) => {
  const here = bench('moved')
  const ports: number[] = []
  for (const message of messages('moved')) {
    for (const sa of here.installed.values()) {
      here.usages.set(sa.index, { ...UNUSED, sequence: sa.direction === 'inbound' ? 30n : 7n })
    }
    here.send(message)
    for (const sa of here.installed.values()) ports.push(sa.sourcePort, sa.destinationPort)
  }
  t.deepEqual([...new Set(ports)].toSorted((a, b) => a - b), [4500, 40_001, 40_002])
  const directions = here.calls.filter((call) => call.startsWith('install'))
    .map((call) => call.split(' ')[2])
  t.is(directions.filter((direction) => direction === 'inbound').length, 2)
  t.is(directions.length, 4)
  t.is(here.database.saCount, 0)
})

test('GETAE tells the numbers, with a window in which all is seen', (t) => {
  const here = bench('life')
  play(here, 'life', isLastPolicy)
  const { raw } = messages('life').find(({ type }) => type === MESSAGE_GETSA) ?? { raw: null }
  if (raw === null) throw new Error('no GETSA in the log')
  for (const index of [1, 2]) here.usages.set(index, { ...UNUSED, sequence: 0x1_0000_0005n })
  // The inbound SA: the first that is installed.
  const { body } = messages('life').find(({ type }) => type === MESSAGE_UPDSA) ?? { body: raw }
  const ask = Buffer.alloc(48)
  body.copy(ask, 0, 56, 76)
  ask.writeUInt16LE(2, 20)
  ask.writeUInt8(50, 22)
  const answer = here.send(readNetlink(writeNetlink(MESSAGE_GETAE, 9, 1, ask)))
  t.is(answer.type, MESSAGE_NEWAE)
  const replay = readAttributes(answer.body, 48).get(ATTRIBUTE_REPLAY_ESN)
  if (replay === undefined) throw new Error('no replay state')
  // struct xfrm_replay_state_esn: of the inbound SA, 32 + 32 bits of the highest number.
  t.deepEqual([4, 8, 12, 16, 20].map((at) => replay.readUInt32LE(at)), [0, 5, 0, 1, 1024])
  t.true(replay.subarray(24).every((byte) => byte === 0xff))
})

test('soft and hard limits of time, bytes and packets are told once each', (t) => {
  const here = bench('life')
  play(here, 'life', isLastPolicy)
  here.database.tick()
  t.deepEqual(here.events, [])
  here.clock.ms += 3_400_000
  here.database.tick()
  here.database.tick()
  t.deepEqual(here.events.map(({ type, body }) => [type, body[224]]),
    [[MESSAGE_EXPIRE, 0], [MESSAGE_EXPIRE, 0]], 'rekey margin 270 s of 3,600 s')
  here.clock.ms += 300_000
  here.database.tick()
  t.deepEqual(here.events.slice(2).map(({ type, body }) => [type, body[224]]),
    [[MESSAGE_EXPIRE, 1], [MESSAGE_EXPIRE, 1]])
  t.is(here.database.saCount, 0)
  t.is(here.installed.size, 0)
})

test('a change of address is told for SAs in UDP, not more often than once a second', (t) => {
  const here = bench('life')
  play(here, 'life', isLastPolicy)
  const address = Uint8Array.of(203, 0, 113, 50)
  here.database.reportMapping(1, address, 40_000)
  here.database.reportMapping(1, address, 40_000)
  here.database.reportMapping(1, address, 40_001)
  here.database.reportMapping(77, address, 40_000)
  t.deepEqual(here.events.map(({ type, body }) => [type, body.readUInt16BE(60),
    body.readUInt16BE(62)]), [[MESSAGE_MAPPING, 4500, 40_000]])
  here.clock.ms += 1000
  here.database.reportMapping(1, address, 40_001)
  t.is(here.events.length, 2)
})

test('what is not there, is there twice, or cannot be, has the kernel\'s error', (t) => {
  const here = bench('life')
  const of = (type: number): NetlinkMessage => {
    const found = messages('life').find((message) => message.type === type)
    if (found === undefined) throw new Error(`no message ${String(type)}`)
    return found
  }
  t.is(errorOf(here.send(of(MESSAGE_UPDSA))), ESRCH, 'without ALLOCSPI')
  for (const type of [MESSAGE_DELSA, MESSAGE_GETSA]) t.is(errorOf(here.send(of(type))), ESRCH)
  for (const type of [MESSAGE_DELPOLICY, MESSAGE_GETPOLICY]) {
    t.is(errorOf(here.send(of(type))), ENOENT)
  }
  const { body } = of(MESSAGE_NEWPOLICY)
  const update = readNetlink(writeNetlink(MESSAGE_UPDPOLICY, 1, 1, body))
  t.is(errorOf(here.send(update)), 0, 'UPDPOLICY makes one')
  t.is(errorOf(here.send(of(MESSAGE_NEWPOLICY))), EEXIST)
  t.is(errorOf(here.send(of(MESSAGE_NEWSA))), 0)
  t.is(errorOf(here.send(of(MESSAGE_NEWSA))), EEXIST)
  t.is(errorOf(here.send(readNetlink(writeNetlink(99, 1, 1)))), EOPNOTSUPP)
  const unknown = Buffer.from(of(MESSAGE_NEWSA).raw)
  unknown.write('rfc7539esp(chacha20,poly1305)', unknown.indexOf('rfc4106(gcm(aes))'))
  unknown.writeUInt32BE(0xabcdef, 16 + 72)
  t.is(errorOf(here.send(readNetlink(unknown))), ENOSYS)
  for (const message of messages('life')) {
    const cut = readNetlink(writeNetlink(message.type, 1, 1, message.body.subarray(0, 12)))
    if (message.type !== 37) t.is(errorOf(here.send(cut)), EINVAL)
  }
})

test('whatever arrives is answered', (t) => {
  const here = bench('life')
  play(here, 'life', isLastPolicy)
  const all = [...MESSAGES.values()].flat()
  fc.assert(fc.property(fc.nat(all.length - 1), fc.nat(600), fc.uint8Array({ maxLength: 12 }),
    (which, at, bytes) => {
      const raw = Buffer.from(all[which]?.raw ?? [])
      raw.set(bytes.subarray(0, Math.max(0, raw.length - 16 - at)),
        Math.min(16 + at, raw.length))
      t.true(here.database.handle(readNetlink(raw)).length >= 16)
    }), { numRuns: 1500 })
})

test('purge forgets everything', (t) => {
  const here = bench('life')
  play(here, 'life', isLastPolicy)
  t.true(here.installed.size === 2)
  here.database.purge()
  t.deepEqual([here.database.saCount, here.database.policyCount, here.installed.size], [0, 0, 0])
  t.is(here.calls.at(-1), 'select 1 0')
})
