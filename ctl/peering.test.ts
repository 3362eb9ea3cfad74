/** Peerings, and the routes and rules that name them, through a real daemon. */
import test from 'ava'
import { makeVpcctl, succeed } from './test_vpcctl.ts'

test('a peering is asked for, accepted, routed, named by rules, and deleted', async (t) => {
  const { vpcctl } = makeVpcctl(t)
  const run = async (...words: string[]): Promise<string> => await succeed(t, vpcctl(...words))
  const shows = async (pattern: RegExp, ...words: string[]): Promise<void> => {
    t.regex(await run(...words), pattern, words.join(' '))
  }
  await run('lab', 'up', '--hosts', '0', '--api-port', '0')
  await run('vpc', 'create', '10.1.0.0/16', '--name', 'web')
  await run('vpc', 'create', '10.2.0.0/16', '--name', 'data')
  await run('peering', 'create', 'web', 'data', '--name', 'web-data')
  await shows(/ web-data +pending-acceptance +vpc-\w+ 10\.1\.0\.0\/16 /, 'peering', 'list')
  await run('route-table', 'create', 'web', '--name', 'private')
  await run('route-table', 'add-route', 'private', '10.2.0.0/16', '--peering', 'web-data')
  await shows(/^10\.2\.0\.0\/16 +pcx-\w+ +blackhole +CreateRoute$/m, 'route-table', 'show',
    'private')
  await run('peering', 'accept', 'web-data')
  await shows(/^10\.2\.0\.0\/16 +pcx-\w+ +active +CreateRoute$/m, 'route-table', 'show', 'private')
  await run('vpc', 'set', 'data', '--dns-hostnames', 'on')
  await run('peering', 'set', 'web-data', '--accepter-dns', 'on')
  await shows(/AllowDnsResolutionFromRemoteVpc +true/, 'peering', 'show', 'web-data')

  await run('security-group', 'create', 'web', 'front')
  await run('security-group', 'create', 'data', 'back')
  await run('security-group', 'authorize-ingress', 'back', '--protocol', 'tcp', '--port', '5432',
    '--peer-group', 'front')
  await shows(/^sg-\w+ +vpc-\w+ +pcx-\w+$/m, 'security-group', 'references', 'front')
  t.is(await run('security-group', 'stale', 'data', '-q'), '')
  await shows(/^ +10\.2\.0\.0\/16:\n +peering: web-data$/m, 'export')
  await run('peering', 'delete', 'web-data')
  await shows(/^sg-\w+ +back +sg-\w+$/m, 'security-group', 'stale', 'data')
  await shows(/ blackhole +CreateRoute$/m, 'route-table', 'show', 'private')
  const written = await run('export')
  t.regex(written,
    /^# +the route to 10\.2\.0\.0\/16 in the route table "private" .* pcx-\w+ is gone$/m)
  t.regex(written,
    /^# +the rule for sg-\w+ in the security group "back" .* pcx-\w+ is deleted$/m)

  await run('peering', 'create', 'web', 'data', '--accept', '--name', 'again')
  await shows(/ again +active /, 'peering', 'list')
  const second = await vpcctl('peering', 'create', 'data', 'web')
  t.is(second.code, 1)
  t.regex(second.stderr, /VpcPeeringConnectionAlreadyExists.*\n.*hint: "vpcctl peering list"/s)
  await run('peering', 'delete', 'again')
  await run('peering', 'create', 'web', 'data', '--name', 'third')
  await run('peering', 'reject', 'third')
  await shows(/ third +rejected /, 'peering', 'list')
})
