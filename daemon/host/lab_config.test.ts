import test from 'ava'
import { VpclabError } from '../base/errors.ts'
import { hostRecords, resolveConfig } from './lab_config.ts'
import type { LabFlags } from './lab_config.ts'

test('without flags a lab has two hosts in two zones', (t) => {
  const config = resolveConfig({}, null)
  t.deepEqual(
    config.hosts, [{ name: 'host-1', zoneId: 'use1-az1' }, { name: 'host-2', zoneId: 'use1-az2' }])
  t.is(config.apiPort, 4566)
  t.deepEqual(
    hostRecords(config).map((host) => `${host.id} ${host.roles.join('+')} ${host.underlayAddress}`),
    [
      'host-1 compute 100.127.0.1', 'host-2 compute 100.127.0.2',
      'edge-1 edge+hyperplane 100.127.64.1', 'edge-2 edge+hyperplane 100.127.64.2',
      'edge-3 edge+hyperplane 100.127.64.3'
    ])
})

test('hosts are spread over the zones in turn, or stand where they are told to', (t) => {
  t.deepEqual(resolveConfig({ hosts: '3', zones: '2' }, null).hosts.map((host) => host.zoneId),
    ['use1-az1', 'use1-az2', 'use1-az1'])
  t.deepEqual(resolveConfig({ hosts: 'alpha:use1-az3,beta:2' }, null).hosts,
    [{ name: 'alpha', zoneId: 'use1-az3' }, { name: 'beta', zoneId: 'use1-az2' }])
  t.deepEqual(resolveConfig({ hosts: '0' }, null).hosts, [])
  t.is(resolveConfig({ hosts: '1', region: 'eu-west-1' }, null).hosts[0]?.zoneId, 'euw1-az1')
  t.is(hostRecords(resolveConfig({ hosts: '1', underlay: 'ipv6' }, null))[0]?.underlayAddress,
    'fd7f::1')
})

test('hosts of other Regions stand in zones of these', (t) => {
  const config = resolveConfig({ hosts: 'alpha:1,beta:euw1-az2', edges: '0' }, null)
  t.deepEqual(hostRecords(config).map(({ id, region, zoneId }) => `${id} ${region} ${zoneId}`),
    ['alpha us-east-1 use1-az1', 'beta eu-west-1 euw1-az2'])
})

test('a later start needs no flags, and may change how the lab is served', (t) => {
  const saved =
    resolveConfig({ hosts: '3', zones: '3', apiPort: '4600', quotas: ['vpcs-per-region=50'] }, null)
  t.deepEqual(resolveConfig({}, saved), saved)
  const again = resolveConfig({ apiPort: '0', quotas: ['instances-per-region=9'] }, saved)
  t.is(again.apiPort, 0)
  t.deepEqual(again.quotas, { 'vpcs-per-region': 50, 'instances-per-region': 9 })
  t.deepEqual(resolveConfig({ hosts: '3', zones: '3' }, saved).hosts, saved.hosts,
    'saying the same again is fine')
})

test('a profile of quotas is kept until a start names another one', (t) => {
  const first = resolveConfig({}, null)
  t.is(first.quotaProfile, 'seed')
  const second = resolveConfig({ quotaProfile: 'current' }, first)
  t.is(resolveConfig({}, second).quotaProfile, 'current')
  t.is(resolveConfig({ quotaProfile: 'seed' }, second).quotaProfile, 'seed')
})

test('metrics are served from the start that asks for them until one that says off', (t) => {
  const first = resolveConfig({}, null)
  t.is(first.metricsPort, null)
  const second = resolveConfig({ metricsPort: '9466' }, first)
  t.is(second.metricsPort, 9466)
  t.is(resolveConfig({}, second).metricsPort, 9466)
  t.is(resolveConfig({ metricsPort: 'off' }, second).metricsPort, null)
})

