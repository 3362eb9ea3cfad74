/** Nouns and verbs beyond vpcctl.test.ts, through a real daemon: what each changes is shown. */
import test from 'ava'
import { makeVpcctl, succeed } from './test_vpcctl.ts'

test('what a network may have beside subnets is made, shown, changed and deleted', async (t) => {
  const { vpcctl } = makeVpcctl(t)
  const run = async (...words: string[]): Promise<string> => await succeed(t, vpcctl(...words))
  const shows = async (pattern: RegExp, ...words: string[]): Promise<void> => {
    t.regex(await run(...words), pattern, words.join(' '))
  }
  await run('lab', 'up', '--hosts', '0', '--api-port', '0')
  await run('vpc', 'create', '10.0.0.0/16', '--name', 'web', '--tenancy', 'dedicated')
  await run('subnet', 'create', 'web', '10.0.1.0/24', '--name', 'front')
  const eni = (await run('eni', 'create', 'front', '--name', 'service', '-q')).trim()

  await run('network-acl', 'create', 'web', '--name', 'edge')
  await run('network-acl', 'add-rule', 'edge', 'ingress', '100', 'allow', '--protocol', 'tcp',
    '--port', '80', '--cidr', '0.0.0.0/0')
  await shows(/^ingress +100 +allow +tcp +80 +0\.0\.0\.0\/0$/m, 'network-acl', 'show', 'edge')
  await run('network-acl', 'replace-rule', 'edge', 'ingress', '100', 'deny', '--protocol', 'icmp',
    '--icmp', '8:0', '--cidr', '192.0.2.0/24')
  await shows(/^ingress +100 +deny +icmp +type 8 code 0 +192\.0\.2\.0\/24$/m,
    'network-acl', 'show', 'edge')
  await run('network-acl', 'delete-rule', 'edge', 'ingress', '100')
  t.notRegex(await run('network-acl', 'show', 'edge'), / 100 /)
  await run('network-acl', 'associate', 'edge', 'front')
  await shows(/ edge .* subnet-\w+ /, 'network-acl', 'list', '--vpc', 'web')

  await run('dhcp-options', 'create', 'domain-name=example.com', 'ntp-servers=192.0.2.1,192.0.2.2',
    '--name', 'office')
  await run('dhcp-options', 'associate', 'office', 'web')
  await shows(/domain-name=example\.com ntp-servers=192\.0\.2\.1,192\.0\.2\.2/, 'dhcp-options',
    'list')
  t.is((await vpcctl('dhcp-options', 'delete', 'office')).code, 1)
  await run('dhcp-options', 'associate', 'default', 'web')
  await run('dhcp-options', 'delete', 'office')

  await run('subnet', 'reserve-cidr', 'front', '10.0.1.128/25', '--type', 'prefix')
  await shows(/ 10\.0\.1\.128\/25 +prefix /, 'subnet', 'reservations', 'front')
  await run('subnet', 'release-cidr', (await run('subnet', 'reservations', 'front', '-q')).trim())
  t.is(await run('subnet', 'reservations', 'front', '-q'), '')
  await run('subnet', 'set', 'front', '--hostname-type', 'resource-name', '--resource-name-a', 'on')
  await shows(/HostnameType +resource-name/, 'subnet', 'show', 'front')

  await run('eni', 'grant', 'service', '111122223333')
  await shows(new RegExp(` ${eni} +111122223333 +INSTANCE-ATTACH `), 'eni', 'grants', 'service')
  await run('eni', 'revoke', (await run('eni', 'grants', '-q')).trim())
  await run('eni', 'set', 'service', '--source-dest-check', 'off')
  await shows(/SourceDestCheck\n +Value +false/, 'eni', 'attributes', 'service')
  await run('eni', 'reset', 'service')
  await shows(/SourceDestCheck\n +Value +true/, 'eni', 'attributes', 'service')

  await run('vpc', 'set', 'web', '--dns-hostnames', 'on', '--tenancy', 'default')
  await shows(/EnableDnsHostnames\n +Value +true/, 'vpc', 'attributes', 'web')
  await shows(/InstanceTenancy +default/, 'vpc', 'show', 'web')
})

