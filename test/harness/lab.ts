/**
 * A real lab for tests and benches: a `vpcd` of its own with hosts in namespaces, and short ways to
 * build in it through the EC2 API.
 *
 *     Lab.start(options)                 vpcd, hosts, underlay
 *       lab.vpc · subnet · instance      EC2 calls, each waits until real
 *         instance.exec('ping', …)       a program inside the instance's namespace
 *       lab.capture(host)                tcpdump on the underlay (capture.ts)
 *     lab.down()                         removes everything, tells what was left behind
 *
 * The lab's name is unique, so that several test files run at once, beside a person's own lab.
 * Nothing here knows how the daemon works: EC2 API, admin API, flags and namespace names only.
 */
import { EC2Client } from '@aws-sdk/client-ec2'
import * as ec2 from '@aws-sdk/client-ec2'
import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { Agent } from 'node:http'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type {
  CredentialsAnswer, DropsAnswer, FlowsAnswer, HostStatus, LabStatusAnswer, MappingAnswer,
  ResetAnswer, WaitAnswer
} from '../../daemon/api/admin/contract.ts'
import {
  internetNamespace, namespaceName, namespacePath, pidPath
} from '../../daemon/host/paths.ts'
import { adminRequest } from './admin.ts'
import { Capture } from './capture.ts'
import { Background, NODE, ROOT, command, eventually, tryCommand } from './command.ts'
import { Daemon } from './daemon.ts'
import { Instance } from './instance.ts'
import { leftovers } from './leftovers.ts'

const START_TIMEOUT_MS = 60_000
const APPLIED_TIMEOUT_MS = 30_000
/** The built-in image: the root file system of the machine itself. */
const IMAGE_ID = 'ami-00000000000000001'

export interface LabOptions {
  /** `--hosts`: a number, or `name:zone,…`. */
  readonly hosts?: string
  /** `--edges`; none when absent. */
  readonly edges?: number
  readonly underlayMtu?: number
  readonly underlay?: 'ipv4' | 'ipv6'
  /** Further flags of vpcd. */
  readonly flags?: readonly string[]
  /** Variables of the daemon's environment, beside those of the test. */
  readonly environment?: Readonly<Record<string, string>>
  /** Namespace that stands for the machine (cluster.ts); the test's own when absent. */
  readonly namespace?: string
}

/** Two hosts in one zone: instances of one subnet can be on both. */
export const TWO_HOSTS_ONE_ZONE = 'host-1:use1-az1,host-2:use1-az1'

export interface TestVpc { readonly id: string, readonly cidr: string, readonly ipv6Cidr: string }
export interface TestSubnet {
  readonly id: string
  readonly vpc: TestVpc
  readonly cidr: string
  readonly ipv6Cidr: string
}

export interface InstanceOptions {
  readonly host?: string
  readonly address?: string
  readonly ipv6?: boolean
  readonly userData?: string
  readonly type?: ec2._InstanceType
  readonly count?: number
  /** The machine's own root file system when absent. */
  readonly imageId?: string
  /** Of its ENIs; TUNs when absent. */
  readonly device?: 'tap'
  /** Of the subnet's Region; the lab's own when absent. */
  readonly client?: EC2Client
}

/** What another process needs to go on with a lab. */
export interface LabRecord {
  readonly name: string
  readonly options: LabOptions
  readonly port: number
  readonly daemonPid: number
  readonly credentials: CredentialsAnswer
  /** What there is of the lab while it is empty (leftovers.ts). */
  readonly own: readonly string[]
}

export class Lab {
  readonly name: string
  readonly options: LabOptions
  readonly ec2: EC2Client
  readonly #port: number
  readonly #credentials: CredentialsAnswer
  /** Every daemon the lab has had in this process; the last one is the present one. */
  readonly #daemons: Daemon[]
  /** Where in the log its present test begins: behind the last reset. */
  logAtReset = 0
  /** Of a lab that is down. */
  #lastLog: string | null = null
  /** Programs on the internet. */
  readonly #servers: Background[] = []
  /** What there is of the lab while it is empty (leftovers.ts). */
  #own: readonly string[] = []
  /** Packets that were dropped where no ENI can be named before the last reset, by reason. */
  #droppedBefore = new Map<string, number>()

