import test from 'ava'
import fc from 'fast-check'
import { DEFAULT_LEASE } from '../testing/endpoint.ts'
import type { LeaseData } from '../update.ts'
import { answerDhcp } from './server.ts'

const DISCOVER = [53, 1, 1]
const REQUEST = [53, 1, 3]

function message (options: readonly number[], clientAddress = [0, 0, 0, 0]): Buffer {
  const bytes = Buffer.alloc(240)
  bytes.set([1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef])
  bytes.set(clientAddress, 12)
  bytes.set([2, 1, 2, 3, 4, 5], 28)
  bytes.writeUInt32BE(0x63825363, 236)
  return Buffer.concat([bytes, Buffer.from([...options, 255])])
}

/** Address offered, message type, and options as code → bytes. */
function read (answer: Buffer | undefined): {
  readonly address: string
  readonly type: number
  readonly options: Map<number, number[]>
} {
  const bytes = answer ?? Buffer.alloc(241)
  const options = new Map<number, number[]>()
  for (let at = 240; at < bytes.length && bytes[at] !== 255 && bytes[at] !== 0;) {
    const length = bytes[at + 1] ?? 0
    options.set(bytes[at] ?? 0, [...bytes.subarray(at + 2, at + 2 + length)])
    at += 2 + length
  }
  return {
    address: [...bytes.subarray(16, 20)].join('.'), type: options.get(53)?.[0] ?? 0, options
  }
}

const ask = (options: readonly number[], lease: Partial<LeaseData> = {}, client?: number[]) =>
  answerDhcp(message(options, client), { ...DEFAULT_LEASE, ...lease })

test('a discover is offered the primary address with what the option set says', (t) => {
  const answer = ask([...DISCOVER, 55, 2, 12, 15], {
    ntpServers: ['10.0.9.1', '10.0.9.2'], netbiosNameServers: ['10.0.9.3'], netbiosNodeType: 2
  })
  const { address, type, options } = read(answer?.message)
  t.is(address, '10.0.1.10')
  t.is(type, 2)
  t.deepEqual(Object.fromEntries(options), {
    1: [255, 255, 255, 0], 3: [10, 0, 1, 1], 6: [10, 0, 0, 2], 12: [...Buffer.from('ip-10-0-1-10')],
    15: [...Buffer.from('ec2.internal')], 26: [0x23, 0x29], 42: [10, 0, 9, 1, 10, 0, 9, 2],
    44: [10, 0, 9, 3], 46: [2], 51: [0, 0, 0x0e, 0x10], 53: [2], 54: [10, 0, 1, 1],
    58: [0, 0, 7, 8], 59: [0, 0, 0x0c, 0x4e]
  })
  t.deepEqual([...answer?.message.subarray(4, 8) ?? []], [0xde, 0xad, 0xbe, 0xef])
})

test('the host name is told only when it is asked for', (t) => {
  t.false(read(ask(DISCOVER)?.message).options.has(12))
})

test('the address is confirmed to who selects it, reboots with it, or renews it', (t) => {
  const ours = [50, 4, 10, 0, 1, 10]
  t.is(read(ask([...REQUEST, ...ours, 54, 4, 10, 0, 1, 1])?.message).type, 5)
  t.is(read(ask([...REQUEST, ...ours])?.message).type, 5)
  t.is(read(ask(REQUEST, {}, [10, 0, 1, 10])?.message).type, 5)
})

test('another address is refused, by broadcast, and another server is not spoken for', (t) => {
  const answer = ask([...REQUEST, 50, 4, 10, 0, 1, 11])
  t.is(read(answer?.message).type, 6)
  t.true(answer?.isBroadcast)
  t.is(ask([...REQUEST, 50, 4, 10, 0, 1, 10, 54, 4, 10, 0, 1, 7]), null)
})

test('another option set reaches the client at its renewal', (t) => {
  const renew = (lease: Partial<LeaseData>) => read(ask(REQUEST, lease, [10, 0, 1, 10])?.message)
  t.deepEqual(renew({ dnsServers: ['192.0.2.53'] }).options.get(6), [192, 0, 2, 53])
  t.false(renew({ dnsServers: [], domainNames: [] }).options.has(6))
})

test('an inform is told the options and no lease', (t) => {
  const { address, type, options } = read(ask([53, 1, 8])?.message)
  t.is(address, '0.0.0.0')
  t.is(type, 5)
  t.false(options.has(51))
})

test('what is no message of a client is not answered, and nothing throws', (t) => {
  t.is(ask([53, 1, 4]), null, 'a decline')
  t.is(ask([]), null)
  t.is(ask(DISCOVER, { address: null }), null)
  t.is(answerDhcp(Buffer.alloc(0), DEFAULT_LEASE), null)
  t.is(ask([53, 200, 1]), null, 'an option that ends behind the message')
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    const answer = ask([...DISCOVER, ...bytes])
    t.true((answer?.message.length ?? 0) <= 548)
  }))
})