const REFUSED: readonly { readonly flags: LabFlags, readonly names: RegExp }[] = [
  { flags: { hosts: '-1' }, names: /"-1" of --hosts/ },
  { flags: { metricsPort: '65536' }, names: /"65536" of --metrics-port/ },
  { flags: { hosts: '1025' }, names: /"1025" of --hosts/ },
  { flags: { hosts: 'alpha' }, names: /--hosts/ },
  { flags: { hosts: 'alpha:use1-az1,alpha:use1-az2' }, names: /names that differ/ },
  { flags: { hosts: 'alpha:mars1-az1' }, names: /"mars1-az1"/ },
  { flags: { hosts: 'a-name-that-is-too-long:1' }, names: /at most 15/ },
  { flags: { hosts: 'underlay:1' }, names: /--hosts/ },
  { flags: { hosts: 'alpha:1', zones: '2' }, names: /--zones/ },
  { flags: { zones: '0' }, names: /"0" of --zones/ },
  { flags: { region: 'mars-north-1' }, names: /"mars-north-1" of --region/ },
  { flags: { underlay: 'ipx' }, names: /"ipx" of --underlay/ },
  { flags: { store: 'mysql://a' }, names: /"mysql:\/\/a" of --store .* sqlite, or etcd:/ },
  { flags: { underlayMtu: '576' }, names: /"576" of --underlay-mtu/ },
  { flags: { underlayEncryption: 'maybe' }, names: /"maybe" of --underlay-encryption/ },
  { flags: { agentCa: '/a', agentKey: '/b' }, names: /"\/a, \/b" of --agent-ca.* all three/ },
  { flags: { apiPort: '65536' }, names: /"65536" of --api-port/ },
  { flags: { flowCapacity: '4194303' }, names: /"4194303" of --flow-capacity .* to 4194302/ },
  { flags: { quotaProfile: 'old' }, names: /"old" of --quota-profile .* seed or current/ },
  { flags: { quotas: ['vpcs=1'] }, names: /"vpcs=1" of --quota/ },
  { flags: { quotas: ['vpcs-per-region=many'] }, names: /"vpcs-per-region=many" of --quota/ },
  { flags: { quotas: ['routes-per-route-table=1001'] }, names: /can be 1000 at most/ }
]

for (const { flags, names } of REFUSED) {
  test(`${JSON.stringify(flags)} is refused and named`, (t) => {
    const error = t.throws(() => resolveConfig(flags, null), { instanceOf: VpclabError })
    t.is(error.code, 'VPCLAB_ERR_CONFIG')
    t.regex(error.message, names)
  })
}

test('what a lab is made of cannot change under it', (t) => {
  const saved = resolveConfig({}, null)
  for (const flags of [{ hosts: '3' }, { underlay: 'ipv6' }, { underlayMtu: '1500' },
    { region: 'eu-west-1' }, { store: 'etcd://10.0.0.1' }]) {
    t.regex(t.throws(() => resolveConfig(flags, saved), { instanceOf: VpclabError }).message,
      /The lab was made with/)
  }
  t.throws(() => resolveConfig({ hosts: '1' }, saved), {
    message: 'The lab was made with hosts host-1:use1-az1, host-2:use1-az2, not host-1:use1-az1: ' +
      'remove it with "vpcctl lab down" first, or ask for what it has'
  })
})

test('edges are counted, and a lab without hosts has none', (t) => {
  const idsOf = (flags: LabFlags): string[] =>
    hostRecords(resolveConfig(flags, null)).map(({ id }) => id)
  t.deepEqual(idsOf({ hosts: '1', edges: '1' }), ['host-1', 'edge-1'])
  t.deepEqual(idsOf({ hosts: '1', edges: '0' }), ['host-1'])
  t.deepEqual(idsOf({ hosts: '0' }), [])
  const error = t.throws(() => idsOf({ hosts: '0', edges: '1' }))
  t.regex(error.message, /--edges/)
  t.throws(() => idsOf({ hosts: 'edge-1:1' }), { message: /--hosts/ }, 'an edge\'s name')
})