  /** Lets the test in, where the daemon's endpoint is in another namespace. */
  readonly #door: Background | null

  private constructor (name: string, options: LabOptions, port: number, daemon: Daemon,
    credentials: CredentialsAnswer) {
    this.name = name
    this.options = options
    this.#credentials = credentials
    this.#door = options.namespace === undefined ? null : new Background(...onMachine(options,
      NODE, [join(ROOT, 'test/harness/programs/door.ts'), doorPath(name), String(port)]))
    this.#port = port
    this.#daemons = [daemon]
    this.ec2 = new EC2Client({
      endpoint: credentials.endpointUrl,
      region: credentials.region,
      ...(options.namespace === undefined ? {} : { requestHandler: { httpAgent: new Door(name) } }),
      credentials: {
        accessKeyId: credentials.accessKeyId, secretAccessKey: credentials.secretAccessKey
      }
    })
  }

  static async start (options: LabOptions = {}): Promise<Lab> {
    const name = `t${randomBytes(3).toString('hex')}`
    const port = await freePort()
    const daemon = await startDaemon(name, options, port)
    try {
      await whenReady(name, daemon)
      const credentials = await adminRequest<CredentialsAnswer>(name, 'GET', '/credentials')
      const lab = new Lab(name, options, port, daemon, credentials)
      await lab.#door?.printed('open')
      lab.#own = await leftovers(name)
      return lab
    } catch (error) {
      await daemon.stop('SIGKILL')
      await tearDown(name, options)
      rmSync(logPath(name), { force: true })
      throw error
    }
  }

  /** Goes on with a lab that is up, and empty. */
  static async adopt (record: LabRecord): Promise<Lab> {
    const { name, options, port, daemonPid, credentials, own } = record
    const lab = new Lab(name, options, port, new Daemon(daemonPid), credentials)
    lab.#own = own
    await lab.#countFromHere()
    return lab
  }

  /** Lets go of the lab, which has been reset: whoever adopts the record goes on with it. */
  record (): LabRecord {
    this.ec2.destroy()
    return {
      name: this.name,
      options: this.options,
      port: this.#port,
      daemonPid: this.daemonPid,
      credentials: this.#credentials,
      own: this.#own
    }
  }

  /** Process id of the daemon. */
  get daemonPid (): number { return Number(readFileSync(pidPath(this.name), 'utf8')) }
  /** What the daemons of this lab have logged so far, one JSON object per line. */
  get log (): string { return this.#lastLog ?? readFileSync(logPath(this.name), 'utf8') }
  hostNamespace (host: string): string { return namespaceName(this.name, host) }

  /** Whether the daemon is the one that the lab began with. */
  get isAsStarted (): boolean {
    return this.#daemons.length === 1 && this.#daemons[0]?.running === true
  }

  /** `kill -9` of the daemon. Instances go on. */
  async kill (): Promise<void> { await this.#daemons.at(-1)?.stop('SIGKILL') }

  /** Starts the daemon again on what it left. */
  async restart (): Promise<void> {
    const daemon = await startDaemon(this.name, this.options, this.#port)
    this.#daemons.push(daemon)
    await whenReady(this.name, daemon)
  }

  /** Removes the lab. @returns what is still there, which must be nothing */
  async down (): Promise<string[]> {
    this.ec2.destroy()
    await this.#door?.stop('SIGKILL')
    await tearDown(this.name, this.options)
    await this.#daemons.at(-1)?.ended()
    this.#lastLog = this.log
    rmSync(logPath(this.name), { force: true })
    return await leftovers(this.name)
  }

  /** Removes all but the hosts, for the next test. @returns what is still there */
  async reset (): Promise<string[]> {
    for (const server of this.#servers.splice(0)) await server.stop('SIGKILL')
    await adminRequest<ResetAnswer>(this.name, 'POST', '/reset')
    await this.waitApplied()
    let left: string[] = []
    try {
      await eventually('nothing but the hosts is there', async () => {
        left = await this.#foreign()
        return left.length === 0
      })
    } catch (error) {
      if (left.length === 0) throw error
    }
    await this.#countFromHere()
    return left
  }

  async #countFromHere (): Promise<void> {
    this.logAtReset = this.log.length
    const { drops } = await adminRequest<DropsAnswer>(this.name, 'GET', '/drops')
    this.#droppedBefore = new Map(drops.filter(({ eni }) => eni === null)
      .map(({ reason }) => [reason, sumOf(drops, null, reason)]))
  }

  /** What is there of the lab and was not when it was empty. */
  async #foreign (): Promise<string[]> {
    const own = new Set(this.#own.map(withoutPid))
    return (await leftovers(this.name)).filter((line) => !own.has(withoutPid(line)))
  }

  status (): Promise<LabStatusAnswer> { return adminRequest(this.name, 'GET', '/status') }

  async hostStatus (host: string): Promise<HostStatus> {
    const found = (await this.status()).hosts.find((status) => status.name === host)
    if (found === undefined) throw new Error(`The lab has no host "${host}"`)
    return found
  }

  /** `kill -9` of the data plane of an edge. @returns its process id */
  async killWorker (edge: string): Promise<number> {
    const { pid } = await this.hostStatus(edge)
    if (pid === null) throw new Error(`The data plane of ${edge} is no process, or does not run`)
    process.kill(pid, 'SIGKILL')
    return pid
  }

  /** Waits until the data plane of an edge is another process. */
  async workerAfter (edge: string, pid: number): Promise<void> {
    await eventually(`${edge} runs again`, async () => {
      const now = await this.hostStatus(edge)
      return now.pid !== null && now.pid !== pid
    })
  }

  /** Waits until every agent has applied what is committed now. */
  async waitApplied (): Promise<void> {
    const { revision } = await this.status()
    await adminRequest<WaitAnswer>(this.name, 'GET',
      `/wait?revision=${String(revision)}&timeoutMs=${String(APPLIED_TIMEOUT_MS)}`)
  }

  /**
   * Packets dropped since the last reset for one reason, at one ENI or (null) where no ENI can be
   * named.
   */
  async drops (eni: string | null, reason: string): Promise<number> {
    const { drops } = await adminRequest<DropsAnswer>(this.name, 'GET', '/drops')
    const before = eni === null ? this.#droppedBefore.get(reason) ?? 0 : 0
    return sumOf(drops, eni, reason) - before
  }

  /** Waits until the drops of one reason at one ENI have risen to at least `packets`. */
  async waitDrops (eni: string | null, reason: string, packets: number): Promise<void> {
    await eventually(`${String(packets)} drops "${reason}" at ${eni ?? 'no ENI'}`,
      async () => await this.drops(eni, reason) >= packets)
  }

  async flows (eni: string): Promise<FlowsAnswer['flows']> {
    return (await adminRequest<FlowsAnswer>(this.name, 'GET', `/flows?eni=${eni}`)).flows
  }

  mapping (vpcId: string, address: string): Promise<MappingAnswer> {
    return adminRequest(this.name, 'GET', `/mapping?vpc=${vpcId}&address=${address}`)
  }

  async vpc (cidr: string, options: { ipv6?: boolean } = {}): Promise<TestVpc> {
    const { Vpc } = await this.ec2.send(new ec2.CreateVpcCommand({
      CidrBlock: cidr, AmazonProvidedIpv6CidrBlock: options.ipv6 ?? false
    }))
    const id = Vpc?.VpcId ?? ''
    const ipv6Cidr = Vpc?.Ipv6CidrBlockAssociationSet?.[0]?.Ipv6CidrBlock ?? ''
    return { id, cidr, ipv6Cidr }
  }

  /**
   * @param cidr empty: of IPv6 alone
   * @param ipv6Index which /64 of the VPC's /56 the subnet takes; -1 for none
   */
  async subnet (vpc: TestVpc, cidr: string, options: { zone?: string, ipv6Index?: number } = {}):
  Promise<TestSubnet> {
    const ipv6Index = options.ipv6Index ?? -1
    const ipv6Cidr = ipv6Index < 0 ? '' : subnetIpv6Cidr(vpc.ipv6Cidr, ipv6Index)
    const { Subnet } = await this.ec2.send(new ec2.CreateSubnetCommand({
      VpcId: vpc.id,
      ...(cidr === '' ? { Ipv6Native: true } : { CidrBlock: cidr }),
      AvailabilityZoneId: options.zone ?? 'use1-az1',
      ...(ipv6Cidr === '' ? {} : { Ipv6CidrBlock: ipv6Cidr })
    }))
    return { id: Subnet?.SubnetId ?? '', vpc, cidr, ipv6Cidr }
  }

  /** One instance, running and reachable. */
  async instance (subnet: TestSubnet, options: InstanceOptions = {}): Promise<Instance> {
    const [instance] = await this.instances(subnet, { ...options, count: 1 })
    if (instance === undefined) throw new Error('RunInstances started no instance')
    return instance
  }

  /** Instances of one call, running, with every agent knowing of them. */
  async instances (subnet: TestSubnet, options: InstanceOptions): Promise<Instance[]> {
    const count = options.count ?? 1
    const client = options.client ?? this.ec2
    const { Instances } = await client.send(new ec2.RunInstancesCommand({
      ImageId: options.imageId ?? IMAGE_ID,
      InstanceType: options.type ?? 't3.micro',
      MinCount: count,
      MaxCount: count,
      SubnetId: subnet.id,
      ...(options.host === undefined ? {} : { Placement: { HostId: options.host } }),
      ...(options.address === undefined ? {} : { PrivateIpAddress: options.address }),
      ...(options.ipv6 === true ? { Ipv6AddressCount: 1 } : {}),
      ...(options.userData === undefined
        ? {}
        : { UserData: Buffer.from(options.userData).toString('base64') }),
      ...(options.device === undefined
        ? {}
        : { TagSpecifications: [{ ResourceType: 'instance' as const,
          Tags: [{ Key: 'vpclab:device', Value: options.device }] }] })
    }))
    const ids = (Instances ?? []).map((instance) => instance.InstanceId ?? '')
    // The agents start them; asking all the while would slow them down.
    await this.waitApplied()
    const running = await this.waitInstances(ids, 'running', client)
    await this.waitApplied()
    return running.map((instance) => new Instance(this.name, instance))
  }

  /** Waits until all of `ids` are in a state. */
  async waitInstances (ids: readonly string[], state: string,
    client = this.ec2): Promise<ec2.Instance[]> {
    return await eventually(`${String(ids.length)} instances ${state}`, async () => {
      const { Reservations = [] } = await client.send(
        new ec2.DescribeInstancesCommand({ InstanceIds: [...ids] }))
      const instances = Reservations.flatMap((reservation) => reservation.Instances ?? [])
      return instances.length === ids.length &&
        instances.every((instance) => instance.State?.Name === state) && instances
    }, START_TIMEOUT_MS * 2)
  }

  /** A program on the hosts of the internet: 198.51.100.10 and its neighbours. */
  internet (program: string, ...args: readonly string[]): Promise<string> {
    return command('ip', 'netns', 'exec', internetNamespace(this.name), program, ...args)
  }

  /** The same, whatever becomes of it. */
  tryInternet (program: string, ...args: readonly string[]): ReturnType<typeof tryCommand> {
    return tryCommand('ip', ['netns', 'exec', internetNamespace(this.name), program, ...args])
  }

  /** A program on the internet that runs until it is stopped, or the lab goes. */
  internetServer (program: string, ...args: readonly string[]): Background {
    const server = new Background('ip',
      ['netns', 'exec', internetNamespace(this.name), program, ...args])
    this.#servers.push(server)
    return server
  }

  /** Starts a capture of the underlay at a host's own device. */
  capture (host: string, filter = 'udp port 6081'): Promise<Capture> {
    return Capture.start({
      namespace: this.hostNamespace(host),
      device: 'underlay0',
      filter,
      whenListening: () => this.#perPacket()
    })
  }

  /** Waits until every agent sends one datagram per packet, since a capture is open. */
  async #perPacket (): Promise<void> {
    await eventually('wire mode per-packet on every host', async () =>
      (await this.status()).hosts.every((host) => host.wireMode === 'per-packet'))
  }
}

