/** The engine for several machines on a real etcd: the contract, and what etcd adds to it. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { systemClock } from '../../daemon/base/clock.ts'
import { systemRandom } from '../../daemon/base/random.ts'
import { engineSuite } from '../../daemon/store/engine_suite.ts'
import { EtcdEngine } from '../../daemon/store/etcd/etcd_engine.ts'
import { EtcdMembers } from '../../daemon/store/etcd/members.ts'
import { EtcdOwner } from '../../daemon/store/etcd/owner.ts'
import type { Machine } from '../../daemon/store/etcd/owner.ts'
import { parseEtcdTarget } from '../../daemon/store/etcd/target.ts'
import type { EtcdTarget } from '../../daemon/store/etcd/target.ts'
import type { Commit, Write } from '../../daemon/store/store.ts'
import { certify, makeAuthority } from '../harness/certificates.ts'
import { eventually } from '../harness/command.ts'
import { Etcd } from '../harness/etcd.ts'
import { closeEtcdClients, etcdClient } from '../harness/etcd_clients.ts'
import { freePort } from '../harness/lab.ts'

const etcd = await Etcd.start()
let prefixes = 0

test.after.always(async () => {
  closeEtcdClients()
  await etcd[Symbol.asyncDispose]()
})

const newPrefix = (): string => `/test/${String(++prefixes)}`

async function open (
  prefix: string, onConnection: (reason: string | null) => void = () => undefined,
  port = etcd.port): Promise<EtcdEngine> {
  const target = parseEtcdTarget(`etcd://127.0.0.1:${String(port)}${prefix}`, 'x')
  return await EtcdEngine.open({
    target, client: etcdClient(target), clock: systemClock, random: systemRandom, onConnection
  })
}

engineSuite('etcd', test, async () => await open(newPrefix()))

/** An engine that closes with the test, and what its feed has given. */
async function followed (
  t: ExecutionContext, prefix: string): Promise<{ engine: EtcdEngine, seen: Commit[] }> {
  const engine = await open(prefix)
  t.teardown(async () => { await engine.close() })
  const seen: Commit[] = []
  const { revision } = await engine.readAll()
  engine.watch(revision, (commit) => { seen.push(commit) })
  return { engine, seen }
}

test.serial('two processes write in turn, and each follows the other', async (t) => {
  const prefix = newPrefix()
  const one = await followed(t, prefix)
  const other = await followed(t, prefix)
  t.is(await one.engine.commit([{ key: '/vpc/a', value: '1' }], 0), 1)
  await eventually('the other has heard', () => other.seen.length === 1)
  t.is(await other.engine.commit([{ key: '/vpc/a', value: null }], 1), 2)
  await eventually('the first has heard', () => one.seen.length === 2)
  t.deepEqual(one.seen, other.seen)
  const results = await Promise.all([one, other].map(async ({ engine }, index) =>
    await engine.commit([{ key: '/vpc/b', value: String(index) }], 2)))
  t.deepEqual(results.filter((revision) => revision !== null), [3])
  t.deepEqual(await one.engine.readAll(), await other.engine.readAll())
})

test.serial('what other prefixes and foreign hands write is no commit', async (t) => {
  const prefix = newPrefix()
  const { engine, seen } = await followed(t, prefix)
  await etcd.ctl('put', `${prefix}0/record/vpc/a`, '1')
  await etcd.ctl('put', `${prefix}/record/vpc/a`, 'by hand')
  t.is(await engine.commit([{ key: '/vpc/b', value: '1' }], 0), 1)
  t.deepEqual(seen.map(({ writes }) => writes.map(({ key }) => key)), [['/vpc/b']])
})

test.serial('an engine that opens later resumes from what etcd has kept', async (t) => {
  const prefix = newPrefix()
  const first = await open(prefix)
  for (let revision = 0; revision < 5; revision++) {
    await first.commit([{ key: '/vpc/a', value: String(revision) }], revision)
  }
  await first.close()
  const second = await open(prefix)
  t.teardown(async () => { await second.close() })
  const seen: number[] = []
  second.watch(1, ({ revision }) => { seen.push(revision) })
  t.deepEqual(seen, [2, 3, 4, 5])

  await compact()
  const third = await open(prefix)
  t.teardown(async () => { await third.close() })
  t.throws(() => third.watch(1, () => undefined), { code: 'VPCLAB_ERR_STORE_COMPACTED' })
  t.is(await third.commit([{ key: '/vpc/a', value: '9' }], 5), 6)
})

