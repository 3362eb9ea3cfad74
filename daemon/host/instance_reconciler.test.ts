/**
 * The reconciler of one host between a ledger in memory and real namespaces; the data plane's side
 * (Ports) is played here. Needs root.
 *
 *     unit<pid>: host "here" with one instance in 10.0.1.0/24
 */
import test from 'ava'
import { existsSync } from 'node:fs'
import { VpclabError } from '../base/errors.ts'
import type { AppliedChange } from '../model/commit_feed.ts'
import type { Instance } from '../model/instance.ts'
import type { Ledger } from '../model/ledger.ts'
import type { NetworkInterface } from '../model/network_interface.ts'
import { Snapshot, put } from '../model/snapshot.ts'
import type { Change } from '../model/snapshot.ts'
import type { Subnet } from '../model/subnet.ts'
import { silentLog } from '../observe/log.ts'
import { runIpBatch } from './command.ts'
import { InstanceReconciler } from './instance_reconciler.ts'
import type { Ports } from './instance_reconciler.ts'
import { Limiter } from './limiter.ts'
import type { NamespaceMonitor } from './namespace_monitor.ts'
import { viewNamespace } from './namespace_view.ts'
import { STATE_DIRECTORY_VARIABLE, namespaceName, namespacePath } from './paths.ts'
import { removeNamespaces } from './teardown.ts'

const LAB = `unit${String(process.pid)}r`
const rootTest = process.getuid?.() === 0 ? test.serial : test.serial.skip
process.env[STATE_DIRECTORY_VARIABLE] = `/tmp/${LAB}`

const SUBNET = { id: 'subnet-1', cidrBlock: '10.0.1.0/24', ipv6CidrBlocks: [] } as unknown as Subnet

function instance (id: string, fields: Partial<Instance>): Instance {
  return {
    id, vpcId: 'vpc-1', hostName: 'here', state: 'pending', goal: 'running', userData: '', tags: {},
    bootCount: 0, rebootCount: 0, stateReason: '', ...fields
  } as unknown as Instance
}

function eniOf (instanceId: string, privateIpAddresses: string[]): NetworkInterface {
  return {
    id: `eni-of-${instanceId}`, vpcId: 'vpc-1', subnetId: SUBNET.id, privateIpAddresses,
    ipv6Addresses: [], ipv4Prefixes: [], ipv6Prefixes: [],
    attachment: { id: '', instanceId, deviceIndex: 0, deleteOnTermination: true, attachedMs: 0 }
  } as unknown as NetworkInterface
}

/** A reconciler, the ledger it hears commits from, and what it asked of the data plane. */
function world (open: (deviceName: string, fresh: boolean) => void) {
  const snapshot = new Snapshot()
  const commit = (...changes: Change[]): number => {
    const revision = snapshot.revision + 1
    const applied = changes.map((change) => ({
      ...change, previous: snapshot.tables[change.noun].get(change.id) ?? null
    }) as AppliedChange)
    snapshot.apply(revision, changes)
    reconciler.onCommit(revision, applied)
    return revision
  }
  const ledger: Ledger = {
    snapshot,
    transact: async (plan) => {
      const { changes, result } = plan()
      if (changes.length > 0) commit(...changes)
      return await Promise.resolve({ result, revision: snapshot.revision })
    }
  }
  const ports: Ports = {
    open: async (_eni, { deviceName }, fresh) => {
      open(deviceName, fresh)
      await Promise.resolve()
    }
  }
  const monitor = { watch: async () => { await Promise.resolve() }, forget: () => undefined }
  const reconciler = new InstanceReconciler({
    lab: LAB,
    hostName: 'here',
    instanceMtu: 9001,
    ledger,
    clock: { nowMs: () => 1, monotonicMs: () => 1 },
    log: silentLog(),
    limiter: new Limiter(2),
    monitor: monitor as unknown as NamespaceMonitor,
    ports,
    onConverged: () => undefined
  })
  commit(put('subnet', SUBNET))
  return { snapshot, reconciler, commit,
    stateOf: (id: string) => snapshot.tables.instance.get(id)?.state }
}

async function addressesIn (id: string): Promise<string[] | undefined> {
  const view = await viewNamespace(namespaceName(LAB, id))
  return view?.links.find((link) => link.name === 'eth0')?.addresses.map((entry) => entry.address)
}

