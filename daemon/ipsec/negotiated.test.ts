import test from 'ava'
import { negotiatedOf } from './negotiated.ts'

const CHILD = { state: 'INSTALLED', 'encr-alg': 'AES_CBC', 'encr-keysize': '128',
  'integ-alg': 'HMAC_SHA2_512_256', 'dh-group': 'MODP_1536' }

test('what was agreed on is said in EC2\'s words', (t) => {
  t.deepEqual(negotiatedOf({
    version: '2', 'encr-alg': 'AES_GCM_16', 'encr-keysize': '256', 'prf-alg': 'PRF_HMAC_SHA2_384',
    'dh-group': 'ECP_384',
    'child-sas': { 'tunnel-1': { ...CHILD, state: 'DELETED' }, 'tunnel-2': CHILD }
  }), {
    ikeVersion: 'ikev2', phase1EncryptionAlgorithm: 'AES256-GCM-16',
    phase1IntegrityAlgorithm: 'SHA2-384', phase1DHGroup: 20, phase2EncryptionAlgorithm: 'AES128',
    phase2IntegrityAlgorithm: 'SHA2-512', phase2DHGroup: 5
  })
  t.like(negotiatedOf({
    version: '1', 'encr-alg': 'AES_CBC', 'encr-keysize': '128', 'integ-alg': 'HMAC_SHA1_96',
    'prf-alg': 'PRF_HMAC_SHA1', 'dh-group': 'MODP_1024',
    'child-sas': {
      tunnel: { state: 'INSTALLED', 'encr-alg': 'AES_GCM_16', 'encr-keysize': '128' }
    }
  }), {
    ikeVersion: 'ikev1', phase1IntegrityAlgorithm: 'SHA1', phase1DHGroup: 2,
    phase2EncryptionAlgorithm: 'AES128-GCM-16', phase2IntegrityAlgorithm: '', phase2DHGroup: 0
  })
})

test('nothing is agreed on before a child is installed', (t) => {
  t.is(negotiatedOf({ version: '2', 'encr-alg': 'AES_CBC' }), null)
  const deleted = { ...CHILD, state: 'DELETED' }
  t.is(negotiatedOf({ version: '2', 'child-sas': { tunnel: deleted } }), null)
})
