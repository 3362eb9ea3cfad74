/** The admin API of a lab without hosts, over the real store. */
import test from 'ava'
import { mkdtempSync, rmSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../base/clock.ts'
import { systemRandom } from '../../base/random.ts'
import { ThreadReserve } from '../../host/dataplane_carrier.ts'
import { Lab } from '../../host/lab.ts'
import { AuditTrail } from '../../audit/trail.ts'
import { resolveConfig } from '../../host/lab_config.ts'
import type { LabFlags } from '../../host/lab_config.ts'
import { NOUNS, put } from '../../model/snapshot.ts'
import { bgpPath, VpnNetwork } from '../../model/test_vpn.ts'
import { silentLog } from '../../observe/log.ts'
import { Replica } from '../../store/replica.ts'
import { SqliteEngine } from '../../store/sqlite_engine.ts'
import { KeyRing } from '../key_ring.ts'
import type { VpnAnswer } from './contract.ts'
import { EVENT_READERS_MAX } from './event_feed.ts'
import { createAdminServer } from './server.ts'

const KEY = {
  accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret', accountId: '123456789012'
}

async function openLab (t: { teardown: (f: () => Promise<void>) => void }, flags: LabFlags = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-admin-'))
  const engine = new SqliteEngine(join(directory, 'store.sqlite'), systemClock)
  const replica = await Replica.open(engine)
  const log = silentLog()
  const lab = new Lab({
    lab: 'unit', replica, clock: systemClock, random: systemRandom, log, uplink: 'lab',
    forwarders: [], spinUs: 0,
    flowCapacity: 1024, fill: () => Promise.resolve(0), cluster: null, keyOf: () => null,
    threads: new ThreadReserve(0),
    identityOf: async () => await Promise.reject(new Error('nobody asks'))
  })
  await lab.start()
  const trail = new AuditTrail({ directory: join(directory, 'audit'), log })
  let stops = 0
  const server = createAdminServer({
    lab,
    replica,
    engine,
    trail,
    log,
    keyRing: new KeyRing([KEY]),
    clock: systemClock,
    random: systemRandom,
    config: resolveConfig({ hosts: '0', ...flags }, null),
    endpointUrl: 'http://127.0.0.1:4566',
    metricsUrl: null,
    stop: () => { stops++ }
  })
  t.teardown(async () => {
    await server.close()
    await lab.stop()
    replica.close()
    trail.close()
    await engine.close()
    rmSync(directory, { recursive: true })
  })
  const call = async (method: 'GET' | 'POST', url: string) => {
    const answer = await server.inject({ method, url })
    return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() }
  }
  return { replica, call, server, directory, stopCount: () => stops }
}

test('status, credentials, drops, flows and cache of a lab without hosts', async (t) => {
  const { call } = await openLab(t)
  const { status, body } = await call('GET', '/status')
  t.is(status, 200)
  t.like(body,
    { lab: 'unit', pid: process.pid, revision: 0, appliedRevision: 0, hosts: [], instances: {} })
  t.deepEqual((await call('GET', '/credentials')).body,
    { endpointUrl: 'http://127.0.0.1:4566', region: 'us-east-1', ...KEY })
  t.deepEqual((await call('GET', '/drops')).body, { drops: [] })
  t.deepEqual((await call('GET', '/flows?limit=5')).body, { flows: [] })
  t.deepEqual((await call('GET', '/flows?protocol=TCP')).body, { flows: [] })
  t.like((await call('GET', '/traffic')).body, { hosts: [], enis: [] })
  t.deepEqual((await call('GET', '/cache')).body, { hosts: [] })
})

test('a wait ends when the revision comes, and with 408 when it does not', async (t) => {
  const { replica, call } = await openLab(t)
  const waiting = call('GET', '/wait?revision=1&timeoutMs=10000')
  await replica.transact(
    () => ({ changes: [put('counter', { id: 'vni', next: 2 })], result: null }))
  t.deepEqual(await waiting, { status: 200, body: { appliedRevision: 1 } })
  t.is((await call('GET', '/wait')).status, 200, 'the present revision by default')
  const late = await call('GET', '/wait?revision=99&timeoutMs=1')
  t.is(late.status, 408)
  t.is(late.body['code'], 'VPCLAB_ERR_TIMEOUT')
  t.regex(String(late.body['message']), /Revision 99 .* the store itself is at 1/)
})

