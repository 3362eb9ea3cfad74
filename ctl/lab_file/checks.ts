/**
 * `vpcctl validate`: the checks of a lab file, run in the lab one after the other, each with real
 * packets from inside the instance it names.
 *
 * Around each check the drop counters of the lab are read. What rose meanwhile is told with a check
 * that failed: ENI, reason, and what to look at. That is why they do not run side by side.
 */
import { isIP } from 'node:net'
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import type { Instance } from '@aws-sdk/client-ec2'
import type { DropsAnswer } from '../../daemon/api/admin/contract.ts'
import type { Context } from '../context.ts'
import type { Ec2Client } from '../ec2_client.ts'
import { CtlError } from '../exit_codes.ts'
import { describeInstances } from '../instances.ts'
import { canonicalAddress, canonicalCidr } from './address.ts'
import { type Ended, instanceInside, type Inside, runInside } from './inside.ts'
import { targetIdsOf } from './kinds/route_table.ts'
import { type LiveLab, readLab } from './live.ts'
import type { Probe, ProbeAnswer } from './probe.ts'
import type { LiveResource } from './resource.ts'
import { CHECK_KINDS, type CheckKind, type LabCheck, type LabFile } from './schema.ts'
import { connectClients } from './session.ts'

/** Seconds that a check waits for an answer when it says nothing else. */
const TIMEOUT_SECONDS = 2
const PING_COUNT = 3
const PING_INTERVAL_SECONDS = 0.2
/** A command of a check may take longer: it is a program. */
const COMMAND_TIMEOUT_SECONDS = 30
/** ms on top of a program's own timeout before it is ended. */
const MARGIN_MS = 3000
/** ms between two looks at the drop counters. */
const POLL_INTERVAL_MS = 50
/** ms for the counters to show a drop that a check asks for. */
const DROP_WAIT_MS = 1000
/** Bytes of headers before what ping sends: IP and ICMP. */
const PING_HEADER_BYTES = { ipv4: 28, ipv6: 48 } as const

export interface CheckResult {
  readonly name: string
  readonly kind: CheckKind
  readonly passed: boolean
  /** What happened, in words. */
  readonly message: string
  /** Drops that the lab counted meanwhile; only told of failures. */
  readonly drops: readonly string[]
  readonly durationMs: number
}

type Verdict = Pick<CheckResult, 'passed' | 'message'>
type Body<K extends CheckKind> = NonNullable<LabCheck[K]>
type Drop = DropsAnswer['drops'][number]
type Family = 'ipv4' | 'ipv6'

/** What checks of packets have in common. */
interface Reach {
  readonly from: string
  readonly to: string
  readonly family?: Family | undefined
  /** Seconds. */
  readonly timeout?: number | undefined
}

/** Checks by name; those without one are named by what they do: `ping a → b`. */
export function namedChecks (file: LabFile): { name: string, check: LabCheck }[] {
  return (file.checks ?? []).map((check) => ({ name: check.name ?? madeUpName(check), check }))
}

function kindOf (check: LabCheck): CheckKind {
  return CHECK_KINDS.find((kind) => check[kind] !== undefined) ?? 'command'
}

function madeUpName (check: LabCheck): string {
  const kind = kindOf(check)
  const body = check[kind] as Readonly<Record<string, string | number | undefined>>
  switch (kind) {
    case 'route':
      return `route ${String(body['table'])} ${String(body['destination'])}`
    case 'dns':
      return `dns ${String(body['name'])} in ${String(body['from'])}`
    case 'command':
      return `command in ${String(body['in'])}: ${String(body['run']).split('\n')[0] ?? ''}`
    default: {
      const port = body['port'] === undefined ? '' : `:${String(body['port'])}`
      const family = body['family'] === 'ipv6' ? ' (ipv6)' : ''
      return `${kind} ${String(body['from'])} → ${String(body['to'])}${port}${family}`
    }
  }
}