test.serial('a killed member is waited for, then writes are refused, and the feed goes on',
  async (t) => {
    const prefix = newPrefix()
    const connections: (string | null)[] = []
    const engine = await open(prefix, (reason) => { connections.push(reason) })
    t.teardown(async () => { await engine.close() })
    const seen: Commit[] = []
    engine.watch(0, (commit) => { seen.push(commit) })
    t.is(await engine.commit([{ key: '/vpc/a', value: '1' }], 0), 1)
    await etcd.kill()
    await eventually('it is known to be down', () => engine.unreachableSinceMs !== null)
    await t.throwsAsync(async () => await engine.commit([{ key: '/vpc/a', value: '2' }], 1),
      { code: 'VPCLAB_ERR_STORE' })
    await etcd.restart()
    t.is(await eventually('it takes writes again', async () =>
      await engine.commit([{ key: '/vpc/a', value: '3' }], 1).catch(() => undefined) ?? undefined),
    2)
    t.deepEqual(seen.map(({ revision }) => revision), [1, 2])
    t.is(connections.at(-1), null)
    t.is(engine.unreachableSinceMs, null)
  })

test.serial('what etcd has compacted away meanwhile comes as one commit', async (t) => {
  const prefix = newPrefix()
  const writer = await open(prefix)
  t.teardown(async () => { await writer.close() })
  await writer.commit([{ key: '/vpc/a', value: '1' }, { key: '/vpc/b', value: '1' }], 0)
  const path = await Path.to(etcd.port)
  t.teardown(() => { path.close() })
  const engine = await open(prefix, undefined, path.port)
  t.teardown(async () => { await engine.close() })
  const seen: Commit[] = []
  engine.watch(1, (commit) => { seen.push(commit) })
  path.cut()
  await eventually('it is known to be cut off', () => engine.unreachableSinceMs !== null)
  await writer.commit([{ key: '/vpc/c', value: '2' }], 1)
  await writer.commit([{ key: '/vpc/a', value: '3' }], 2)
  await writer.commit([{ key: '/vpc/b', value: null }], 3)
  await compact()
  path.mend()
  await eventually('all is known', () => seen.length > 0)
  t.deepEqual(seen.map(({ revision, writes }) => [revision, writes.toSorted(byKey)]), [[4, [
    { key: '/vpc/a', value: '3' }, { key: '/vpc/b', value: null }, { key: '/vpc/c', value: '2' }
  ]]])
  t.deepEqual(await engine.readAll(), await writer.readAll())
  t.is(await engine.commit([{ key: '/vpc/d', value: '1' }], 4), 5)
})

test.serial('an answer that is lost does not make a commit twice, or none', async (t) => {
  const prefix = newPrefix()
  const path = await Path.to(etcd.port)
  t.teardown(() => { path.close() })
  const engine = await open(prefix, undefined, path.port)
  t.teardown(async () => { await engine.close() })
  path.mute()
  const committed = engine.commit([{ key: '/vpc/a', value: '1' }], 0)
  const witness = await open(prefix)
  t.teardown(async () => { await witness.close() })
  await eventually('it is written', async () => (await witness.readAll()).revision === 1)
  path.cut()
  path.mend()
  t.is(await committed, 1)
  t.is((await engine.readAll()).revision, 1)
})