test('quotas are told with their defaults and with what overrides them', async (t) => {
  const { replica, call } = await openLab(t)
  await replica.transact(() => ({
    changes: [put('quotaOverride', { id: 'vpcs-per-region', value: 7 })], result: null
  }))
  const { body } = await call('GET', '/quotas')
  const quotas = body['quotas'] as { readonly name: string }[]
  t.like(quotas.find(({ name }) => name === 'vpcs-per-region'),
    { value: 7, default: 5, used: 0, resource: null, what: 'VPCs', code: 'VpcLimitExceeded' })
  t.like(quotas.find(({ name }) => name === 'subnets-per-vpc'), { value: 200, default: 200 })
})

/** Every quota of the table and its default. */
const SEED = {
  'vpcs-per-region': 5, 'ipv4-cidr-blocks-per-vpc': 5, 'ipv6-cidr-blocks-per-vpc': 5,
  'subnets-per-vpc': 200, 'route-tables-per-vpc': 200, 'routes-per-route-table': 50,
  'network-interfaces-per-region': 5000, 'security-groups-per-network-interface': 5,
  'security-groups-per-region': 2500, 'rules-per-security-group': 60,
  'prefix-lists-per-region': 100, 'network-insights-paths-per-region': 1000,
  'network-insights-analyses-per-region': 1000, 'network-acls-per-vpc': 200,
  'rules-per-network-acl': 20, 'dhcp-options-per-region': 100, 'flow-logs-per-resource': 2,
  'traffic-mirror-targets-per-region': 10_000, 'traffic-mirror-filters-per-region': 10_000,
  'traffic-mirror-rules-per-filter': 10, 'traffic-mirror-sessions-per-region': 10_000,
  'traffic-mirror-sessions-per-source': 3, 'traffic-mirror-sources-per-target': 10,
  'images-per-region': 1000, 'instances-per-region': 1000, 'stacks-per-region': 2000,
  'internet-gateways-per-region': 5, 'egress-only-internet-gateways-per-region': 5,
  'elastic-ips-per-region': 5, 'nat-gateways-per-zone': 5, 'elastic-ips-per-nat-gateway': 2,
  'private-ips-per-nat-gateway': 8, 'active-peerings-per-vpc': 50,
  'outstanding-peering-requests': 25, 'vpn-gateways-per-region': 5,
  'customer-gateways-per-region': 50, 'vpn-connections-per-region': 50,
  'vpn-connections-per-gateway': 10, 'static-routes-per-vpn-connection': 100,
  'propagated-routes-per-route-table': 100, 'hosted-zones-per-account': 500,
  'vpcs-per-hosted-zone': 300, 'records-per-hosted-zone': 10_000
}

for (const [quotaProfile, defaults] of [
  ['seed', SEED], ['current', { ...SEED, 'routes-per-route-table': 500 }]
] as const) {
  test(`the quotas of the profile ${quotaProfile} are these`, async (t) => {
    const { call } = await openLab(t, { quotaProfile })
    const { body } = await call('GET', '/quotas')
    t.is(body['profile'], quotaProfile)
    const quotas = body['quotas'] as { readonly name: string, readonly default: number }[]
    t.deepEqual(Object.fromEntries(quotas.map(({ name, default: value }) => [name, value])),
      defaults)
  })
}

test('a reset empties the store and keeps counters', async (t) => {
  const { replica, call } = await openLab(t)
  await replica.transact(() => ({
    changes: [
      put('counter', { id: 'vni', next: 2 }),
      put('idempotency', { id: 'x', requestHash: '', result: null, createdMs: 0 })
    ],
    result: null
  }))
  t.deepEqual(await call('POST', '/reset'), { status: 200, body: { revision: 2, removed: 1 } })
  t.is(replica.snapshot.tables.idempotency.size, 0)
  t.is(replica.snapshot.tables.counter.size, 1)
})

