/** `vpcctl audit` and `vpcctl history` against a real daemon (test_vpcctl.ts). */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import test, { type ExecutionContext } from 'ava'
import type { FieldChange } from './configuration_diff.ts'
import { makeVpcctl, succeed, type Vpcctl } from './test_vpcctl.ts'

interface LabWithPast {
  readonly env: NodeJS.ProcessEnv
  /** Any end. */
  readonly vpcctl: Vpcctl
  /** The output of a command that must succeed. */
  readonly output: (...words: string[]) => Promise<string>
  readonly table: string
}

/** A lab that is up, with a VPC "web" whose main route table has gained and lost a route. */
async function openLab (t: ExecutionContext): Promise<LabWithPast> {
  const { env, vpcctl } = makeVpcctl(t)
  const output = async (...words: string[]): Promise<string> =>
    (await succeed(t, vpcctl(...words))).trim()
  await output('lab', 'up', '--hosts', '0', '--api-port', '0')
  await output('vpc', 'create', '10.0.0.0/16', '--name', 'web')
  await output('subnet', 'create', 'web', '10.0.1.0/24', '--name', 'front')
  const eni = await output('eni', 'create', 'front', '-q')
  const table = await output('route-table', 'list', '-q')
  await output('route-table', 'add-route', table, '192.0.2.0/24', '--eni', eni)
  await output('route-table', 'delete-route', table, '192.0.2.0/24')
  return { env, vpcctl, output, table }
}

interface Change {
  readonly revision: number
  readonly eventId: string
  readonly eventName: string
  readonly changes: readonly FieldChange[]
}

test('history tells what changed, by whose call, and how it was before', async (t) => {
  const { vpcctl, output, table } = await openLab(t)
  const changes = JSON.parse(await output('history', 'list', table, '--json')) as Change[]
  t.deepEqual(changes.map(({ eventName }) => eventName),
    ['DeleteRoute', 'CreateRoute', 'CreateVpc'])
  const [deleted, created] = changes
  if (deleted === undefined || created === undefined) throw new Error('two changes')
  t.true(created.changes.some(({ path, before, after }) => before === undefined &&
    path === 'routes[192.0.2.0/24].state' && after === 'blackhole'))
  t.regex(await output('history', 'list', table),
    /DeleteRoute \(AKIA\w+\)\n {4}routes\[192\.0\.2\.0\/24\]\.origin: "CreateRoute" → \(none\)/)
  t.is((await output('history', 'list', table, '-q', '--limit', '1')), String(deleted.revision))

  const before = String(created.revision)
  t.regex(await output('history', 'show', table, '--revision', before), /192\.0\.2\.0\/24/)
  t.notRegex(await output('history', 'show', table, '--at', 'now'), /192\.0\.2\.0\/24/)
  t.regex(await output('history', 'diff', table, '--from', before),
    /routes\[192\.0\.2\.0\/24\]\.state: "blackhole" → \(none\)/)
  const tooEarly = await vpcctl('history', 'show', table, '--at', '-1d')
  t.regex(tooEarly.stderr, /was not there yet at -1d/)
  t.is((await vpcctl('history', 'show', 'ami-0123456789abcdef0')).code, 2)
  t.is((await vpcctl('history', 'show', table, '--at', 'yesterday')).code, 2)

  t.regex(await output('audit', 'show', created.eventId), /destinationCidrBlock +192\.0\.2\.0\/24/)
})

test('the trail and the history outlive a reset and a restart', async (t) => {
  const { output, table } = await openLab(t)
  await output('lab', 'reset')
  await output('lab', 'stop')
  await output('lab', 'up')
  const changes = JSON.parse(await output('history', 'list', table, '--json')) as Change[]
  t.is(changes.length, 4)
  t.like(changes[0], { status: 'ResourceDeleted', eventName: null })
  t.regex(await output('audit', 'list', '--event', 'CreateRoute'), /CreateRoute +AKIA/)
})

test('audit lists calls by resource, refusal and effect, and follows them', async (t) => {
  const { env, vpcctl, output, table } = await openLab(t)
  const names = async (...words: string[]): Promise<string[]> =>
    (JSON.parse(await output('audit', 'list', '--json', ...words)) as { eventName: string }[])
      .map(({ eventName }) => eventName)
  t.is((await vpcctl('vpc', 'delete', 'web')).code, 1)
  t.deepEqual(await names('--errors'), ['DeleteVpc'])
  t.deepEqual(await names('--resource', table, '--writes'),
    ['DeleteRoute', 'CreateRoute'])
  t.deepEqual(await names('--resource', 'front', '--event', 'CreateSubnet', '--since', '-1h'),
    ['CreateSubnet'])
  t.deepEqual(await names('--until', '2020-01-01'), [])
  t.is((await names('--limit', '2')).length, 2)
  t.is((await vpcctl('audit', 'show', 'nothing')).code, 1)
  t.is((await vpcctl('audit', 'list', '--resource', 'nothing')).code, 1)

  const tail = spawn('vpcctl', ['audit', 'tail', '--writes', '--json'],
    { env, stdio: ['ignore', 'pipe', 'ignore'] })
  t.teardown(() => { tail.kill() })
  const ended = new Promise((resolve) => { tail.on('close', resolve) })
  const lines = createInterface({ input: tail.stdout })[Symbol.asyncIterator]()
  // Calls until the first of them is seen: when the reader is there nobody can tell.
  let seen: string | undefined
  const first = lines.next().then(({ value }) => { seen = value })
  while (seen === undefined) await output('subnet', 'create', 'web', '10.0.9.0/24', '-q')
    .then(async (id) => await output('subnet', 'delete', id))
  await first
  t.regex((JSON.parse(seen) as { eventName: string }).eventName, /^(Create|Delete)Subnet$/)
  await output('lab', 'stop')
  await ended
  t.pass('a follower does not keep the daemon from stopping, and ends with it')
})

test('gateways and addresses have a past, too', async (t) => {
  const { output } = await openLab(t)
  const past = async (id: string): Promise<string[]> =>
    (JSON.parse(await output('history', 'list', id, '--json')) as Change[])
      .map(({ eventName }) => eventName)
  const gateway = await output('igw', 'create', '-q')
  await output('igw', 'attach', gateway, 'web')
  const address = await output('eip', 'allocate', '-q')
  const nat = await output('nat-gateway', 'create', 'front', '--eip', address, '-q')
  await output('nat-gateway', 'delete', nat)
  await output('igw', 'detach', gateway)
  t.deepEqual(await past(gateway),
    ['DetachInternetGateway', 'AttachInternetGateway', 'CreateInternetGateway'])
  t.deepEqual(await past(address), ['DeleteNatGateway', 'CreateNatGateway', 'AllocateAddress'])
  t.deepEqual((await past(nat)).slice(0, 1), ['DeleteNatGateway'])
  const filter = await output('mirror-filter', 'create', '-q')
  await output('mirror-filter', 'add-rule', filter, 'ingress', '10', 'accept')
  t.deepEqual(await past(filter),
    ['CreateTrafficMirrorFilterRule', 'CreateTrafficMirrorFilter'])
})
