/**
 * A lab whose records are in an etcd of three members, of which one after the other fails:
 *
 *     calls that write ──▶ vpcd of m1 ──▶ e1  e2  e3       a ── ping ──▶ b goes on all the time
 *
 * A call is acknowledged, or refused with `Unavailable`. What was acknowledged is there, once.
 */
import * as ec2 from '@aws-sdk/client-ec2'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { ageOfRead } from '../harness/age_of_read.ts'
import { Cluster } from '../harness/cluster.ts'
import { eventually } from '../harness/command.ts'
import type { Background } from '../harness/command.ts'
import { leaderOf } from '../harness/etcd.ts'
import type { Etcd } from '../harness/etcd.ts'
import type { Lab } from '../harness/lab.ts'

const LANES = 2
/** Between the answer of a call and the next one of its lane, ms. */
const PACE_MS = 50
/** Acknowledged calls that show that writes go on. */
const CALLS_THAT_SHOW = 10
/** In which they are there after a leader is, ms. */
const RECOVERY_MS_MAX = 5000
/** After which a call that nobody takes is refused (docs/cluster.md), ms. */
const REFUSAL_MS_MAX = 8500

test.serial('members fail one after the other: nothing acknowledged is lost, or done twice',
  async (t) => {
    const cluster = await Cluster.start(3)
    try {
      const lab = await cluster.machine(1, ['m1-1', 'm1-2'],
        { hosts: 'm1-1:use1-az1,m1-2:use1-az1', flags: ['--quota', 'vpcs-per-region=4096'] })
      const subnet = await lab.subnet(await lab.vpc('192.168.0.0/16'), '192.168.1.0/24')
      const [a, b] = await Promise.all(['m1-1', 'm1-2'].map(async (host) =>
        await lab.instance(subnet, { host })))
      const ping = a!.start('ping', '-i', '0.05', b!.ipv4)
      await using calls = new Calls(lab)

      await oneIsKilled(t, cluster, calls, true)
      await oneIsKilled(t, cluster, calls, false)
      await oneStops(t, cluster, calls)
      await oneIsCutOff(t, cluster, calls)
      t.deepEqual(calls.refused, [], 'two of three are enough')
      await twoAreKilled(t, cluster, lab, calls)

      await calls.end()
      await allAnswered(t, ping)
      await ping.stop()
      await allIsThere(t, lab, calls)
      const [etcd] = cluster.etcds
      t.is(await recordsIn(etcd!, 'vpc'), (await blocks(lab)).length)
      await lab.kill()
      await lab.restart()
      await allIsThere(t, lab, calls)
    } finally {
      t.deepEqual(await cluster.down(), [])
    }
  })

/** The member that leads, or the one that is asked, ends; the other role is another member's. */
async function oneIsKilled (
  t: ExecutionContext, cluster: Cluster, calls: Calls, isLeader: boolean): Promise<void> {
  const asked = await askedOf(cluster)
  let leader = await leaderOf(cluster.etcds)
  if (leader === asked) {
    leader = cluster.etcds.find((etcd) => etcd !== asked)!
    await leader.takeLead(asked)
  }
  const killed = isLeader ? leader : asked
  await killed.kill()
  await leaderOf(cluster.etcds)
  await calls.goOn(t)
  await killed.restart()
}

/** A member that does nothing, but whose connections stay, is left for another one. */
async function oneStops (t: ExecutionContext, cluster: Cluster, calls: Calls): Promise<void> {
  const asked = await askedOf(cluster)
  asked.pause()
  try {
    await leaderOf(cluster.etcds)
    await calls.goOn(t)
    t.not(await askedOf(cluster), asked)
  } finally {
    asked.resume()
  }
}

/** So is one that answers, but has nobody to agree with. */
async function oneIsCutOff (t: ExecutionContext, cluster: Cluster, calls: Calls): Promise<void> {
  const asked = await askedOf(cluster)
  await cluster.cutOff(asked)
  await leaderOf(cluster.etcds.filter((etcd) => etcd !== asked))
  await calls.goOn(t)
  t.not(await askedOf(cluster), asked)
  await cluster.heal()
}