/** Runs checks in order. @param told after each */
export async function runChecks (context: Context,
  checks: readonly { name: string, check: LabCheck }[],
  told: (result: CheckResult) => void): Promise<CheckResult[]> {
  const clients = await connectClients(context)
  const { ec2 } = clients
  const live = await readLab(clients,
    { owner: null, madeUpNames: false, wantsUserData: () => false })
  const checker = new Checker(context, ec2, live, await describeInstances(ec2, {}))
  const results: CheckResult[] = []
  for (const { name, check } of checks) {
    const result = await checker.run(name, check)
    results.push(result)
    told(result)
  }
  return results
}

class Checker {
  readonly #context: Context
  readonly #ec2: Ec2Client
  readonly #live: LiveLab
  readonly #instances: ReadonlyMap<string, Instance>

  constructor (context: Context, ec2: Ec2Client, live: LiveLab, instances: readonly Instance[]) {
    this.#context = context
    this.#ec2 = ec2
    this.#live = live
    this.#instances = new Map(instances.map((instance) => [instance.InstanceId ?? '', instance]))
  }

  async run (name: string, check: LabCheck): Promise<CheckResult> {
    const kind = kindOf(check)
    const startMs = this.#context.clock.monotonicMs()
    const before = await this.#drops()
    let verdict: Verdict
    try {
      verdict = await this.#judge(kind, check)
    } catch (error) {
      if (!(error instanceof CtlError)) throw error
      verdict = { passed: false, message: error.message }
    }
    return {
      name,
      kind,
      ...verdict,
      drops: verdict.passed ? [] : dropSentences(before, await this.#drops()),
      durationMs: Math.round(this.#context.clock.monotonicMs() - startMs)
    }
  }

  #judge (kind: CheckKind, check: LabCheck): Promise<Verdict> {
    const body = check[kind]
    switch (kind) {
      case 'ping': return this.#ping(body as Body<'ping'>)
      case 'tcp': return this.#tcp(body as Body<'tcp'>)
      case 'http': return this.#http(body as Body<'http'>)
      case 'dns': return this.#dns(body as Body<'dns'>)
      case 'route': return this.#route(body as Body<'route'>)
      case 'path-mtu': return this.#pathMtu(body as Body<'path-mtu'>)
      case 'must-not-reach': return this.#mustNotReach(body as Body<'must-not-reach'>)
      case 'command': return this.#command(body as Body<'command'>)
    }
  }

  async #ping (body: Body<'ping'>): Promise<Verdict> {
    const count = body.count ?? PING_COUNT
    const { answered, said } = await this.#pings(body, count)
    return {
      passed: answered === count,
      message: `${String(answered)} of ${String(count)} echoes answered${said}`
    }
  }

