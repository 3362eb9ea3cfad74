/**
 * An etcd with authentication enabled, as docs/cluster.md has it: each machine is a user by the
 * common name of its certificate, and a role grants the lab's prefix alone.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { systemClock } from '../../daemon/base/clock.ts'
import { systemRandom } from '../../daemon/base/random.ts'
import { EtcdEngine } from '../../daemon/store/etcd/etcd_engine.ts'
import { EtcdMembers } from '../../daemon/store/etcd/members.ts'
import { EtcdOwner, LEASE_SECONDS } from '../../daemon/store/etcd/owner.ts'
import { parseEtcdTarget } from '../../daemon/store/etcd/target.ts'
import type { EtcdTarget } from '../../daemon/store/etcd/target.ts'
import { certify, makeAuthority } from '../harness/certificates.ts'
import type { Certified } from '../harness/certificates.ts'
import { eventually } from '../harness/command.ts'
import { Etcd } from '../harness/etcd.ts'
import { closeEtcdClients, etcdClient } from '../harness/etcd_clients.ts'

const PREFIX = '/vpclab/'
const CLOCK = { clock: systemClock, random: systemRandom }

const directory = mkdtempSync(join(tmpdir(), 'vpclab-etcd-users-'))
const authority = await makeAuthority(directory, 'ca')
const certificate = async (name: string): Promise<Certified> =>
  await certify(directory, authority, name, 'IP:127.0.0.1')
const member = await certificate('member')
/** `root` administers etcd, `m1` and `m2` have the role, `m3` has none, and `m4` is no user. */
const users = new Map<string, Certified>()
for (const name of ['root', 'm1', 'm2', 'm3', 'm4']) users.set(name, await certificate(name))
const etcd = await Etcd.start({
  ca: authority.certificatePath, cert: member.certificatePath, key: member.keyPath
})

test.before('authentication is enabled', async () => {
  for (const line of [
    'user add root --no-password', 'user grant-role root root',
    'role add vpclab', `role grant-permission vpclab readwrite ${PREFIX} --prefix=true`,
    'user add m1 --no-password', 'user grant-role m1 vpclab',
    'user add m2 --no-password', 'user grant-role m2 vpclab',
    'user add m3 --no-password', 'auth enable'
  ]) await asRoot(line)
})

test.after.always(async () => {
  closeEtcdClients()
  await etcd[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

async function asRoot (line: string): Promise<string> {
  const { certificatePath, keyPath } = users.get('root')!
  return await etcd.ctl('--cert', certificatePath, '--key', keyPath, ...line.split(' '))
}

function targetOf (user: string, prefix = PREFIX): EtcdTarget {
  const { certificatePath, keyPath } = users.get(user)!
  return parseEtcdTarget(`etcd://127.0.0.1:${String(etcd.port)}${prefix}` +
    `?ca=${authority.certificatePath}&cert=${certificatePath}&key=${keyPath}`, 'x')
}

/** What a machine's daemon has of etcd. */
async function daemonOf (
  t: ExecutionContext, user: string, onConnection: (reason: string | null) => void = () => undefined
): Promise<{ owner: EtcdOwner, members: EtcdMembers, engine: EtcdEngine }> {
  const target = targetOf(user)
  const client = etcdClient(target)
  const owner = await EtcdOwner.claim(
    { ...CLOCK, target, client, part: user, machine: { machine: user, machineId: user } })
  t.teardown(async () => { await owner.release() })
  const members = await EtcdMembers.join({ ...CLOCK, target, client, owner, name: user })
  t.teardown(() => { members.close() })
  const engine = await EtcdEngine.open({ ...CLOCK, target, client, owner, onConnection })
  t.teardown(async () => { await engine.close() })
  return { owner, members, engine }
}

test.serial('users with the role write, follow each other, and keep their leases', async (t) => {
  const m1 = await daemonOf(t, 'm1')
  const m2 = await daemonOf(t, 'm2')
  const seen: number[] = []
  m2.engine.watch(0, ({ revision }) => { seen.push(revision) })
  t.is(await m1.engine.commit([{ key: '/vpc/a', value: '1' }], 0), 1)
  await eventually('the other has heard', () => seen.length === 1)
  m1.members.publish(1)
  await eventually('the revision is told', () => m2.members.applied.get('m1') === 1)
  t.is(await etcdClient(targetOf('m1')).keepLease(m1.owner.lease), LEASE_SECONDS)
  await m1.owner.release()
  await eventually('the end is heard of', () => !m2.members.isHeard('m1'))
})

for (const [what, user, prefix] of [
  ['without the role', 'm3', PREFIX], ['whom etcd does not know', 'm4', PREFIX],
  ['with the role of another prefix', 'm1', '/other/']
] as const) {
  test.serial(`a user ${what} is refused, and told who it is and what it wants`, async (t) => {
    const target = targetOf(user, prefix)
    const client = etcdClient(target)
    const opens = [
      async () => await EtcdOwner.claim(
        { ...CLOCK, target, client, part: user, machine: { machine: user, machineId: user } }),
      async () => await EtcdEngine.open({ ...CLOCK, target, client })
    ]
    for (const open of opens) {
      await t.throwsAsync(open, { code: 'VPCLAB_ERR_STORE', message: new RegExp(
        `permission denied; the user "${user}", .* readwrite of the prefix "${prefix}"$`) })
    }
  })
}

test.serial('a caller without a certificate is told that it wants one', async (t) => {
  await using open = await Etcd.start()
  for (const line of ['user add root:secret', 'user grant-role root root', 'auth enable']) {
    await open.ctl(...line.split(' '))
  }
  const target = parseEtcdTarget(`etcd://127.0.0.1:${String(open.port)}`, 'x')
  await t.throwsAsync(
    async () => await EtcdEngine.open({ ...CLOCK, target, client: etcdClient(target) }),
  { code: 'VPCLAB_ERR_STORE', message: /authentication enabled: give it a certificate/ })
})

test.serial('a role that is revoked ends writes and reads, says so, and comes back', async (t) => {
  const connections: (string | null)[] = []
  const m1 = await daemonOf(t, 'm1', (reason) => { connections.push(reason) })
  const m2 = await daemonOf(t, 'm2')
  const { revision } = await m1.engine.readAll()
  const seen: number[] = []
  m1.engine.watch(revision, (commit) => { seen.push(commit.revision) })

  await asRoot('user revoke-role m1 vpclab')
  await t.throwsAsync(async () => await m1.engine.commit([{ key: '/vpc/b', value: '1' }], revision),
    { code: 'VPCLAB_ERR_STORE', message: /permission denied; the user "m1"/ })
  const reason = await eventually('it is known', () => m1.engine.unreachableReason ?? undefined)
  t.regex(reason, /permission denied; the user "m1"/)
  t.regex(connections.at(-1) ?? '', /permission denied; the user "m1"/)
  t.is(await m2.engine.commit([{ key: '/vpc/b', value: '2' }], revision), revision + 1)
  await eventually('it is lost to the others', () => !m2.members.isHeard('m1'))

  await asRoot('user grant-role m1 vpclab')
  await eventually('it is told what it missed', () => seen.length === 1)
  t.deepEqual([m1.engine.unreachableReason, connections.at(-1)], [null, null])
  await eventually('it is heard of again', () => m2.members.isHeard('m1'))
  t.is(await m1.engine.commit([{ key: '/vpc/b', value: '3' }], revision + 1), revision + 2)
})
