/** Certificates by the command line, against a daemon that serves the API alone. */
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { makeVpcctl, succeed } from './test_vpcctl.ts'

test('three commands lead from nothing to the files of a device', async (t) => {
  const { vpcctl, directory } = makeVpcctl(t)
  const run = (words: string): Promise<string> => succeed(t, vpcctl(...words.split(' ')))
  await run('lab up --hosts 0 --api-port 0')
  const none = await vpcctl('certificate', 'request', 'branch.example.com')
  t.regex(none.stderr, /create-authority/)
  await run('certificate create-authority vpn.example.com')
  t.regex(await run('certificate authorities'),
    /^vpn\.example\.com root +ROOT +ACTIVE[^]*^vpn\.example\.com +SUBORDINATE +ACTIVE/m)
  const arn = (await run('certificate request branch.example.com -q')).trim()
  const files = join(directory, 'branch')
  await run(`certificate export branch.example.com ${files}`)
  const read = (name: string): string => readFileSync(join(files, name), 'utf8')
  const certificate = new X509Certificate(read('certificate.pem'))
  t.true(certificate.checkPrivateKey(createPrivateKey(read('private_key.pem'))))
  t.is(statSync(join(files, 'private_key.pem')).mode & 0o777, 0o600)
  const [subordinate, root] = ['subordinate.pem', 'root.pem']
    .map((name) => new X509Certificate(read(name)))
  t.true(subordinate !== undefined && certificate.checkIssued(subordinate))
  t.true(root !== undefined && subordinate?.checkIssued(root))

  await run(`cgw create --certificate ${arn} --asn 65010`)
  t.regex(await run('certificate list'), /^branch\.example\.com +PRIVATE +ISSUED +yes/m)
  await run('certificate revoke branch.example.com --reason KEY_COMPROMISE')
  t.regex(await run('certificate show branch.example.com'), /REVOKED/)
  const used = await vpcctl('certificate', 'delete', 'branch.example.com')
  t.regex(used.stderr, /ResourceInUseException: .*customer-gateway\/cgw-/)
})
