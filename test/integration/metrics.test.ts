/**
 * The metrics of a lab that real packets pass, scraped over HTTP as Prometheus does.
 *
 *     host-1 ─ a ══ b ─ host-2          192.0.2.0/24 has no route
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { eventually } from '../harness/command.ts'
import type { Lab } from '../harness/lab.ts'
import { TWO_HOSTS_ONE_ZONE } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const NOWHERE = '192.0.2.9'
const PINGS = 5
const SAMPLE = /^([a-z][a-z0-9_]*)(?:\{(.*)\})? (\S+)$/
const HEAD = /^# (HELP|TYPE) [a-z]/

/** Samples of one scrape by name and labels, as they are written. */
class Scrape {
  readonly #values = new Map<string, number>()

  constructor (text: string) {
    for (const line of text.trimEnd().split('\n')) {
      if (HEAD.test(line)) continue
      const match = SAMPLE.exec(line)
      if (match === null) throw new Error(`not a sample: ${line}`)
      const key = `${match[1] ?? ''}{${match[2] ?? ''}}`
      if (this.#values.has(key)) throw new Error(`twice: ${line}`)
      this.#values.set(key, Number(match[3]))
    }
  }

  static async of (url: string): Promise<Scrape> {
    const answer = await fetch(url)
    if (!answer.ok) throw new Error(`${url} answers ${String(answer.status)}`)
    const type = answer.headers.get('content-type')
    if (type !== 'text/plain; version=0.0.4; charset=utf-8') throw new Error(String(type))
    return new Scrape(await answer.text())
  }

  /** @param labels as they are written: `host="host-1",eni="eni-…"` */
  value (name: string, labels = ''): number {
    return this.#values.get(`vpclab_${name}{${labels}}`) ?? Number.NaN
  }
}

async function urlOf (t: ExecutionContext, lab: Lab): Promise<string> {
  const { metricsUrl, endpointUrl } = await lab.status()
  t.regex(metricsUrl ?? '', /^http:\/\/127\.0\.0\.1:\d+\/metrics$/)
  t.is((await fetch(`${endpointUrl}/metrics`)).status, 404, 'the AWS endpoint has no such door')
  return metricsUrl ?? ''
}

async function countsPackets (t: ExecutionContext, lab: Lab, url: string): Promise<void> {
  const vpc = await lab.vpc('10.0.0.0/16')
  const subnet = await lab.subnet(vpc, '10.0.1.0/24')
  const a = await lab.instance(subnet, { host: 'host-1' })
  const b = await lab.instance(subnet, { host: 'host-2' })
  await lab.ec2.send(new ec2.CreateTagsCommand({
    Resources: [a.id], Tags: [{ Key: 'Name', Value: 'the "a"' }]
  }))
  await lab.waitApplied()
  t.is((await a.ping(b.ipv4, PINGS)).received, PINGS)
  await a.ping(NOWHERE, 2)
  const [ofA, ofB] = [`host="host-1",eni="${a.eni}"`, `host="host-2",eni="${b.eni}"`]
  const drops = `${ofA},reason="no-route"`
  const scrape = await eventually('the drops are counted', async () => {
    const one = await Scrape.of(url)
    return one.value('dropped_packets_total', drops) === 2 && one
  })
  for (const eni of [ofA, ofB]) {
    for (const name of ['egress', 'ingress']) {
      const packets = scrape.value(`eni_${name}_packets_total`, eni)
      t.true(packets >= PINGS, `${name} ${eni}: ${String(packets)}`)
      t.true(scrape.value(`eni_${name}_bytes_total`, eni) >= packets * 28)
    }
    t.true(scrape.value('eni_flows', eni) >= 1, eni)
  }
  t.is(scrape.value('eni_info',
    `${ofA},eni_name="",instance="${a.id}",instance_name="the \\"a\\""`), 1)
  const flows = scrape.value('worker_flows_live', 'host="host-1"')
  t.true(flows >= 1 && scrape.value('worker_flows_created_total', 'host="host-1"') >= flows)
  t.is(scrape.value('table_entries', 'host="host-1",table="flows"'), flows)
  t.true(scrape.value('table_entries_max', 'host="host-1",table="flows"') >= 262_144)
  t.is(scrape.value('table_entries', 'host="host-2",table="ports"'), 1)
  t.is(scrape.value('records', 'noun="instance"'), 2)
  t.true(scrape.value('policy_rules', 'kind="security-group"') >= 2)
  t.is(scrape.value('applied_revision', 'host="host-2"'), scrape.value('store_revision'))
}

async function countsTime (t: ExecutionContext, url: string): Promise<void> {
  const host = 'host="host-1"'
  const running = (scrape: Scrape): number => scrape.value('worker_running_seconds_total', host)
  const before = await Scrape.of(url)
  const after = await eventually('time passes without packets', async () => {
    const one = await Scrape.of(url)
    return running(one) > running(before) && one
  })
  const waiting = after.value('worker_waiting_seconds_total', host)
  t.true(waiting > 0 && waiting <= running(after), `${String(waiting)} s of waiting`)
  t.true(after.value('worker_cpu_seconds_total', host) > 0)
  t.true(after.value('nic_sleeps_total', host) > 0)
}

async function countsCalls (t: ExecutionContext, lab: Lab, url: string): Promise<void> {
  await t.throwsAsync(lab.ec2.send(new ec2.CreateVpcCommand({ CidrBlock: '10.0.0.0/8' })))
  const scrape = await Scrape.of(url)
  const of = 'service="ec2",action="CreateVpc"'
  t.is(scrape.value('api_calls_total', `${of},code="OK"`), 1)
  t.is(scrape.value('api_calls_total', `${of},code="InvalidVpc.Range"`), 1)
  t.is(scrape.value('api_call_duration_seconds_count', of), 2)
  t.true(scrape.value('api_call_duration_seconds_sum', of) > 0)
  const commits = scrape.value('store_commits_total')
  t.true(commits > 5 && scrape.value('store_changes_total') > commits)
}

test.serial('Prometheus finds packets, drops, time and calls',
  withLab({ hosts: TWO_HOSTS_ONE_ZONE, flags: ['--metrics-port', '0'] }, async (t, lab) => {
    const url = await urlOf(t, lab)
    await countsPackets(t, lab, url)
    await countsTime(t, url)
    await countsCalls(t, lab, url)
  }))

test.serial('without the flag nothing is served', withLab({ hosts: '0' }, async (t, lab) => {
  t.is((await lab.status()).metricsUrl, null)
}))