/** A process that was started again is the same. */
function withoutPid (line: string): string { return line.replace(/^process \d+ /, 'process ') }

function sumOf (drops: DropsAnswer['drops'], eni: string | null, reason: string): number {
  return drops.filter((row) => row.eni === eni && row.reason === reason)
    .reduce((sum, row) => sum + row.packets, 0)
}

/** The `index`th /64 of a /56, in canonical text as long as the index is not 0. */
function subnetIpv6Cidr (vpcCidr: string, index: number): string {
  const groups = (vpcCidr.split('::')[0] ?? '').split(':')
  while (groups.length < 4) groups.push('0')
  groups[3] = (parseInt(groups[3] ?? '0', 16) + index).toString(16)
  return `${groups.join(':')}::/64`
}

/** Where the daemons of a lab write to. */
function logPath (name: string): string { return join(tmpdir(), `vpclab-test-${name}.log`) }

function startDaemon (name: string, options: LabOptions, port: number): Promise<Daemon> {
  return Daemon.start(...onMachine(options, join(ROOT, 'bin/vpcd'), [
    '--lab', name,
    '--hosts', options.hosts ?? TWO_HOSTS_ONE_ZONE,
    '--edges', String(options.edges ?? 0),
    '--api-port', String(port),
    ...(options.underlayMtu === undefined ? [] : ['--underlay-mtu', String(options.underlayMtu)]),
    ...(options.underlay === undefined ? [] : ['--underlay', options.underlay]),
    ...(options.flags?.includes('--default-vpc') === true ? [] : ['--default-vpc', 'off']),
    ...(options.flags ?? [])
  ]), { logPath: logPath(name), environment: options.environment })
}

