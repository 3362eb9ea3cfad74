/** Prefix lists, and the rules and routes that name them, through a real daemon. */
import test from 'ava'
import { makeVpcctl, succeed } from './test_vpcctl.ts'

test('a prefix list is made, changed, restored, referred to and deleted', async (t) => {
  const { vpcctl } = makeVpcctl(t)
  const run = async (...words: string[]): Promise<string> => await succeed(t, vpcctl(...words))
  const shows = async (pattern: RegExp, ...words: string[]): Promise<void> => {
    t.regex(await run(...words), pattern, words.join(' '))
  }
  await run('lab', 'up', '--hosts', '0', '--api-port', '0')
  await run('vpc', 'create', '10.0.0.0/16', '--name', 'web')
  await run('subnet', 'create', 'web', '10.0.1.0/24', '--name', 'front')
  await run('eni', 'create', 'front', '--name', 'appliance')

  await run('prefix-list', 'create', 'offices', '192.0.2.0/24', '--max-entries', '3')
  await run('prefix-list', 'add', 'offices', '198.51.100.0/24', '--description', 'Berlin')
  await shows(/^198\.51\.100\.0\/24 +Berlin$/m, 'prefix-list', 'show', 'offices')
  await run('prefix-list', 'remove', 'offices', '192.0.2.0/24')
  t.notRegex(await run('prefix-list', 'show', 'offices'), /192\.0\.2\.0/)
  await run('prefix-list', 'restore', 'offices', '1')
  await shows(/^192\.0\.2\.0\/24/m, 'prefix-list', 'show', 'offices')
  await shows(/ offices +IPv4 +3 +4 /, 'prefix-list', 'list')
  await shows(/ com\.amazonaws\.us-east-1\.s3 .* AWS$/m, 'prefix-list', 'list')
  await run('prefix-list', 'set', 'offices', '--max-entries', '5', '--list-name', 'branches')

  await run('route-table', 'create', 'web', '--name', 'private')
  await run('route-table', 'add-route', 'private', 'branches', '--eni', 'appliance')
  await shows(/^pl-0\w{16} +eni-\w+ +blackhole +CreateRoute$/m, 'route-table', 'show', 'private')
  await run('security-group', 'create', 'web', 'servers')
  await run('security-group', 'authorize-ingress', 'servers', '--protocol', 'tcp', '--port', '22',
    '--peer-list', 'branches')
  await shows(/^rtb-\w+ .*\nsg-\w+ /m, 'prefix-list', 'references', 'branches')
  t.is((await vpcctl('prefix-list', 'delete', 'branches')).code, 1, 'in use')
  await shows(/^# +the route to pl-\w+ in the route table "private".*: files have no/m, 'export')
  await shows(new RegExp('^# +the rule for pl-\\w+ in the security group "servers" of the VPC ' +
    '"web": files have no', 'm'), 'export')

  const rule = (await run('security-group', 'rules', 'servers', '--query',
    '[?PrefixListId].SecurityGroupRuleId', '-q')).trim()
  await run('security-group', 'describe-rule', rule, 'the branches')
  await shows(/ pl-0\w{16} +the branches$/m, 'security-group', 'rules', 'servers')
  await run('security-group', 'modify-rule', rule, '--protocol', 'tcp', '--port', '443',
    '--cidr', '192.0.2.0/24')
  await shows(new RegExp(`^${rule} .* tcp +443 +192\\.0\\.2\\.0/24`, 'm'), 'security-group',
    'rules')
  t.is(await run('security-group', 'stale', 'web', '-q'), '', 'without peerings nothing is stale')
  await run('route-table', 'delete-route', 'private', 'branches')
  await run('prefix-list', 'delete', 'branches')
  t.notRegex(await run('prefix-list', 'list'), /branches/)
})