test('a hosted zone and its records are made, shown, changed and deleted', async (t) => {
  const { vpcctl } = makeVpcctl(t)
  const run = async (...words: string[]): Promise<string> =>
    await succeed(t, vpcctl('hosted-zone', ...words))
  await succeed(t, vpcctl('lab', 'up', '--hosts', '0', '--api-port', '0'))
  for (const name of ['web', 'data']) {
    await succeed(t, vpcctl('vpc', 'create', '10.0.0.0/16', '--name', name))
  }
  const id = (await run('create', 'corp.example', 'web', '--comment', 'a & b', '-q')).trim()
  t.regex(id, /^Z[0-9A-Z]{17}$/)
  t.regex(await run('list'), /^Z\w+ +corp\.example\. +2 +a & b$/m)
  await run('set-record', 'corp.example', 'app.corp.example', 'a', '10.0.1.10', '10.0.1.11')
  await run('set-record', id, '*.corp.example', 'TXT', '"a < b"', '--ttl', '5')
  const records = await run('records', 'corp.example')
  t.regex(records, /^app\.corp\.example\. +A +60 +10\.0\.1\.10, 10\.0\.1\.11$/m)
  t.regex(records, /^\\052\.corp\.example\. +TXT +5 +"a < b"$/m)
  await run('associate', 'corp.example', 'data')
  t.is(await run('show', 'corp.example', '--query', 'length(VPCs)'), '2\n')
  await run('disassociate', 'corp.example', 'data')
  const refused = await vpcctl('hosted-zone', 'delete', 'corp.example')
  t.is(refused.code, 1)
  t.regex(refused.stderr, /HostedZoneNotEmpty/)
  await run('delete-record', 'corp.example', 'APP.corp.example', 'A')
  await run('delete-record', 'corp.example', '*.corp.example', 'TXT')
  t.regex((await vpcctl('hosted-zone', 'delete-record', id, 'no.corp.example', 'A')).stderr,
    /NameNotFound/)
  await run('delete', 'corp.example')
  t.is(await run('list', '-q'), '')
})

test('rules of a security group are listed and revoked one by one', async (t) => {
  const { vpcctl } = makeVpcctl(t)
  const run = async (...words: string[]): Promise<string> => await succeed(t, vpcctl(...words))
  await run('lab', 'up', '--hosts', '0', '--api-port', '0')
  await run('vpc', 'create', '10.0.0.0/16', '--name', 'web')
  await run('security-group', 'create', 'web', 'servers')
  await run('security-group', 'authorize-ingress', 'servers', '--protocol', 'tcp', '--port', '80',
    '--cidr', '192.0.2.0/24', '--cidr', '198.51.100.0/24')
  const ingress = async (): Promise<string[]> => (await run('security-group', 'rules', 'servers',
    '--query', '[?!IsEgress].[CidrIpv4,SecurityGroupRuleId][]', '-q')).trim().split('\n')
  const [cidr, rule = '', other] = await ingress()
  t.deepEqual([cidr, other].toSorted(), ['192.0.2.0/24', '198.51.100.0/24'])
  await run('security-group', 'revoke-ingress', 'servers', '--rule', rule)
  t.is((await ingress())[0], other)
})

test('what a quota refuses passes once a restart has raised it', async (t) => {
  const { vpcctl } = makeVpcctl(t)
  const run = async (...words: string[]): Promise<string> => await succeed(t, vpcctl(...words))
  await run('lab', 'up', '--hosts', '0', '--api-port', '0', '--quota', 'vpcs-per-region=0')
  t.regex((await vpcctl('vpc', 'create', '10.0.0.0/16')).stderr, /VpcLimitExceeded/)
  await run('lab', 'stop')
  await run('lab', 'up', '--quota', 'vpcs-per-region=1')
  await run('vpc', 'create', '10.0.0.0/16')
  await run('lab', 'stop')
  await run('lab', 'up', '--quota', 'vpcs-per-region=5')
  t.regex(await run('quota', 'list'), /^vpcs-per-region +5 +5 +1 +-/m)
})

test('what the lab offers is listed: quotas, Regions, types, attributes', async (t) => {
  const { vpcctl } = makeVpcctl(t)
  const run = async (...words: string[]): Promise<string> => await succeed(t, vpcctl(...words))
  await run('lab', 'up', '--hosts', '0', '--api-port', '0', '--quota', 'vpcs-per-region=7',
    '--quota-profile', 'current')
  t.regex(await run('quota', 'list'), /^routes-per-route-table +500 +500 +0 /m)
  await run('vpc', 'create', '10.0.0.0/16')
  t.regex(await run('quota', 'list'), /^vpcs-per-region +7 +5 +1 +- +VPCs$/m)
  t.is(await run('region', 'list', '--query', 'length([?RegionName==\'us-east-1\'])'), '1\n')
  t.regex(await run('instance-type', 'show', 'm5.large'), /MaximumNetworkInterfaces +3/)
  t.regex(await run('account', 'attributes'), /^max-instances +1000$/m)
  t.regex(await run('zone', 'opt-in', 'us-east-1-zg-1'), /Opted in/)
  t.is(await run('instance', 'status', '--json'), '[]\n')
  const none = await vpcctl('vpc', 'list', '--query', 'sum(@)')
  t.is(none.code, 2)
  t.regex(none.stderr, /^vpcctl: Usage: --query sum\(@\): /)
})