/** A program on the machine that the lab's daemon is on. */
function onMachine ({ namespace }: LabOptions, program: string, args: readonly string[]):
[string, string[]] {
  return namespace === undefined ? [program, [...args]]
    : ['nsenter', [`--net=${namespacePath(namespace)}`, program, ...args]]
}

/** Waits until the daemon answers and every agent has applied what the store holds. */
async function whenReady (name: string, daemon: Daemon): Promise<void> {
  await eventually(`lab ${name} up`, async () => {
    if (!daemon.running) throw new Error(`vpcd ended:\n${readFileSync(logPath(name), 'utf8')}`)
    const status = await adminRequest<LabStatusAnswer>(name, 'GET', '/status')
      .catch(() => undefined)
    return status !== undefined && status.appliedRevision >= status.revision
  }, START_TIMEOUT_MS)
}

async function tearDown (name: string, options: LabOptions): Promise<void> {
  const [program, args] =
    onMachine(options, join(ROOT, 'bin/vpcd'), ['--lab', name, '--teardown'])
  await command(program, ...args)
}

/** Connections to the endpoint of a lab in another namespace, by the door in it. */
class Door extends Agent {
  readonly #path: string

  constructor (lab: string) {
    super()
    this.#path = doorPath(lab)
  }

  override createConnection (): Socket { return connect(this.#path) }
}

function doorPath (lab: string): string { return join(tmpdir(), `vpclab-door-${lab}.sock`) }

/** A TCP port of the loopback address that nobody listens on now. */
export async function freePort (): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  const address = server.address()
  await new Promise((resolve) => { server.close(resolve) })
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}

/** True when the program is installed. */
export async function installed (program: string): Promise<boolean> {
  return (await tryCommand('which', [program])).code === 0
}