  async #tcp (body: Body<'tcp'>): Promise<Verdict> {
    const wanted = body.expect ?? 'connected'
    const { outcome } = await this.#probe(body, 'tcp', body.port, '/')
    return {
      passed: outcome === wanted,
      message: outcome === wanted ? outcome : `${outcome}, not ${wanted}`
    }
  }

  async #http (body: Body<'http'>): Promise<Verdict> {
    const answer = await this.#probe(body, 'http', body.port ?? 80, body.path ?? '/')
    if (answer.outcome !== 'answered') {
      return { passed: false, message: `no answer: ${answer.outcome}` }
    }
    const { status = 0, body: text = '' } = answer
    const wanted = body.status ?? 200
    if (status !== wanted) {
      return { passed: false, message: `status ${String(status)}, not ${String(wanted)}` }
    }
    if (body.body !== undefined && !text.includes(body.body)) {
      return { passed: false, message: `status ${String(status)}, but the body has no ` +
        `"${body.body}": ${excerpt(text)}` }
    }
    return { passed: true, message: `status ${String(status)}, ${String(text.length)} characters` }
  }

  async #dns (body: Body<'dns'>): Promise<Verdict> {
    const inside = await this.#inside(body.from)
    const answer = await this.#runProbe(inside, {
      kind: 'dns', host: body.name, port: 0, path: '', timeoutMs: milliseconds(body.timeout)
    })
    if (answer.addresses === undefined) {
      return { passed: false, message: `the name is not found: ${answer.outcome}` }
    }
    const found = answer.addresses.map(canonicalAddress).toSorted()
    const wanted = body.addresses.map((address) =>
      isIP(address) === 0
        ? this.#addressOf(this.#instance(address, vpcOf(body.from)), 'ipv4')
        : canonicalAddress(address)).toSorted()
    const agrees = found.join() === wanted.join()
    return {
      passed: agrees,
      message: agrees ? found.join(', ') : `${found.join(', ')}, not ${wanted.join(', ')}`
    }
  }

  async #route (body: Body<'route'>): Promise<Verdict> {
    const table = this.#find('route-table', body.table)
    const { RouteTables } = await this.#ec2.call('DescribeRouteTables',
      { RouteTableId: [table.id] })
    const destination = canonicalCidr(body.destination)
    const route = RouteTables?.[0]?.Routes?.find((one) =>
      canonicalCidr(one.DestinationCidrBlock ?? one.DestinationIpv6CidrBlock ?? '::/0') ===
        destination)
    if (route === undefined) return { passed: false, message: `no route to ${destination}` }
    const { GatewayId, State } = route
    const [id = ''] = targetIdsOf(route)
    const isLocal = GatewayId === 'local'
    const targets = isLocal ? ['local'] : this.#namesOfTarget(id)
    const wantedState = body.state ?? 'active'
    const names = targets.includes(body.target) || targets.some((target) =>
      `${table.vpc ?? ''}/${target}` === body.target)
    return {
      passed: names && State === wantedState,
      message: `to ${isLocal ? 'local' : targets.join(', ') || id}, ${State ?? ''}`
    }
  }

  /** What a file may call a target: its name, that of an instance when it is the eth0 of one. */
  #namesOfTarget (id: string): string[] {
    return [...this.#live.resources.values()]
      .filter((resource) => resource.id === id || resource.primaryEni === id)
      .map(({ name }) => name)
  }

  async #pathMtu (body: Body<'path-mtu'>): Promise<Verdict> {
    const fits = await this.#pings(body, 2, body.mtu)
    if (fits.answered === 0) {
      const message = `packets of ${String(body.mtu)} bytes do not pass${fits.said}`
      return { passed: false, message }
    }
    const larger = await this.#pings(body, 2, body.mtu + 1)
    return larger.answered === 0
      ? { passed: true, message: `${String(body.mtu)} bytes pass, larger packets do not` }
      : { passed: false, message: `packets of ${String(body.mtu + 1)} bytes pass, too` }
  }

  async #mustNotReach (body: Body<'must-not-reach'>): Promise<Verdict> {
    const before = await this.#drops()
    const reached = body.port === undefined
      ? await this.#pings(body, 2).then(({ answered }) =>
          answered > 0 ? `${String(answered)} of 2 echoes were answered` : null)
      : await this.#probe(body, 'tcp', body.port, '/').then(({ outcome }) =>
          outcome === 'connected' || outcome === 'refused'
            ? `the TCP connection was ${outcome === 'connected' ? 'made' : 'refused by it'}`
            : null)
    if (reached !== null) return { passed: false, message: `it is reached: ${reached}` }
    if (body.drop === undefined) return { passed: true, message: 'no answer, as it must be' }
    const dropped = await this.#waitForDrop(before, body.drop)
    return {
      passed: dropped,
      message: dropped
        ? `no answer; the lab dropped the packets: ${body.drop}`
        : `no answer, but the lab counted no drop "${body.drop}"`
    }
  }

  async #command (body: Body<'command'>): Promise<Verdict> {
    const inside = await this.#inside(body.in)
    const timeoutMs = (body.timeout ?? COMMAND_TIMEOUT_SECONDS) * 1000
    const ended = await runInside(inside, ['/bin/sh', '-c', body.run], timeoutMs)
    if (ended.timedOut) {
      return { passed: false, message: `it did not end within ${String(timeoutMs / 1000)} s` }
    }
    const wanted = body['exit-code'] ?? 0
    if (ended.code !== wanted) {
      return { passed: false, message: `exit code ${String(ended.code)}, not ` +
        `${String(wanted)}: ${excerpt(ended.stderr + ended.stdout)}` }
    }
    if (body.output !== undefined && !ended.stdout.includes(body.output)) {
      return { passed: false, message: `the output has no "${body.output}": ` +
        excerpt(ended.stdout) }
    }
    return { passed: true, message: `exit code ${String(wanted)}` }
  }

  /** @param sizeBytes of the whole packets, which are then not fragmented */
  async #pings (body: Reach, count: number,
    sizeBytes?: number): Promise<{ answered: number, said: string }> {
    const inside = await this.#inside(body.from)
    const address = this.#target(body)
    const timeout = body.timeout ?? TIMEOUT_SECONDS
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    const size = sizeBytes === undefined
      ? []
      : ['-M', 'do', '-s', String(Math.max(0, sizeBytes - PING_HEADER_BYTES[family]))]
    const ended = await runInside(inside, [
      'ping', '-n', '-c', String(count), '-i', String(PING_INTERVAL_SECONDS),
      '-W', String(timeout), ...size, address
    ], (timeout + count * PING_INTERVAL_SECONDS) * 1000 + MARGIN_MS)
    const [, answered] = /(\d+) (?:packets )?received/.exec(ended.stdout) ?? []
    return { answered: Number(answered ?? 0), said: pingSaid(ended) }
  }

  async #probe (body: Reach, kind: Probe['kind'], port: number,
    path: string): Promise<ProbeAnswer> {
    const inside = await this.#inside(body.from)
    return await this.#runProbe(inside,
      { kind, host: this.#target(body), port, path, timeoutMs: milliseconds(body.timeout) })
  }

  async #runProbe (inside: Inside, probe: Probe): Promise<ProbeAnswer> {
    const program = fileURLToPath(new URL('probe.ts', import.meta.url))
    // Of a guest with a root file system of its own, only the network matters here.
    const ended = await runInside({ ...inside, pid: null },
      [process.execPath, '--disable-warning=ExperimentalWarning', program, JSON.stringify(probe)],
      probe.timeoutMs + MARGIN_MS)
    try {
      return JSON.parse(ended.stdout) as ProbeAnswer
    } catch {
      throw new CtlError('CommandFailed',
        `The probe ended with ${String(ended.code)}: ${excerpt(ended.stderr)}`)
    }
  }

  #target ({ from, to, family = 'ipv4' }: Reach): string {
    if (isIP(to) !== 0) return to
    const instance = this.#lookUp('instance', to, vpcOf(from) ?? this.#vpcOf(from))
    return instance === undefined ? to : this.#addressOf(instance, family)
  }

  #vpcOf (instance: string): string | null { return this.#find('instance', instance).vpc }

  #addressOf ({ id, name }: LiveResource, family: Family): string {
    const instance = this.#instances.get(id)
    const primary = instance?.NetworkInterfaces?.find(({ Attachment }) =>
      Attachment?.DeviceIndex === 0)
    const address = family === 'ipv4'
      ? instance?.PrivateIpAddress
      : primary?.Ipv6Addresses?.[0]?.Ipv6Address
    if (address !== undefined && address !== '') return canonicalAddress(address)
    throw new CtlError('NameNotFound', `The instance "${name}" has no ${family} address`)
  }

  #instance (name: string, vpc: string | null): LiveResource {
    const found = this.#lookUp('instance', name, vpc)
    if (found !== undefined) return found
    throw new CtlError('NameNotFound', `The lab has no instance "${name}": apply the file first`)
  }

  /** @throws CtlError NameNotFound, NameAmbiguous */
  #find (kind: 'instance' | 'route-table', name: string): LiveResource {
    const found = this.#lookUp(kind, name, null)
    if (found !== undefined) return found
    throw new CtlError('NameNotFound', `The lab has no ${kind} "${name}": apply the file first`)
  }

  /** By `name` or `vpc/name`; of several, the one in `vpc`. */
  #lookUp (kind: 'instance' | 'route-table', name: string,
    vpc: string | null): LiveResource | undefined {
    const all = [...this.#live.resources.values()].filter((resource) => resource.kind === kind &&
      (resource.name === name || `${resource.vpc ?? ''}/${resource.name}` === name))
    const near = all.filter((resource) => resource.vpc === vpc)
    const [found, ...more] = near.length > 0 ? near : all
    if (more.length === 0) return found
    throw new CtlError('NameAmbiguous', `Several VPCs have the ${kind} "${name}": ` +
      all.map((resource) => `"${resource.vpc ?? ''}/${resource.name}"`).join(' or '))
  }

  async #inside (name: string): Promise<Inside> {
    return await instanceInside(this.#context, this.#find('instance', name).id)
  }

  async #drops (): Promise<readonly Drop[]> {
    return (await this.#context.admin.drops()).drops
  }

  async #waitForDrop (before: readonly Drop[], reason: string): Promise<boolean> {
    const deadlineMs = this.#context.clock.monotonicMs() + DROP_WAIT_MS
    for (;;) {
      const rose = risen(before, await this.#drops()).some(({ drop }) => drop.reason === reason)
      if (rose || this.#context.clock.monotonicMs() >= deadlineMs) return rose
      await delay(POLL_INTERVAL_MS)
    }
  }
}

