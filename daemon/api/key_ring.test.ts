/** Access keys: their text form, and where they come from. */
import test from 'ava'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemRandom } from '../base/random.ts'
import { ACCOUNT_ID_DEFAULT, formatAccessKey, generateAccessKey, KeyRing, openKeyRing,
  parseAccessKeys } from './key_ring.ts'

const A = { accessKeyId: 'AKIDA', secretAccessKey: 'a/b+c=', accountId: '111111111111' }
const B = { accessKeyId: 'AKIDB', secretAccessKey: 's', accountId: '222222222222' }

test('keys are read by comma and by line, comments are not', (t) => {
  const text = `# mine\n${formatAccessKey(A)}, ${formatAccessKey(B)}\n\n`
  t.deepEqual(parseAccessKeys(text, 'test'), [A, B])
  t.deepEqual(parseAccessKeys('', 'test'), [])
})

test('an entry of another form is refused by its place', (t) => {
  for (const bad of ['AKIDA:s', 'AKIDA:s:123', 'AKIDA::111111111111', 'AK IDA:s:111111111111',
    'AKIDA:s:111111111111:x']) {
    t.throws(() => parseAccessKeys(`${formatAccessKey(B)},${bad}`, 'the file'),
      { code: 'VPCLAB_ERR_CONFIG', message: /access key 2 of the file/ }, bad)
  }
})

test('one key id has one meaning', (t) => {
  t.is(new KeyRing([A, B, A]).find('AKIDA'), A)
  t.is(new KeyRing([A]).find('AKIDB'), undefined)
  t.throws(() => new KeyRing([A, { ...A, secretAccessKey: 'x' }]), { code: 'VPCLAB_ERR_CONFIG' })
  t.throws(() => new KeyRing([]), { code: 'VPCLAB_ERR_CONFIG' })
})

test('a made key has AWS\'s form and survives its own text', (t) => {
  const key = generateAccessKey(systemRandom, ACCOUNT_ID_DEFAULT)
  t.regex(key.accessKeyId, /^AKIA[A-Z2-7]{16}$/)
  t.is(key.secretAccessKey.length, 40)
  t.deepEqual(parseAccessKeys(formatAccessKey(key), 'test'), [key])
})

test('the first key of a lab is made once, for its owner only', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-keys-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const credentialsPath = join(directory, 'state', 'credentials')
  const options = {
    environment: undefined, accessKeysPath: undefined, credentialsPath, random: systemRandom
  }
  const { first } = openKeyRing(options)
  t.is(statSync(credentialsPath).mode & 0o777, 0o600)
  t.deepEqual(openKeyRing(options).first, first)
  t.is(readFileSync(credentialsPath, 'utf8'), `${formatAccessKey(first)}\n`)
  const accessKeysPath = join(directory, 'keys')
  writeFileSync(accessKeysPath, formatAccessKey(B))
  const ring = openKeyRing({ ...options, environment: formatAccessKey(A), accessKeysPath })
  t.deepEqual([ring.first, ring.find('AKIDB'), ring.find(first.accessKeyId)], [A, B, first])
  t.throws(() => openKeyRing({ ...options, accessKeysPath: join(directory, 'absent') }),
    { code: 'VPCLAB_ERR_CONFIG', message: /cannot be read/ })
})
