/**
 * What a person watches, against real packets: `vpcctl events`, `top`, `flows`, `drops`, `graph`.
 *
 *     host-1                    host-2
 *     └ a   10.0.1.0/24         └ b   10.0.1.0/24
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { join } from 'node:path'
import type { EventLine, TrafficAnswer } from '../../daemon/api/admin/contract.ts'
import { adminRequest } from '../harness/admin.ts'
import { Background, command, eventually, ROOT, tryCommand } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const VPCCTL = join(ROOT, 'bin/vpcctl')
/** In a VPC without an internet gateway nothing leads there. */
const NOWHERE = '192.0.2.9'

function vpcctl (lab: Lab, ...words: string[]): Promise<string> {
  return command(VPCCTL, '--lab', lab.name, ...words)
}

function eventsIn (output: string): EventLine[] {
  return output.trim().split('\n').filter((line) => line !== '')
    .map((line) => JSON.parse(line) as EventLine)
}

test.serial('events tell every revision once, in order, and when each host has applied it',
  withLab({}, async (t, lab) => {
    const before = await lab.vpc('10.9.0.0/16')
    const events = new Background(VPCCTL, ['--lab', lab.name, 'events'])
    await events.printed('"type":"synced"')
    const subnet = await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.1.0/24')
    const a = await lab.instance(subnet, { host: 'host-1' })
    const { revision } = await lab.status()
    await events.printed(`{"type":"applied","revision":${String(revision)}`)
    await eventually('applied by all', () => eventsIn(events.output.replace(/[^\n]*$/, ''))
      .some((event) => event.type === 'applied' && event.host === 'all' &&
        event.revision === revision))
    events.child.kill('SIGINT')
    t.is(await events.ended(), 0, 'an interruption is its normal end')

    const lines = eventsIn(events.output)
    const synced = lines.findIndex(({ type }) => type === 'synced')
    t.true(lines.slice(0, synced).every(({ type }) => type === 'initial'))
    t.true(lines.some((line) => line.type === 'initial' && line.id === before.id))
    const changed = lines.filter(({ type }) => type === 'change').map((line) => line.revision)
    const first = (lines[synced]?.revision ?? 0) + 1
    t.deepEqual([...new Set(changed)],
      Array.from({ length: revision - first + 1 }, (_, index) => first + index))
    t.deepEqual(changed, changed.toSorted((one, other) => one - other))
    for (const host of ['host-1', 'host-2', 'all']) {
      const applied = lines.flatMap((line, index) =>
        line.type === 'applied' && line.host === host ? [{ index, revision: line.revision }] : [])
      t.is(applied.at(-1)?.revision, revision, host)
      for (const { index, revision: upTo } of applied) {
        t.false(lines.slice(index).some((line) => line.type === 'change' && line.revision <= upTo))
      }
    }
    await showsOneInstance(t, lab, a.id)
    await endsWithTheDaemon(t, lab)
  }))

/** Filters, and `--until-revision`, which ends by itself. */
async function showsOneInstance (t: ExecutionContext, lab: Lab, id: string): Promise<void> {
  const { revision } = await lab.status()
  const lines = eventsIn(await vpcctl(lab, 'events', '--json', '--noun', 'instance',
    '--until-revision', String(revision)))
  t.deepEqual(lines.map(({ type }) => type), ['initial', 'synced'])
  t.like(lines[0], { noun: 'instance', id })
  const sentences = await onTerminal(lab, 80, 24,
    `events --noun instance --until-revision ${String(revision)}`)
  t.regex(sentences.output, new RegExp(`instance ${id} exists in subnet subnet-`))
  t.is(sentences.code, 0)
  const wrong = await tryCommand(VPCCTL, ['--lab', lab.name, 'events', '--noun', 'vpcs'])
  t.is(wrong.code, 1)
  t.regex(wrong.stderr, /"vpcs" of noun is not one of vpc, subnet/)
}