/** Counters that rose, with by how much. */
function risen (before: readonly Drop[], after: readonly Drop[]): { drop: Drop, by: number }[] {
  const key = ({ host, eni, reason }: Drop): string => `${host} ${eni ?? ''} ${reason}`
  const old = new Map(before.map((drop) => [key(drop), drop.packets]))
  return after.map((drop) => ({ drop, by: drop.packets - (old.get(key(drop)) ?? 0) }))
    .filter(({ by }) => by > 0)
}

/** What the lab dropped meanwhile, a sentence for each ENI and reason. */
export function dropSentences (before: readonly Drop[], after: readonly Drop[]): string[] {
  return risen(before, after).map(({ drop, by }) => {
    const { host, eni, eniName, instanceName, reason, advice, meaning } = drop
    const owner = [instanceName, eniName].filter((name) => name !== '').join(', ')
    const where = eni === null ? host : `${eni}${owner === '' ? '' : ` (${owner})`} on ${host}`
    return `${String(by)} dropped at ${where}: ${reason}. ${advice || meaning}`
  })
}

function pingSaid ({ stdout, stderr }: Ended): string {
  const [, roundTrip] = /= [\d.]+\/([\d.]+)\//.exec(stdout) ?? []
  if (roundTrip !== undefined) return `, ${roundTrip} ms`
  const [icmp] = /^From .*$|^ping: .*$|mtu ?=? ?\d+/m.exec(stderr + stdout) ?? []
  return icmp === undefined ? '' : `: ${icmp}`
}

function milliseconds (timeout: number | undefined): number {
  return (timeout ?? TIMEOUT_SECONDS) * 1000
}

/** The VPC in `vpc/name`, or null. */
function vpcOf (name: string): string | null {
  const at = name.indexOf('/')
  return at === -1 ? null : name.slice(0, at)
}

const EXCERPT_CHARACTERS_MAX = 200

function excerpt (text: string): string {
  const flat = text.replace(/\s+/g, ' ').trim()
  return flat === '' ? '(nothing)' : flat.length > EXCERPT_CHARACTERS_MAX
    ? `${flat.slice(0, EXCERPT_CHARACTERS_MAX)}…`
    : flat
}