test.serial('one machine owns a lab, and another after it; the first then writes no more',
  async (t) => {
    const target = parseEtcdTarget(`etcd://127.0.0.1:${String(etcd.port)}${newPrefix()}`, 'x')
    const [a, b] = [{ machine: 'a', machineId: 'a' }, { machine: 'b', machineId: 'b' }]
    const first = await claim(target, a)
    t.teardown(async () => { await first.release() })
    const engineOf = async (owner: EtcdOwner): Promise<EtcdEngine> => {
      const engine = await EtcdEngine.open(
        { target, client: etcdClient(target), clock: systemClock, random: systemRandom, owner })
      t.teardown(async () => { await engine.close() })
      return engine
    }
    const engine = await engineOf(first)
    t.is(await engine.commit([{ key: '/vpc/a', value: '1' }], 0), 1)
    await t.throwsAsync(async () => await claim(target, b),
      { code: 'VPCLAB_ERR_LAB_RUNNING', message: /of the machine "a" runs the lab/ })
    await etcd.ctl('del', first.key)
    await t.throwsAsync(async () => await engine.commit([{ key: '/vpc/a', value: '2' }], 1),
      { code: 'VPCLAB_ERR_STORE', message: /has not heard of this daemon/ })
    const second = await claim(target, b)
    t.teardown(async () => { await second.release() })
    await t.throwsAsync(async () => await engine.commit([{ key: '/vpc/a', value: '2' }], 1),
      { code: 'VPCLAB_ERR_LAB_RUNNING', message: /of the machine "b" runs the lab/ })
    t.is(await (await engineOf(second)).commit([{ key: '/vpc/a', value: '3' }], 1), 2)
  })

test.serial('a lease that ended while nobody took the lab is made anew', async (t) => {
  const target = parseEtcdTarget(`etcd://127.0.0.1:${String(etcd.port)}${newPrefix()}`, 'x')
  const owner = await claim(target)
  t.teardown(async () => { await owner.release() })
  const { lease } = JSON.parse(owner.value) as { lease: number }
  await etcd.ctl('lease', 'revoke', lease.toString(16))
  t.true(await eventually('the key is there again', async () =>
    (await etcd.ctl('get', owner.key, '--print-value-only')).trim() === owner.value))
})

test.serial('the next daemon of a machine takes over at once', async (t) => {
  const target = parseEtcdTarget(`etcd://127.0.0.1:${String(etcd.port)}${newPrefix()}`, 'x')
  const first = await claim(target)
  t.teardown(async () => { await first.release() })
  const second = await claim(target)
  t.not(second.value, first.value)
  await second.release()
  t.is((await etcd.ctl('get', second.key)).trim(), '')
})

async function claim (
  target: EtcdTarget, machine: Machine = { machine: 'one', machineId: 'one' }): Promise<EtcdOwner> {
  return await EtcdOwner.claim({
    target, client: etcdClient(target), clock: systemClock, random: systemRandom, machine
  })
}

function byKey (a: Write, b: Write): number { return a.key < b.key ? -1 : 1 }

/** Has etcd forget all but what there is now. */
async function compact (): Promise<void> {
  const { header: { revision } } = JSON.parse(await etcd.ctl('get', 'x', '-w', 'json')) as
    { header: { revision: number } }
  await etcd.ctl('compact', String(revision))
}

/** The way to a port of this machine, which can be cut. */
class Path {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #isCut = false
  #isMute = false