/** A stream that the daemon ends is told apart from one that the reader ends. */
async function endsWithTheDaemon (t: ExecutionContext, lab: Lab): Promise<void> {
  const events = new Background(VPCCTL, ['--lab', lab.name, 'events', '--no-initial'])
  await events.printed('"type":"synced"')
  process.kill(lab.daemonPid, 'SIGTERM')
  t.is(await events.ended(), 4)
  t.regex(events.output, /\{"type":"stopped","revision":\d+\}\n/)
  await lab.restart()
}

test.serial('traffic, drops, flows, graph and top say what passes and what does not', withLab({},
  async (t, lab) => {
    const subnet = await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.1.0/24')
    const a = await lab.instance(subnet, { host: 'host-1' })
    const b = await lab.instance(subnet, { host: 'host-2' })
    await lab.ec2.send(new ec2.CreateTagsCommand({
      Resources: [a.id], Tags: [{ Key: 'Name', Value: 'a' }]
    }))
    t.is((await a.ping(b.ipv4, 20)).received, 20)
    const eni = await eventually('20 packets each way counted', async () => {
      const { enis } = await adminRequest<TrafficAnswer>(lab.name, 'GET', '/traffic')
      const found = enis.find((row) => row.eni === a.eni)
      return found !== undefined && found.ingressPackets >= 20 && found
    })
    t.like(eni, {
      host: 'host-1', instance: a.id, instanceName: 'a', egressPackets: 20, ingressPackets: 20,
      egressBytes: 20 * 84, ingressBytes: 20 * 84, flows: 1, drops: {}
    })

    await a.ping(NOWHERE, 3)
    await lab.waitDrops(a.eni, 'no-route', 3)
    const drops = await vpcctl(lab, 'drops', '--instance', 'a', '--reason', 'no-route')
    t.regex(drops, new RegExp(`^ +3  no-route  ${a.eni}  a +host-1$`, 'm'))
    t.regex(drops, /no-route: The route table of the subnet has no route for the destination\./)
    t.regex(drops, new RegExp(`a: ${subnet.id} goes by rtb-\\w+, which knows 10.0.0.0/16 alone\\.`))
    t.regex(drops, /"vpcctl capture a --drops-only" shows the destination/)
    t.is(await vpcctl(lab, 'drops', '--host', 'host-2'), '')
    t.is(await vpcctl(lab, 'drops', '--delta', '0.1'), '', 'nothing new')

    await vpcctlSeesNewDrops(t, lab, () => a.ping(NOWHERE, 2))
    const flows = await vpcctl(lab, 'flows', '--instance', 'a', '--protocol', 'icmp')
    t.regex(flows, new RegExp(`^host-1  ${a.eni}  a  +icmp +${a.ipv4}:\\d+  ${b.ipv4}:`, 'm'))
    t.is(flows.split('\n').length, 3, 'a header and one flow')
    t.is(await vpcctl(lab, 'flows', '--protocol', 'tcp'), '')
    const unknown = await tryCommand(VPCCTL, ['--lab', lab.name, 'flows', '--host', 'host-9'])
    t.is(unknown.code, 2)
    t.regex(unknown.stderr, /no host "host-9": it has host-1, host-2/)

    const svg = (await vpcctl(lab, 'graph', '--format', 'svg')).replaceAll('&#45;', '-')
    for (const text of [a.ipv4, b.ipv4, subnet.id, 'host-2']) t.true(svg.includes(text), text)
    t.is(await vpcctl(lab, 'graph'), await vpcctl(lab, 'graph', '--format', 'mermaid'))
    await topShowsThePing(t, lab, a, b)
  }))

/** `--watch` prints what was dropped since it looked last. */
async function vpcctlSeesNewDrops (t: ExecutionContext, lab: Lab,
  drop: () => Promise<unknown>): Promise<void> {
  const watch = new Background(VPCCTL, ['--lab', lab.name, 'drops', '--watch', '0.2'])
  await watch.printed('no-route: ')
  const said = watch.output.length
  await drop()
  await eventually('new drops printed', () => watch.output.slice(said).includes('no-route: '))
  t.regex(watch.output.slice(said), /^ +[12] {2}no-route /m)
  watch.child.kill('SIGINT')
  t.is(await watch.ended(), 0)
}

