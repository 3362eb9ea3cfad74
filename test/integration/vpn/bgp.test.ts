/**
 * The BGP engine with a real BIRD, against stock BIRD, FRR and GoBGP as the customer's device.
 * There is no IPsec here: a veth stands for the tunnel.
 *
 *     [gateway] AS 64512, BIRD ── 169.254.10.1 ═ veth ═ 169.254.10.2 ── [device] AS 65010
 *      VPC 10.0.0.0/16                                                   192.168.7.0/24 …
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import {
  chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { BirdEngine } from '../../../daemon/bgp/bird_engine.ts'
import { BgpController } from '../../../daemon/bgp/controller.ts'
import { systemClock } from '../../../daemon/base/clock.ts'
import { newId } from '../../../daemon/base/ids.ts'
import { systemRandom } from '../../../daemon/base/random.ts'
import { killProcessesIn } from '../../../daemon/host/namespace_processes.ts'
import { planCreateCustomerGateway } from '../../../daemon/model/customer_gateway.ts'
import type { Plan, PlanContext } from '../../../daemon/model/plan.ts'
import { AccountView } from '../../../daemon/model/snapshot.ts'
import { planCreateVpc } from '../../../daemon/model/vpc.ts'
import {
  planCreateVpnConnection, planDeleteVpnConnection, planReplaceVpnTunnel
} from '../../../daemon/model/vpn_connection.ts'
import {
  planAttachVpnGateway, planCreateVpnGateway, VPN_TYPE
} from '../../../daemon/model/vpn_gateway.ts'
import { planIpsecSession } from '../../../daemon/model/vpn_status.ts'
import type { BgpSession } from '../../../daemon/model/vpn_status.ts'
import { silentLog } from '../../../daemon/observe/log.ts'
import { Replica } from '../../../daemon/store/replica.ts'
import { SqliteEngine } from '../../../daemon/store/sqlite_engine.ts'
import { eventually, tryCommand } from '../../harness/command.ts'
import type { CommandResult } from '../../harness/command.ts'
import { Namespaces } from '../../harness/namespaces.ts'

const ACCOUNT = '111111111111'
const CONTEXT: PlanContext =
  { nowMs: Date.now(), newId: (prefix) => newId(systemRandom, prefix) }

/** A gateway with one connection, and the namespaces of both ends. */
class Site implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'vpclab-bgp-'))
  readonly #net: Namespaces
  readonly replica: Replica
  readonly vpnId: string
  controller: BgpController
  #device: ChildProcess | null = null

  private constructor (net: Namespaces, replica: Replica, vpnId: string) {
    chmodSync(this.directory, 0o755) // BIRD and FRR have users of their own
    this.#net = net
    this.replica = replica
    this.vpnId = vpnId
    this.controller = this.start()
  }

  static async open (): Promise<Site> {
    const net = await Namespaces.create('gateway', 'device')
    await net.join('gateway', ['169.254.10.1/30'], 'device', ['169.254.10.2/30'])
    const replica = await Replica.open(new SqliteEngine(':memory:', systemClock))
    const run = async <R>(plan: (view: AccountView) => Plan<R>): Promise<R> =>
      (await replica.transact(() =>
        plan(new AccountView(replica.snapshot, ACCOUNT, 'us-east-1')))).result
    const { vpcId } = await run((view) => planCreateVpc(view, { cidrBlock: '10.0.0.0/16',
      instanceTenancy: 'default', amazonProvidedIpv6CidrBlock: false, tags: {} }, CONTEXT))
    const vpnGatewayId = await run((view) => planCreateVpnGateway(view, { type: VPN_TYPE,
      amazonSideAsn: undefined, availabilityZone: undefined, tags: {} }, CONTEXT))
    await run((view) => planAttachVpnGateway(view, { vpnGatewayId, vpcId }))
    const customerGatewayId = await run((view) => planCreateCustomerGateway(view, {
      type: VPN_TYPE, bgpAsn: 65_010, bgpAsnExtended: undefined, ipAddress: '198.51.100.20',
      certificateArn: undefined, deviceName: undefined, tags: {} }, CONTEXT))
    const vpnId = await run((view) => planCreateVpnConnection(view, {
      type: VPN_TYPE, customerGatewayId, vpnGatewayId, transitGatewayId: undefined,
      enableAcceleration: false, staticRoutesOnly: false, tunnelInsideIpVersion: undefined,
      localIpv4NetworkCidr: undefined, remoteIpv4NetworkCidr: undefined,
      tunnels: [{ insideCidr: '169.254.10.0/30' }], tags: {} }, CONTEXT))
    return new Site(net, replica, vpnId)
  }

  /** The daemon's half, as after a start. */
  start (): BgpController {
    this.controller = new BgpController({
      replica: this.replica, clock: systemClock, log: silentLog(),
      namespaceOf: () => this.#net.name('gateway'),
      createEngine: (onReport) => new BirdEngine({
        directory: join(this.directory, 'gateways'), clock: systemClock, log: silentLog(),
        hasNamespace: (name) => existsSync(`/run/netns/${name}`), onReport
      })
    })
    return this.controller
  }

  /** The first tunnel's session. */
  get session (): BgpSession | undefined {
    return [...this.replica.snapshot.tables.bgpSession.values()]
      .find(({ outsideIpAddress }) => outsideIpAddress ===
        this.replica.snapshot.tables.vpnConnection.get(this.vpnId)?.tunnels[0]?.outsideIpAddress)
  }

  get prefixes (): string[] { return (this.session?.paths ?? []).map(({ cidr }) => cidr) }

  async until (what: string, condition: () => boolean, timeoutMs = 30_000): Promise<void> {
    try {
      await eventually(what, condition, timeoutMs)
    } catch (error) {
      throw new Error(`${(error as Error).message}: ${JSON.stringify(this.session)}`)
    }
  }

  /** Pid of the gateway's BIRD. */
  get pid (): number {
    const [gateway] = [...this.replica.snapshot.tables.vpnGateway.values()]
    const path = join(this.directory, 'gateways', gateway?.id ?? '', 'bird.pid')
    return Number(readFileSync(path, 'utf8'))
  }

  /** A stock BIRD as the device. @param routes its static routes, one line each */
  async device (routes: readonly string[], asn = 65_010): Promise<void> {
    const directory = join(this.directory, 'device')
    const isNew = this.#device === null
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, 'bird.conf'), `router id 169.254.10.2;
protocol device {}
protocol static lan { ipv4; ${routes.map((route) => `route ${route};`).join('\n')} }
protocol bgp aws { local 169.254.10.2 as ${String(asn)}; neighbor 169.254.10.1 as 64512;
  hold time 30; connect retry time 1; connect delay time 1; error wait time 1, 2;
  ipv4 { import all; export where source = RTS_STATIC; }; }
`)
    if (isNew) {
      this.#device = spawn('ip', ['netns', 'exec', this.#net.name('device'), 'bird', '-f',
        '-c', join(directory, 'bird.conf'), '-s', join(directory, 'ctl')], { stdio: 'ignore' })
    } else await this.birdc('configure')
  }

  async birdc (...words: readonly string[]): Promise<string> {
    const { stdout } = await tryCommand('birdc',
      ['-s', join(this.directory, 'device', 'ctl'), ...words])
    return stdout
  }

  /** What the gateway's own BIRD says. */
  async gatewayBirdc (...words: readonly string[]): Promise<string> {
    const [gateway] = [...this.replica.snapshot.tables.vpnGateway.values()]
    const path = join(this.directory, 'gateways', gateway?.id ?? '', 'bird.sock')
    return (await tryCommand('birdc', ['-s', path, ...words])).stdout
  }

  /** A stock FRR as the device. */
  frr (config: string): void {
    const directory = join(this.directory, 'frr')
    mkdirSync(directory, { recursive: true })
    const { uid, gid } = idsOf('frr')
    chownSync(directory, uid, gid)
    writeFileSync(join(directory, 'frr.conf'), config)
    this.#device = spawn('ip', ['netns', 'exec', this.#net.name('device'), '/usr/lib/frr/bgpd',
      '-f', join(directory, 'frr.conf'), '-z', join(directory, 'zapi'), '-i',
      join(directory, 'pid'), '--vty_socket', directory, '-n', '-S'], { stdio: 'ignore' })
  }

  /** A stock GoBGP as the device. */
  gobgp (config: string): void {
    const file = join(this.directory, 'gobgpd.toml')
    writeFileSync(file, config)
    this.#device = spawn('ip', ['netns', 'exec', this.#net.name('device'), 'gobgpd', '-f', file,
      '--api-hosts', '127.0.0.1:50051', '--pprof-disable'], { stdio: 'ignore' })
  }

  async gobgpCli (...words: readonly string[]): Promise<CommandResult> {
    return await tryCommand('ip',
      ['netns', 'exec', this.#net.name('device'), 'gobgp', ...words])
  }

  /** Packets of the device to the gateway are lost, or pass again. */
  async cut (isCut: boolean): Promise<void> {
    for (const side of ['gateway', 'device']) {
      await (isCut
        ? this.#net.run(side, 'nft',
          'table ip cut { chain in { type filter hook input priority 0; tcp dport 179 drop; ' +
          'tcp sport 179 drop; }; }')
        : this.#net.run(side, 'nft', 'delete', 'table', 'ip', 'cut'))
    }
  }

  async deleteConnection (): Promise<void> {
    const { snapshot } = this.replica
    await this.replica.transact(() => planDeleteVpnConnection(
      new AccountView(snapshot, ACCOUNT, 'us-east-1'), { vpnConnectionId: this.vpnId }, CONTEXT))
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.controller.stop()
    const device = this.#device
    if (device !== null && device.exitCode === null) {
      const ended = new Promise((resolve) => device.once('exit', resolve))
      device.kill('SIGKILL')
      await ended
    }
    await killProcessesIn([this.#net.name('gateway')])
    await this.#net[Symbol.asyncDispose]()
    this.replica.close()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

function idsOf (user: string): { readonly uid: number, readonly gid: number } {
  const match = new RegExp(`^${user}:[^:]*:(\\d+):(\\d+):`, 'm')
    .exec(readFileSync('/etc/passwd', 'utf8'))
  return { uid: Number(match?.[1]), gid: Number(match?.[2]) }
}

const LAN = '192.168.7.0/24 unreachable'

test.serial('what BIRD announces is a record within a second, and is withdrawn so', async (t) => {
  await using site = await Site.open()
  await site.device([LAN,
    '192.168.8.0/24 unreachable { bgp_path.prepend(65010); bgp_med = 50; ' +
    'bgp_community.add((65010,100)); }'])
  await site.until('two routes', () => site.prefixes.length === 2)
  t.deepEqual(site.session?.paths, [
    { cidr: '192.168.7.0/24', asPath: [65_010], med: null, communities: [],
      nextHop: '169.254.10.2' },
    { cidr: '192.168.8.0/24', asPath: [65_010, 65_010], med: null, communities: ['65010:100'],
      nextHop: '169.254.10.2' }
  ])
  const told = await eventually('the block of the VPC', async () => {
    const text = await site.birdc('show', 'route', 'all', '10.0.0.0/16')
    return text.includes('BGP.med') && text
  })
  t.true(told.includes('BGP.med: 100'), told)
  t.true(told.includes('BGP.as_path: 64512'), told)

  await site.device([LAN, '192.168.9.0/24 unreachable'])
  const changedMs = performance.now()
  await site.until('the new route', () => site.prefixes.includes('192.168.9.0/24') &&
    !site.prefixes.includes('192.168.8.0/24'))
  const tookMs = performance.now() - changedMs
  t.log(`a change of routes was a record after ${tookMs.toFixed(0)} ms`)
  t.true(tookMs < 2000, `${String(tookMs)} ms`)
})

test.serial('the 101st prefix ends the session', async (t) => {
  await using site = await Site.open()
  const lan = (count: number): string[] => Array.from({ length: count }, (_, n) =>
    `192.168.${String(n)}.0/24 unreachable`)
  await site.device(lan(100))
  await site.until('100 routes', () => site.prefixes.length === 100)
  await site.device(lan(101))
  await site.until('no session', () => site.session?.isUp === false)
  t.regex(site.session?.message ?? '', /more than 100 prefixes/)
  t.deepEqual(site.prefixes, [])
})

test.serial('a device of another AS is said to be one', async (t) => {
  await using site = await Site.open()
  await site.device([LAN], 65_099)
  await site.until('an explanation', () =>
    site.session?.message?.includes('another AS than 65010') === true)
  t.false(site.session?.isUp)
})

test.serial('a silent device is gone after the hold time', async (t) => {
  await using site = await Site.open()
  await site.device([LAN])
  await site.until('the route', () => site.prefixes.length === 1)
  await site.cut(true)
  const cutMs = performance.now()
  await site.until('no session', () => site.session?.isUp === false, 45_000)
  const tookS = (performance.now() - cutMs) / 1000
  t.log(`the session was down ${tookS.toFixed(1)} s after the cut`)
  t.true(tookS > 15 && tookS < 33, String(tookS))
  t.regex(site.session?.message ?? '', /hold time/)
  await site.cut(false)
  await site.until('the route again', () => site.prefixes.length === 1)
})

test.serial('a killed BIRD comes back, and its routes were there all the time', async (t) => {
  await using site = await Site.open()
  await site.device([LAN])
  await site.until('the route', () => site.prefixes.length === 1)
  const { pid } = site
  const seen = new Set<boolean>()
  const follow = site.replica.onCommit(() => { seen.add(site.prefixes.length >= 1) })
  const killedMs = Date.now()
  process.kill(pid, 'SIGKILL')
  await eventually('a session of another BIRD', async () => {
    const text = await site.gatewayBirdc('show', 'protocols')
    return text.includes('Established') && site.pid !== pid
  })
  t.log(`a session again after ${String(Date.now() - killedMs)} ms`)
  await site.device([LAN, '192.168.8.0/24 unreachable'])
  await site.until('a new route', () => site.prefixes.length === 2)
  follow.close()
  t.false(seen.has(false), 'the records never lost the route')
})

test.serial('a BIRD outlives the daemon, and ends with its last connection', async (t) => {
  await using site = await Site.open()
  await site.device([LAN])
  await site.until('the route', () => site.prefixes.length === 1)
  const { pid } = site
  await site.controller.stop()
  site.start()
  await site.device([LAN, '192.168.8.0/24 unreachable'])
  await site.until('the second route', () => site.prefixes.length === 2)
  t.is(site.pid, pid, 'it is the same process')
  await site.deleteConnection()
  await site.until('no process', () => !existsSync(`/proc/${String(pid)}`))
  t.is(site.replica.snapshot.tables.bgpSession.size, 0)
})

test.serial('stock FRR is understood as BIRD is', async (t) => {
  await using site = await Site.open()
  site.frr(`frr defaults traditional
router bgp 65010
 bgp router-id 169.254.10.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor 169.254.10.1 remote-as 64512
 neighbor 169.254.10.1 timers connect 1
 address-family ipv4 unicast
  network 192.168.7.0/24
  neighbor 169.254.10.1 activate
 exit-address-family
`)
  await site.until('the route', () => site.prefixes.length === 1)
  t.deepEqual(site.prefixes, ['192.168.7.0/24'])
  t.deepEqual(site.session?.paths[0]?.asPath, [65_010])
})

test.serial('stock GoBGP is understood as BIRD is', async (t) => {
  await using site = await Site.open()
  site.gobgp(`[global.config]
  as = 65010
  router-id = "169.254.10.2"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "169.254.10.1"
    peer-as = 64512
  [neighbors.timers.config]
    connect-retry = 1
    hold-time = 30
`)
  await eventually('a route of its own', async () =>
    (await site.gobgpCli('global', 'rib', 'add', '192.168.7.0/24', 'med', '50')).code === 0)
  await site.until('the route', () => site.prefixes.length === 1)
  t.like(site.session?.paths[0], { cidr: '192.168.7.0/24', asPath: [65_010], med: 50 })
  const { stdout } = await site.gobgpCli('neighbor', '169.254.10.1', 'adj-in')
  t.regex(stdout, /10\.0\.0\.0\/16 +169\.254\.10\.1 +64512 .*Med: 100/)
  await site.gobgpCli('global', 'rib', 'del', '192.168.7.0/24')
  await site.until('no route', () => site.prefixes.length === 0)
  t.true(site.session?.isUp)
})

test.serial('while the other tunnel is replaced, the MED is lower', async (t) => {
  await using site = await Site.open()
  await site.device([LAN])
  const med = async (wanted: number): Promise<void> => {
    await eventually(`a MED of ${String(wanted)}`, async () =>
      (await site.birdc('show', 'route', 'all', 'for', '10.0.0.0/16'))
        .includes(`BGP.med: ${String(wanted)}\n`))
  }
  await med(100)
  const { snapshot } = site.replica
  const { vpnId: vpnConnectionId } = site
  const outsideIpAddress =
    snapshot.tables.vpnConnection.get(vpnConnectionId)?.tunnels[1]?.outsideIpAddress ?? ''
  await site.replica.transact(() => planReplaceVpnTunnel(
    new AccountView(snapshot, ACCOUNT, 'us-east-1'), { vpnConnectionId, outsideIpAddress },
    CONTEXT))
  await med(50)
  await site.replica.transact(() => planIpsecSession(snapshot, { vpnConnectionId, outsideIpAddress,
    isUp: true, sinceMs: CONTEXT.nowMs, message: null, generation: CONTEXT.nowMs,
    negotiated: null }))
  await med(100)
  t.deepEqual(site.prefixes, ['192.168.7.0/24'])
})