async function twoAreKilled (
  t: ExecutionContext, cluster: Cluster, lab: Lab, calls: Calls): Promise<void> {
  const [one, two] = cluster.etcds
  await Promise.all([one!.kill(), two!.kill()])
  await eventually('a call is refused', () => calls.refused.length > 2 * LANES)
  t.deepEqual([...new Set(calls.refused.map(({ name }) => name))], ['Unavailable'])
  t.true(Math.max(...calls.refused.map(({ tookMs }) => tookMs)) < REFUSAL_MS_MAX)
  t.true(Number(await ageOfRead(lab)) >= 1)
  const { storeUnreachableSince, storeUnreachableReason } = await lab.status()
  t.not(storeUnreachableSince, null)
  t.regex(storeUnreachableReason ?? '', /^etcd at 10\.99\.0\.10[123]:2379: /)
  await Promise.all([one!.restart(), two!.restart()])
  await leaderOf(cluster.etcds)
  await calls.goOn(t)
  t.is(await ageOfRead(lab), null)
}

async function askedOf (cluster: Cluster): Promise<Etcd> {
  return await eventually('the daemon asks one member', async () => await cluster.askedBy(1))
}

/** Each echo request has its reply, but for those that are under way when it is looked. */
async function allAnswered (t: ExecutionContext, ping: Background): Promise<void> {
  const answered = (): number[] =>
    [...ping.output.matchAll(/icmp_seq=(\d+) /g)].map(([, number]) => Number(number))
  await ping.printed(`icmp_seq=${String(Math.max(...answered()) + 1)} `)
  const numbers = answered().sort((one, other) => one - other)
  t.deepEqual(numbers, Array.from(numbers, (_number, index) => index + 1))
}

/** Each block that a call was acknowledged for is that of one VPC, and no block that of two. */
async function allIsThere (t: ExecutionContext, lab: Lab, calls: Calls): Promise<void> {
  const found = await blocks(lab)
  const distinct = new Set(found)
  t.is(distinct.size, found.length)
  t.deepEqual(calls.acknowledged.filter((block) => !distinct.has(block)), [])
}

async function blocks (lab: Lab): Promise<string[]> {
  const found: string[] = []
  for await (const { Vpcs = [] } of ec2.paginateDescribeVpcs({ client: lab.ec2 }, {})) {
    found.push(...Vpcs.map(({ CidrBlock = '' }) => CidrBlock))
  }
  return found
}

/** Records of a noun as a member has them. */
async function recordsIn (etcd: Etcd, noun: string): Promise<number> {
  const keys = await etcd.ctl('get', '--prefix', `/shop/record/${noun}/`, '--keys-only')
  return keys.split('\n').filter((line) => line !== '').length
}

/** CreateVpc, again and again, each of another block, and none of them repeated. */
class Calls implements AsyncDisposable {
  readonly acknowledged: string[] = []
  readonly refused: { readonly name: string, readonly tookMs: number }[] = []
  readonly #client: ec2.EC2Client
  readonly #lanes: Promise<void>[]
  #count = 0
  #isOver = false

  constructor (lab: Lab) {
    const { endpoint, credentials, region, requestHandler } = lab.ec2.config
    this.#client = new ec2.EC2Client(
      { endpoint, credentials, region, requestHandler, maxAttempts: 1 } as never)
    this.#lanes = Array.from({ length: LANES }, async () => { await this.#run() })
  }

  /** Waits until calls of now are acknowledged. */
  async goOn (t: ExecutionContext): Promise<void> {
    const startMs = performance.now()
    const before = this.acknowledged.length
    await eventually('calls are acknowledged', () =>
      this.acknowledged.length >= before + CALLS_THAT_SHOW)
    const tookMs = performance.now() - startMs
    t.log(`${String(CALLS_THAT_SHOW)} calls after ${String(Math.round(tookMs))} ms`)
    t.true(tookMs < RECOVERY_MS_MAX)
  }

  async [Symbol.asyncDispose] (): Promise<void> { await this.end() }

  async end (): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#lanes)
  }

  async #run (): Promise<void> {
    while (!this.#isOver) {
      const block = `10.${String(this.#count >> 4)}.${String((this.#count & 15) << 4)}.0/20`
      this.#count++
      const startMs = performance.now()
      try {
        await this.#client.send(new ec2.CreateVpcCommand({ CidrBlock: block }))
        this.acknowledged.push(block)
      } catch (error) {
        const { name } = error as Error
        this.refused.push({ name, tookMs: performance.now() - startMs })
      }
      await new Promise((resolve) => { setTimeout(resolve, PACE_MS) })
    }
  }
}