  private constructor (to: number) {
    this.#server = createServer((near) => {
      if (this.#isCut) {
        near.destroy()
        return
      }
      const far = connect(to, '127.0.0.1')
      for (const socket of [near, far]) {
        this.#sockets.add(socket)
        socket.on('error', () => undefined)
        socket.on('close', () => {
          near.destroy()
          far.destroy()
        })
      }
      near.pipe(far)
      far.on('data', (chunk) => { if (!this.#isMute) near.write(chunk) })
    })
  }

  static async to (port: number): Promise<Path> {
    const path = new Path(port)
    path.#server.listen(0, '127.0.0.1')
    await once(path.#server, 'listening')
    return path
  }

  get port (): number { return (this.#server.address() as AddressInfo).port }

  /** What comes back is lost. */
  mute (): void { this.#isMute = true }

  cut (): void {
    this.#isCut = true
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
  }

  mend (): void {
    this.#isCut = false
    this.#isMute = false
  }

  close (): void {
    this.cut()
    this.#server.close()
  }
}

for (const [name, address, message] of [
  ['without a member', 'etcd:///x', /is no address of an etcd/],
  ['with an unknown parameter', 'etcd://a?user=b', /"user" is none of ca, cert, key/],
  ['with a certificate and no key', 'etcd://a?ca=c&cert=d', /a certificate needs its key/]
] as const) {
  test(`an address ${name} is refused`, (t) => {
    t.throws(() => parseEtcdTarget(address, 'lab'), { code: 'VPCLAB_ERR_CONFIG', message })
  })
}

test('an address names members, prefix and keys', (t) => {
  t.deepEqual(parseEtcdTarget('etcd://10.0.0.1,10.0.0.2:4001', 'lab'),
    { members: ['10.0.0.1:2379', '10.0.0.2:4001'], prefix: '/vpclab/lab/', tls: null })
  t.deepEqual(parseEtcdTarget('etcd://etcd.example:2379/a/b/?ca=/ca&cert=/c&key=/k', 'lab'), {
    members: ['etcd.example:2379'], prefix: '/a/b/', tls: { ca: '/ca', cert: '/c', key: '/k' }
  })
})

test.serial('daemons of several machines hear of each other, and one of them leads', async (t) => {
  const target = parseEtcdTarget(`etcd://127.0.0.1:${String(etcd.port)}${newPrefix()}`, 'x')
  const joined = async (name: string): Promise<{ owner: EtcdOwner, members: EtcdMembers }> => {
    const client = etcdClient(target)
    const owner = await EtcdOwner.claim({
      target, client, clock: systemClock, random: systemRandom, part: name,
      machine: { machine: name, machineId: name }
    })
    const members = await EtcdMembers.join({ target, client, clock: systemClock, owner, name })
    t.teardown(async () => {
      members.close()
      await owner.release()
    })
    return { owner, members }
  }
  const one = await joined('m1')
  await eventually('the first leads', () => one.members.isLeader)
  const other = await joined('m2')
  await eventually('both are heard', () =>
    one.members.isHeard('m2') && other.members.isHeard('m1'))
  t.false(other.members.isLeader)

  for (let revision = 1; revision <= 20; revision++) one.members.publish(revision)
  await eventually('the newest revision is told', () => other.members.applied.get('m1') === 20)
  t.deepEqual([...one.members.applied.keys()], [])

  await t.throwsAsync(async () => await EtcdOwner.claim({
    target, client: etcdClient(target), clock: systemClock, random: systemRandom, part: 'm1',
    machine: { machine: 'elsewhere', machineId: 'elsewhere' }
  }), { code: 'VPCLAB_ERR_LAB_RUNNING' })

  one.members.close()
  await one.owner.release()
  await eventually('the second leads', () => other.members.isLeader)
  t.false(other.members.isHeard('m1'))
  t.deepEqual([...other.members.applied.keys()], [])
})

test.serial('members are spoken to by TLS, each by its own name, and know who calls', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-etcd-tls-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const authority = await makeAuthority(directory, 'ca')
  const other = await makeAuthority(directory, 'other')
  const member = await certify(directory, authority, 'member', 'IP:127.0.0.1')
  const daemon = await certify(directory, authority, 'daemon', 'DNS:m1')
  const stranger = await certify(directory, authority, 'stranger', 'IP:192.0.2.1')
  const tls = {
    ca: authority.certificatePath, cert: member.certificatePath, key: member.keyPath
  }
  await using sealed = await Etcd.start(tls)
  await using false_ = await Etcd.start(
    { ...tls, cert: stranger.certificatePath, key: stranger.keyPath })
  const engineAt = async (members: string, ca: string, isKnown: boolean): Promise<EtcdEngine> => {
    const target = parseEtcdTarget(`etcd://${members}/x?ca=${ca}` + (isKnown
      ? `&cert=${daemon.certificatePath}&key=${daemon.keyPath}` : ''), 'x')
    return await EtcdEngine.open(
      { target, client: etcdClient(target), clock: systemClock, random: systemRandom })
  }
  const at = (port: number): string => `127.0.0.1:${String(port)}`
  const dead = await freePort()
  const engine = await engineAt(`localhost:${String(dead)},${at(sealed.port)}`, tls.ca, true)
  t.is(await engine.commit([{ key: '/vpc/a', value: '1' }], 0), 1)
  await engine.close()
  await Promise.all(([
    [at(sealed.port), tls.ca, false], [at(sealed.port), other.certificatePath, true],
    [at(false_.port), tls.ca, true]
  ] as const).map(async ([members, ca, isKnown]) => {
    await t.throwsAsync(async () => await engineAt(members, ca, isKnown),
      { code: 'VPCLAB_ERR_STORE' })
  }))
})