test.after.always(async () => {
  if (process.getuid?.() !== 0) return
  await removeNamespaces(['i-1', 'i-2', 'i-3', 'i-4'].map((id) => namespaceName(LAB, id))
    .filter((name) => existsSync(namespacePath(name))))
})

rootTest('an instance comes up, follows its records, and goes', async (t) => {
  const opened: string[] = []
  const { snapshot, reconciler, commit, stateOf } =
    world((device, fresh) => { opened.push(`${device} ${String(fresh)}`) })
  commit(put('instance', instance('i-1', {})), put('networkInterface', eniOf('i-1', ['10.0.1.5'])))
  await reconciler.settled(['i-1'])
  t.is(stateOf('i-1'), 'running')
  t.deepEqual(await addressesIn('i-1'), ['10.0.1.5'])
  t.deepEqual(opened, ['eth0 true'])

  const revision = commit(put('networkInterface', eniOf('i-1', ['10.0.1.5', '10.0.1.6'])))
  t.is(reconciler.convergedRevision, revision - 1, 'a running instance is behind at first')
  await reconciler.settled(['i-1'])
  t.is(reconciler.convergedRevision, Number.POSITIVE_INFINITY)
  t.deepEqual(await addressesIn('i-1'), ['10.0.1.5', '10.0.1.6'])

  await runIpBatch(namespaceName(LAB, 'i-1'), ['link del eth0'])
  reconciler.onNamespaceChange('i-1')
  await reconciler.settled(['i-1'])
  t.deepEqual(await addressesIn('i-1'), ['10.0.1.5', '10.0.1.6'])
  t.is(opened.at(-1), 'eth0 true')
  t.is(reconciler.counters.repairs, 2)

  const running = snapshot.tables.instance.get('i-1') as Instance
  commit(put('instance', { ...running, goal: 'stopped', state: 'stopping' }))
  await reconciler.settled(['i-1'])
  t.is(stateOf('i-1'), 'stopped')
  t.false(existsSync(namespacePath(namespaceName(LAB, 'i-1'))))
})

rootTest('a new worker has what is there at once, and then what was missing', async (t) => {
  const opened: string[] = []
  const { reconciler, commit } = world((device, fresh) => {
    opened.push(`${device} ${String(fresh)}`)
    if (opened.length > 1 && !fresh) throw new VpclabError('VPCLAB_ERR_AGENT', 'ENODEV')
  })
  commit(put('instance', instance('i-4', {})), put('networkInterface', eniOf('i-4', ['10.0.1.8'])))
  await reconciler.settled(['i-4'])
  await runIpBatch(namespaceName(LAB, 'i-4'), ['link del eth0'])
  await reconciler.takeUp()
  t.deepEqual(opened, ['eth0 true', 'eth0 false'], 'nobody has looked yet')
  await reconciler.settled(['i-4'])
  t.deepEqual(opened, ['eth0 true', 'eth0 false', 'eth0 true'])
  t.deepEqual(await addressesIn('i-4'), ['10.0.1.8'])
  t.is(reconciler.counters.failures, 0)
})

rootTest('a launch that keeps failing is reported with the reason, and cleared away', async (t) => {
  const { snapshot, reconciler, commit, stateOf } = world(() => {
    throw new VpclabError('VPCLAB_ERR_AGENT', 'no such port')
  })
  commit(put('instance', instance('i-2', {})), put('networkInterface', eniOf('i-2', ['10.0.1.7'])))
  await reconciler.settled(['i-2'])
  t.is(stateOf('i-2'), 'terminated')
  t.regex(snapshot.tables.instance.get('i-2')?.stateReason ?? '',
    /^Server\.InternalError: no such port/)
  t.is(snapshot.tables.networkInterface.size, 0)
  t.false(existsSync(namespacePath(namespaceName(LAB, 'i-2'))))
})

rootTest('instances of other hosts, and changes of tags, are none of its business', async (t) => {
  const { reconciler, commit } = world(() => undefined)
  commit(put('instance', instance('i-3', { hostName: 'elsewhere' })))
  commit(put('instance', instance('i-3', { hostName: 'elsewhere', rebootCount: 1 })))
  reconciler.onNamespaceChange('i-3')
  await reconciler.settled(['i-3'])
  t.is(reconciler.counters.converges, 0)
})
