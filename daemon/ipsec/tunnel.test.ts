/** Tunnel options of AWS in charon's terms. */
import test from 'ava'
import { exampleTunnel, PHASE } from './testing/example_tunnel.ts'
import { connectionMessage, espProposals, ikeProposals, sharedKeyMessage } from './tunnel.ts'
import type { TunnelConfig } from './tunnel.ts'
import type { ViciMessage } from './vici/message.ts'

const connection = (change: Partial<TunnelConfig>): ViciMessage =>
  Object.values(connectionMessage(exampleTunnel(change)))[0] as ViciMessage
const child = (change: Partial<TunnelConfig>): ViciMessage =>
  Object.values(connection(change)['children'] as ViciMessage)[0] as ViciMessage

test('proposals go from the lowest value up, AEAD apart from the others', (t) => {
  const phase = {
    encryption: ['AES256-GCM-16', 'AES256', 'AES128'],
    integrity: ['SHA2-512', 'SHA1'],
    dhGroups: [20, 2, 14],
    lifetimeSeconds: 3600
  } as const
  t.deepEqual(ikeProposals(phase), [
    'aes128-aes256-sha1-sha512-modp1024-modp2048-ecp384',
    'aes256gcm16-prfsha1-prfsha512-modp1024-modp2048-ecp384'
  ])
  t.deepEqual(espProposals(phase), [
    'aes128-aes256-sha1-sha512-modp1024-modp2048-ecp384',
    'aes256gcm16-modp1024-modp2048-ecp384'
  ])
})

test('only what is allowed is offered', (t) => {
  const aead = { ...PHASE, encryption: ['AES128-GCM-16'], lifetimeSeconds: 900 } as const
  t.deepEqual(espProposals(aead).length, 1)
  t.throws(() => ikeProposals({ ...aead, dhGroups: [1] }), { message: /group 1 has no name/ })
})

test('rekeying begins between margin and margin with fuzz before the end', (t) => {
  t.like(child({}), { life_time: '3600s', rekey_time: '3330s', rand_time: '270s' })
  t.like(connection({}), { rekey_time: '28530s', rand_time: '270s', over_time: '270s' })
  t.like(child({ rekeyMarginSeconds: 60, rekeyFuzzPercentage: 0 }),
    { rekey_time: '3540s', rand_time: '0s' })
  t.like(child({ phase2: { ...PHASE, lifetimeSeconds: 900 }, rekeyMarginSeconds: 800 }),
    { rekey_time: '450s', rand_time: '449s' })
})

test('versions, dead peer detection and the start are as the options say', (t) => {
  t.is(connection({})['version'], '0')
  t.is(connection({ ikeVersions: ['ikev1'] })['version'], '1')
  t.is(connection({ ikeVersions: ['ikev2'] })['version'], '2')
  t.like(connection({ dpdTimeoutSeconds: 40 }), { dpd_delay: '10s', dpd_timeout: '40s' })
  t.is(connection({ dpdTimeoutAction: 'none' })['dpd_delay'], '0s')
  t.is(child({ dpdTimeoutAction: 'restart' })['dpd_action'], 'restart')
  t.is(child({ startupAction: 'start' })['start_action'], 'start')
  t.is(child({})['start_action'], 'none')
})

test('a shared key belongs to the outside address, and to the peer\'s identity or address', (t) => {
  t.deepEqual(sharedKeyMessage(exampleTunnel())?.['owners'], ['198.51.100.1', '203.0.113.9'])
  t.deepEqual(sharedKeyMessage(exampleTunnel(), [exampleTunnel({ name: 'other' })])?.['owners'],
    ['198.51.100.1'], 'nor is another\'s key to fit')
  t.deepEqual(sharedKeyMessage(exampleTunnel({ remoteAddress: null }))?.['owners'],
    ['198.51.100.1'])
  t.deepEqual(sharedKeyMessage(exampleTunnel({ remoteId: 'cgw' }))?.['owners'],
    ['198.51.100.1', 'cgw'])
  const authentication = {
    kind: 'certificate', certificate: 'C', privateKey: 'K', issuer: 'A', chain: ['R'],
    revocationLists: ['L']
  } as const
  t.is(sharedKeyMessage(exampleTunnel({ authentication })), null)
  t.like(connection({ authentication, remoteAddress: null }), {
    remote_addrs: ['%any'],
    local: { auth: 'pubkey', id: '198.51.100.1', certs: ['C'] },
    remote: { auth: 'pubkey', id: '%any', cacerts: ['A'] }
  })
})
