/** Explanations of real logs: testing/charon_logs.txt was written by charon 5.9.8. */
import test from 'ava'
import { readFileSync } from 'node:fs'
import { Attempts } from './attempts.ts'
import { explain } from './explain.ts'
import { exampleTunnel } from './testing/example_tunnel.ts'
import type { TunnelConfig } from './tunnel.ts'

const text = readFileSync(new URL('testing/charon_logs.txt', import.meta.url), 'utf8')
const LOGS = new Map(text.split(/^== /m).slice(1).map((part) => {
  const [name = '', ...lines] = part.trimEnd().split('\n')
  return [name, lines] as const
}))

/** Runs the lines of a log as they came. @returns the last explanation */
function explained (log: string, change: Partial<TunnelConfig> = {}): string | null {
  const config = exampleTunnel(change)
  const attempts = new Attempts()
  let last: string | null = null
  for (const line of LOGS.get(log) ?? []) {
    const [, name, ikeSa = '', words = ''] = /^<(?:(.*)\|)?(\d+)> (.*)$/.exec(line) ?? []
    const heard = attempts.hear(ikeSa, name ?? null, words)
    if (heard.isFor(config)) last = explain(heard.lines, config) ?? last
  }
  return last
}

const PHASE_NARROW = {
  encryption: ['AES128'], integrity: ['SHA1'], dhGroups: [2], lifetimeSeconds: 3600
} as const
const NETWORKS = { localSelectors: ['10.0.0.0/16'], remoteSelectors: ['192.168.0.0/16'] }
const IKE_MISMATCH = 'The proposals of phase 1 (IKE) do not match: ' +
  'encryption: the customer gateway offers AES256, the tunnel allows AES128; ' +
  'integrity: the customer gateway offers SHA2-256, the tunnel allows SHA1; ' +
  'key derivation: the customer gateway offers SHA2-256, the tunnel allows SHA1; ' +
  'Diffie-Hellman group: the customer gateway offers 14, the tunnel allows 2.'
const ESP_MISMATCH = 'The proposals of phase 2 (ESP) do not match: ' +
  'encryption: the customer gateway offers AES256-GCM-16, AES256, the tunnel allows AES128; ' +
  'integrity: the customer gateway offers SHA2-256, the tunnel allows SHA1'
const KEYS = 'The pre-shared keys differ: what the customer gateway has is not the tunnel\'s.'
const SELECTORS = 'The networks do not match: the customer gateway wants "10.9.0.0/24" on AWS\'s ' +
  'side and "172.31.0.0/24" on its own, and the tunnel has 10.0.0.0/16 and 192.168.0.0/16.'
const REFUSED = 'The customer gateway refuses this end: it has another pre-shared key, or it ' +
  'expects another identity than "198.51.100.1"'

const EXPECTED: readonly (readonly [string, Partial<TunnelConfig>, string])[] = [
  ['ike_proposal', {}, IKE_MISMATCH],
  ['ike_proposal_v1', {}, IKE_MISMATCH],
  ['esp_proposal', {}, `${ESP_MISMATCH}.`],
  ['esp_proposal_v1', {}, `${ESP_MISMATCH}; Diffie-Hellman group: the customer gateway offers ` +
    '14, the tunnel allows 2.'],
  ['psk', {}, KEYS],
  ['psk_v1', {}, KEYS],
  ['identity', { remoteId: '203.0.113.9' }, 'The customer gateway calls itself ' +
    '"branch.example.com", and the tunnel expects "203.0.113.9".'],
  ['identity_v1', { remoteId: '203.0.113.9' }, 'The customer gateway calls itself ' +
    '"branch.example.com", and the tunnel expects "203.0.113.9".'],
  ['our_identity', {}, 'The customer gateway expects this end to be "vpn.example.com", and it is ' +
    '"198.51.100.1".'],
  ['address', { remoteAddress: '203.0.113.77' }, 'A device at "203.0.113.9" asks for this ' +
    'tunnel, but the customer gateway\'s address is "203.0.113.77".'],
  ['version', { ikeVersions: ['ikev2'] }, 'The customer gateway speaks ikev1, and the tunnel ' +
    'allows ikev2.'],
  ['version2', { ikeVersions: ['ikev1'] }, 'The customer gateway speaks ikev2, and the tunnel ' +
    'allows ikev1.'],
  ['selectors', NETWORKS, SELECTORS],
  ['selectors_v1', NETWORKS, SELECTORS],
  ['start_ike_proposal', { phase1: PHASE_NARROW }, 'The customer gateway accepts no proposal of ' +
    'phase 1 (IKE); the tunnel offers aes128-sha1-modp1024.'],
  ['start_esp_proposal', { phase2: PHASE_NARROW }, 'The customer gateway accepts no proposal of ' +
    'phase 2 (ESP); the tunnel offers aes128-sha1-modp1024.'],
  ['start_psk', {}, `${REFUSED}.`],
  ['start_identity', { remoteId: 'branch.example.com' },
    `${REFUSED}, or its own is not "branch.example.com".`],
  ['start_our_identity', {}, `${REFUSED}.`],
  ['start_no_answer', { remoteAddress: '203.0.113.77' }, 'The customer gateway at "203.0.113.77" ' +
    'does not answer on UDP port 500.'],
  ['start_selectors', NETWORKS, 'The customer gateway does not accept the networks of the ' +
    'tunnel: 10.0.0.0/16 on AWS\'s side, 192.168.0.0/16 on its own.']
]

test('every log has its explanation', (t) => {
  t.deepEqual(EXPECTED.map(([name]) => name).toSorted(), [...LOGS.keys()].toSorted())
  for (const [name, change, explanation] of EXPECTED) {
    t.is(explained(name, change), explanation, name)
  }
})

test('an attempt at another outside address is not this tunnel\'s', (t) => {
  t.is(explained('psk_v1', { localAddress: '198.51.100.2' }), null)
  t.is(explained('psk', { name: 'vpn-0123456789abcdef0-2', localAddress: '198.51.100.2' }), null)
})

test('a value of a stranger is cut, and a key is never repeated', (t) => {
  const config = exampleTunnel()
  const id = 'x'.repeat(5000)
  const said = explain([
    `looking for peer configs matching 198.51.100.1[${id}]...203.0.113.9[203.0.113.9]`,
    'no matching peer config found'
  ], config) ?? ''
  t.true(said.includes('xxx') && said.length < 300)
  for (const [name, change] of EXPECTED) {
    t.false(String(explained(name, change)).includes('correct.horse_battery9'))
  }
})