/** The rate of a ping; the terminal is given back after a key and after a signal. */
async function topShowsThePing (t: ExecutionContext, lab: Lab, a: Instance,
  b: Instance): Promise<void> {
  const ping = a.start('ping', '-n', '-i', '0.05', b.ipv4)
  try {
    await ping.printed('bytes from')
    await ratesAgreeWithCounters(t, lab, a.eni)
    const shown = await onTerminal(lab, 100, 12, 'top --interval 0.2', [
      ['OUT BIT/S↓', 'h'], ['FAST PATH', 'fhost-2\\r'], ['only "host-2"', 'q']
    ])
    t.is(shown.code, 0)
    t.regex(shown.output, /\n?a +host-1 /)
    t.true(shown.output.includes(b.eni), 'an instance without a name is called by its ENI')
    restored(t, shown.output)
    const ended = await onTerminal(lab, 60, 8, 'top', [['OUT BIT/S', 'SIGTERM']])
    t.is(ended.code, 0)
    restored(t, ended.output)
    const table = await vpcctl(lab, 'top', '--once', '--interval', '0.2', '--hosts')
    t.regex(table, /^HOST +CPU .*\nhost-\d +\d+% /)
  } finally {
    await ping.stop('SIGINT')
  }
}

/** The rates of two intervals, against the counters around them: bounds, and no clock. */
async function ratesAgreeWithCounters (t: ExecutionContext, lab: Lab, eni: string): Promise<void> {
  const packets = async (): Promise<number> =>
    (await adminRequest<TrafficAnswer>(lab.name, 'GET', '/traffic')).enis
      .find((row) => row.eni === eni)?.egressPackets ?? 0
  const before = await packets()
  const lines = (await vpcctl(lab, 'top', '--json', '--count', '2', '--interval', '0.5')).trim()
    .split('\n').map((line) => JSON.parse(line) as {
      seconds: number
      enis: { eni: string, outPacketsPerSecond: number, dropsPerSecond: number }[]
    })
  const after = await packets()
  t.is(lines.length, 2)
  const rows = lines.map(({ seconds, enis }) => ({ seconds, row: enis.find((r) => r.eni === eni) }))
  const counted = rows.reduce((sum, { seconds, row }) =>
    sum + (row?.outPacketsPerSecond ?? NaN) * seconds, 0)
  t.true(counted > 0 && counted <= after - before + 1e-6,
    `${String(counted)} of ${String(after - before)} packets`)
  t.true(rows.every(({ row }) => row?.dropsPerSecond === 0))
}

/** The alternate screen was entered and left, cursor and wrapping are back, in this order. */
function restored (t: ExecutionContext, output: string): void {
  t.true(output.includes('\u001b[?1049h'))
  t.true(output.trimEnd().endsWith('\u001b[?7h\u001b[?25h\u001b[?1049l'), JSON.stringify(
    output.slice(-80)))
}

/**
 * Runs vpcctl on a pseudo terminal (test/harness/programs/on_terminal.py).
 * @param steps what to type, or which signal to send, when a text has appeared after the last one
 */
async function onTerminal (lab: Lab, columns: number, rows: number, line: string,
  steps: readonly (readonly [string, string])[] = []): Promise<{ code: number, output: string }> {
  const result = await tryCommand('python3', [
    join(ROOT, 'test/harness/programs/on_terminal.py'), String(columns), String(rows),
    JSON.stringify(steps.map(([text, keys]) => [text, keys.replace('\\r', '\r')])),
    VPCCTL, '--lab', lab.name, ...line.split(' ')
  ])
  return { code: result.code, output: result.stdout + result.stderr }
}
