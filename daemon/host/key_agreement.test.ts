/** Agreement on keys between hosts that are addresses of loopback, with certificates by openssl. */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tls from 'node:tls'
import { systemClock } from '../base/clock.ts'
import { systemRandom } from '../base/random.ts'
import { PEER_BITS } from '../tun/wire_key.ts'
import type { WireKeyMessage } from '../tun/wire_key.ts'
import { AgentCertificates } from './agent_certificates.ts'
import { AGENT_PORT, KeyAgreement } from './key_agreement.ts'
import type { Identity, LocalHost } from './key_agreement.ts'

type SetMessage = Extract<WireKeyMessage, { kind: 'wire-key' }>

/** Two hosts; what their data planes are told, and who waits for it. */
class Pair {
  readonly agreement: KeyAgreement
  readonly keys = new Map<string, SetMessage[]>([['host-1', []], ['host-2', []]])
  readonly troubles: string[] = []
  readonly #net = `127.${String(randomInt(1, 255))}.${String(randomInt(1, 255))}`
  readonly #waiting: { isThere: () => boolean, resolve: () => void }[] = []

  constructor () {
    this.agreement = new KeyAgreement({
      setKey: async (host, message) => {
        if (message.kind === 'wire-key') this.keys.get(host)?.push(message)
        await Promise.resolve()
      },
      endKey: () => undefined,
      onAgreed: () => {
        for (const { isThere, resolve } of this.#waiting) if (isThere()) resolve()
      },
      onTrouble: (_host, _peer, error) => { this.troubles.push(error) }
    })
  }

  address (host: 1 | 2): string { return `${this.#net}.${String(host)}` }

  /** @param index number that the host gives the other one */
  host (own: 1 | 2, index: number, identity: Identity): LocalHost {
    const other = own === 1 ? 2 : 1
    return {
      name: `host-${String(own)}`, address: this.address(own), namespacePath: '', identity,
      peers: [{ name: `host-${String(other)}`, address: this.address(other), index }]
    }
  }

  /** Until both hosts have the same keys, and host-1 sends with another one than before. */
  async agreed (before?: SetMessage): Promise<void> {
    const isThere = (): boolean => {
      const [sent, answered] = [this.last('host-1', 'transmit'), this.last('host-2', 'transmit')]
      return sent !== undefined && answered !== undefined && sent.id !== before?.id &&
        sent.id === this.last('host-2', 'receive')?.id &&
        answered.id === this.last('host-1', 'receive')?.id
    }
    if (isThere()) return
    await new Promise<void>((resolve) => { this.#waiting.push({ isThere, resolve }) })
  }

  /** The last key of a host in a direction. */
  last (host: string, direction: 'transmit' | 'receive'): SetMessage | undefined {
    return this.keys.get(host)?.findLast((message) => message.direction === direction)
  }
}

async function withCertificates (
  t: ExecutionContext, body: (certificates: AgentCertificates, pair: Pair) => Promise<void>
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-agents-'))
  const pair = new Pair()
  try {
    await body(new AgentCertificates(directory, systemClock, systemRandom), pair)
    t.deepEqual(pair.troubles, [])
  } finally {
    pair.agreement.stop()
    rmSync(directory, { recursive: true })
  }
}

function sameKeys (t: ExecutionContext, pair: Pair): void {
  for (const [from, to] of [['host-1', 'host-2'], ['host-2', 'host-1']] as const) {
    const sent = pair.last(from, 'transmit')
    const received = pair.last(to, 'receive')
    t.deepEqual(sent?.key, received?.key)
    t.is(sent?.id, received?.id)
    t.is((received?.id ?? 0) % 2 ** PEER_BITS, received?.peer ?? -1)
  }
  t.notDeepEqual(pair.last('host-1', 'transmit')?.key, pair.last('host-2', 'transmit')?.key)
}

test('two hosts come to the same keys, one for each direction, and to others at each turn',
  async (t) => {
    await withCertificates(t, async (certificates, pair) => {
      pair.agreement.begin(pair.host(1, 7, await certificates.identityOf('host-1')))
      pair.agreement.begin(pair.host(2, 9, await certificates.identityOf('host-2')))
      await pair.agreed()
      sameKeys(t, pair)
      t.is(pair.last('host-1', 'transmit')?.peer, 7)
      t.is(pair.last('host-2', 'transmit')?.peer, 9)
      const first = pair.last('host-1', 'transmit')
      pair.agreement.rotate('host-1', null)
      await pair.agreed(first)
      sameKeys(t, pair)
      t.notDeepEqual(pair.last('host-1', 'transmit')?.key, first?.key)
      t.not(pair.last('host-1', 'transmit')?.id, first?.id)
    })
  })

test('a key is received with before it is sent with, and a host that begins anew gets others',
  async (t) => {
    await withCertificates(t, async (certificates, pair) => {
      const second = pair.host(2, 9, await certificates.identityOf('host-2'))
      pair.agreement.begin(pair.host(1, 7, await certificates.identityOf('host-1')))
      pair.agreement.begin(second)
      await pair.agreed()
      for (const [, messages] of pair.keys) {
        t.deepEqual(messages.slice(0, 2).map(({ direction }) => direction),
          ['receive', 'transmit'])
      }
      const before = pair.last('host-1', 'transmit')
      pair.agreement.begin(second)
      await pair.agreed(before)
      sameKeys(t, pair)
      t.notDeepEqual(pair.last('host-1', 'transmit')?.key, before?.key)
    })
  })

test('nobody gets keys who is not the host whose address he has', async (t) => {
  const strange = mkdtempSync(join(tmpdir(), 'vpclab-agents-'))
  try {
    await withCertificates(t, async (certificates, pair) => {
      const identity = await certificates.identityOf('host-2')
      pair.agreement.begin(pair.host(2, 9, identity))
      const others: readonly [who: string, Partial<Identity>, source: string][] = [
        ['without a certificate', {}, pair.address(1)],
        ['of another authority', await new AgentCertificates(strange, systemClock, systemRandom)
          .identityOf('host-1'), pair.address(1)],
        ['of another name', await certificates.identityOf('host-3'), pair.address(1)],
        ['from another address', await certificates.identityOf('host-1'), '127.0.0.1']
      ]
      for (const [who, own, localAddress] of others) {
        const socket = connect({ host: pair.address(2), port: AGENT_PORT, localAddress })
        const secure = tls.connect({
          socket, cert: own.cert, key: own.key, ca: identity.ca, servername: 'host-2',
          ALPNProtocols: ['vpclab-underlay-1']
        })
        secure.on('error', () => { /* refused, which is right */ })
        secure.write('{"id":16385}\n')
        secure.resume()
        await new Promise((resolve) => { secure.once('close', resolve) })
        t.is(pair.keys.get('host-2')?.length, 0, who)
      }
    })
  } finally {
    rmSync(strange, { recursive: true })
  }
})