for (const { url, status, code } of [
  { url: '/wait?revision=-1', status: 400, code: 'InvalidParameterValue' },
  { url: '/wait?timeoutMs=600001', status: 400, code: 'InvalidParameterValue' },
  { url: '/flows?limit=many', status: 400, code: 'InvalidParameterValue' },
  { url: '/drops?reason=noroute', status: 400, code: 'InvalidParameterValue' },
  { url: '/flows?protocol=tpc', status: 400, code: 'InvalidParameterValue' },
  { url: '/flows?protocol=256', status: 400, code: 'InvalidParameterValue' },
  { url: '/events?noun=vpcs', status: 400, code: 'InvalidParameterValue' },
  { url: '/events?initial=no', status: 400, code: 'InvalidParameterValue' },
  { url: '/mapping?vpc=vpc-0&address=10.0.0.256', status: 400, code: 'InvalidParameterValue' },
  { url: '/mapping?vpc=vpc-0&address=10.0.0.1', status: 404, code: 'NotFound' },
  { url: '/instances/i-00000000000000001', status: 404, code: 'InvalidInstanceID.NotFound' },
  { url: '/capture', status: 400, code: 'InvalidParameterValue' },
  { url: '/capture?points=host-9', status: 404, code: 'NotFound' },
  { url: '/capture?points=vpc-0', status: 404, code: 'InvalidVpcID.NotFound' },
  { url: '/nothing', status: 404, code: 'NotFound' }
]) {
  test(`GET ${url} is refused with ${String(status)} ${code}`, async (t) => {
    const { call } = await openLab(t)
    const answer = await call('GET', url)
    t.is(answer.status, status)
    t.is(answer.body['code'], code)
  })
}

test('readers of events that leave make room, and a server that closes ends the others',
  async (t) => {
    const { server, directory } = await openLab(t)
    const socketPath = join(directory, 'admin.sock')
    await server.listen({ path: socketPath })
    const open = async () => await new Promise<IncomingMessage>((resolve, reject) => {
      get({ socketPath, path: '/events' }, resolve).on('error', reject)
    })
    const readers = await Promise.all(Array.from({ length: EVENT_READERS_MAX }, open))
    t.is((await open()).statusCode, 503)
    for (const reader of readers) reader.destroy()
    let reader = await open()
    while (reader.statusCode === 503) reader = await open()
    const lines = reader.setEncoding('utf8').toArray()
    await server.close()
    t.deepEqual((await lines as string[]).join('').trim().split('\n')
      .map((line) => (JSON.parse(line) as { type: string }).type), ['synced', 'stopped'])
  })

test('a stop is answered before the daemon stops', async (t) => {
  const { call, stopCount } = await openLab(t)
  t.deepEqual((await call('POST', '/stop')).body, { stopping: true })
  await new Promise((resolve) => { setImmediate(resolve) })
  t.is(stopCount(), 1)
})

test('tunnels say why they are down, and which of their ways is used', async (t) => {
  const { call, replica } = await openLab(t)
  const net = new VpnNetwork()
  const id = net.createVpn()
  net.up(id, 0, bgpPath('192.168.7.0/24', { asPath: [65_010, 65_010] }))
  net.up(id, 1, bgpPath('192.168.7.0/24', { med: 50 }), bgpPath('192.168.8.0/24'))
  const copy = async (): Promise<void> => {
    const changes = NOUNS.flatMap((noun) => [...net.snapshot.tables[noun].values()]
      .map((record) => put(noun, record as never)))
    await replica.transact(() => ({ changes, result: null }))
  }
  const tunnels = async (): Promise<VpnAnswer['tunnels']> =>
    (await call('GET', '/vpn')).body['tunnels'] as VpnAnswer['tunnels']
  await copy()
  t.deepEqual((await tunnels()).map(({ status, paths }) =>
    [status, ...paths.map(({ cidr, isUsed }) => `${cidr} ${String(isUsed)}`)]), [
    ['UP', '192.168.7.0/24 false'], ['UP', '192.168.7.0/24 true', '192.168.8.0/24 true']
  ])
  net.apply([put('ipsecSession', { ...net.ipsecOf(id, 1), isUp: false, message: 'no proposal' })])
  await copy()
  const [first, second] = await tunnels()
  t.is(first?.paths[0]?.isUsed, true)
  t.is(second?.status, 'DOWN')
  t.is(second?.ipsec.message, 'no proposal')
  t.deepEqual(second?.paths, [])
})
