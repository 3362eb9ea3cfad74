/**
 * Site-to-Site VPN, end to end: the lab's edges, charon and ESP on one side; on the other a
 * customer gateway that scripts/netns/customer_gateway.sh makes from what `vpcctl vpn config`
 * prints, unedited.
 *
 *     [cgw…-lan] 192.168.7.10 ── [cgw…] 198.51.100.200 ── [internet-router] ── edge-1, edge-2
 *                                                        two tunnels, one edge each   │ underlay
 *                                                        host-1: instance 10.0.1.x ───┘
 */
import * as ec2 from '@aws-sdk/client-ec2'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { readFileSync } from 'node:fs'
import type { ReachAnswer, TraceAnswer } from '../../../daemon/api/admin/contract.ts'
import { routerNamespace } from '../../../daemon/host/paths.ts'
import { Background, command, eventually, inside, tryCommand } from '../../harness/command.ts'
import type { Instance } from '../../harness/instance.ts'
import { openGroup } from '../../harness/internet.ts'
import type { Lab } from '../../harness/lab.ts'
import {
  attachGateway, customerGateway, mainRouteTable, telemetry, VPCCTL, vpnConnection, vpnGateway,
  VPN_UP_MS_MAX, whenTunnels, withCustomer
} from '../../harness/vpn.ts'
import type { Office, VpnConnection } from '../../harness/vpn.ts'
import { withLab } from '../../harness/with_lab.ts'
import { capturesTunnels } from './captured_tunnel.ts'
import { setsEveryOption } from './tunnel_options.ts'

const CUSTOMER = '198.51.100.200'
const LAN = '192.168.7.0/24'
const LAN_HOST = '192.168.7.10'

const FIRST_OFFICE: Office = { letter: 'a', address: CUSTOMER, lan: LAN }
const SECOND_OFFICE: Office = { letter: 'b', address: '198.51.100.201', lan: '192.168.8.0/24' }

interface Site extends VpnConnection {
  readonly instance: Instance
  readonly vgwId: string
  readonly routeTableId: string
}

async function makeSite (lab: Lab, staticRoutesOnly: boolean): Promise<Site> {
  const vgwId = await vpnGateway(lab)
  const network = await attachVpc(lab, vgwId)
  const connected = await connect(lab, vgwId, FIRST_OFFICE.address, 65_010, staticRoutesOnly)
  return { ...network, vgwId, ...connected }
}

/** Gives a gateway a VPC with an instance. */
async function attachVpc (
  lab: Lab, vgwId: string): Promise<Pick<Site, 'instance' | 'routeTableId'>> {
  const vpc = await lab.vpc('10.0.0.0/16')
  const subnet = await lab.subnet(vpc, '10.0.1.0/24')
  await openGroup(lab, vpc)
  await attachGateway(lab, vgwId, vpc)
  const routeTableId = await mainRouteTable(lab, vpc)
  return { instance: await lab.instance(subnet, { host: 'host-1' }), routeTableId }
}

/** @param where the device's address, or the ARN of its certificate */
async function connect (lab: Lab, vgwId: string, where: string, asn: number,
  staticRoutesOnly: boolean): Promise<VpnConnection> {
  return await vpnConnection(lab, vgwId, await customerGateway(lab, where, asn),
    { StaticRoutesOnly: staticRoutesOnly })
}

async function whenUp (lab: Lab, { vpnId, tunnels }: VpnConnection,
  status: ec2.TelemetryStatus = 'UP', which: readonly string[] = tunnels): Promise<void> {
  await whenTunnels(lab, vpnId, status, which)
}

const fromLan = (name: string, to: string) =>
  tryCommand('ip', ['netns', 'exec', `${name}-lan`, 'ping', '-c', '1', '-W', '1', to])

async function pingsBothWays (name: string, { instance }: Pick<Site, 'instance'>): Promise<void> {
  await eventually('a ping from the customer', async () =>
    (await fromLan(name, instance.ipv4)).code === 0, 30_000)
  await eventually('a ping to the customer', async () =>
    (await instance.try('ping', '-c', '1', '-W', '1', LAN_HOST)).code === 0, 30_000)
}

test.serial('a static connection: pings both ways, ESP alone on the internet, which who has the ' +
  'keys can read, listed routes alone',
  withLab({ edges: 2 }, async (t, lab) => {
    const site = await makeSite(lab, true)
    await lab.ec2.send(new ec2.CreateVpnConnectionRouteCommand(
      { VpnConnectionId: site.vpnId, DestinationCidrBlock: LAN }))
    await lab.ec2.send(new ec2.EnableVgwRoutePropagationCommand(
      { GatewayId: site.vgwId, RouteTableId: site.routeTableId }))
    t.is((await telemetry(lab, site.vpnId)).get(site.tunnels[0] ?? '')?.Status, 'DOWN')
    await withCustomer(lab, site.vpnId, FIRST_OFFICE, async (name) => {
      await whenUp(lab, site)
      const router = routerNamespace(lab.name)
      const capture = new Background('ip', inside(router, ['tshark', '-l', '-n', '-i', name,
        '-T', 'fields', '-e', '_ws.col.Protocol', '-e', 'ip.src', '-e', 'ip.dst']))
      try {
        await capture.printed('Capturing on')
        await pingsBothWays(name, site)
        await eventually('ESP of both sides', () => site.tunnels.some((outside) =>
          capture.output.includes(`ESP\t${outside}\t${CUSTOMER}`) &&
          capture.output.includes(`ESP\t${CUSTOMER}\t`)))
      } finally {
        await capture.stop()
      }
      t.notRegex(capture.output, /ICMP\t|\t192\.168\.7\.|\t10\.0\./)
      await capturesTunnels(t, lab, site, name, async () => { await pingsBothWays(name, site) })
      // The SA would carry it, the connection has no route.
      await lab.ec2.send(new ec2.CreateRouteCommand({
        RouteTableId: site.routeTableId, DestinationCidrBlock: '192.168.8.0/24',
        GatewayId: site.vgwId
      }))
      await lab.waitApplied()
      t.not((await site.instance.try('ping', '-c', '1', '-W', '1', '192.168.8.10')).code, 0)
      await lab.waitDrops(site.vgwId, 'vpn-no-route', 1)
    })
    await whenUp(lab, site, 'DOWN')
  }))

test.serial('BGP: routes are learned and propagated, and the other tunnel takes over',
  withLab({ edges: 2 }, async (t, lab) => {
    const site = await makeSite(lab, false)
    await lab.ec2.send(new ec2.EnableVgwRoutePropagationCommand(
      { GatewayId: site.vgwId, RouteTableId: site.routeTableId }))
    const propagated = async (): Promise<boolean> => {
      const { RouteTables = [] } = await lab.ec2.send(new ec2.DescribeRouteTablesCommand(
        { RouteTableIds: [site.routeTableId] }))
      return (RouteTables[0]?.Routes ?? []).some(({ DestinationCidrBlock, Origin, GatewayId }) =>
        DestinationCidrBlock === LAN && Origin === 'EnableVgwRoutePropagation' &&
        GatewayId === site.vgwId)
    }
    t.false(await propagated())
    await withCustomer(lab, site.vpnId, FIRST_OFFICE, async (name) => {
      await whenUp(lab, site)
      await eventually('a route by each tunnel', async () => {
        const seen = [...(await telemetry(lab, site.vpnId)).values()]
        return seen.every(({ StatusMessage }) => StatusMessage === '1 BGP ROUTES')
      }, VPN_UP_MS_MAX)
      t.true(await propagated())
      await pingsBothWays(name, site)
      const trace = JSON.parse(await command(VPCCTL, '--lab', lab.name, 'trace', site.instance.eni,
        'icmp', LAN_HOST, '--json')) as TraceAnswer
      t.is(trace.deliveredTo, site.vgwId)
      t.is(trace.sides.at(-1)?.steps.at(-1)?.object, site.tunnels[0])
      const { ActiveVpnTunnelStatus: active } = await lab.ec2.send(
        new ec2.GetActiveVpnTunnelStatusCommand({
          VpnConnectionId: site.vpnId, VpnTunnelOutsideIpAddress: site.tunnels[0] ?? ''
        }))
      t.like(active, { IkeVersion: 'ikev2', Phase1EncryptionAlgorithm: 'AES256-GCM-16',
        Phase2EncryptionAlgorithm: 'AES256-GCM-16' })
      // The first tunnel carries what goes out: its address goes silent on the internet.
      const [first = '', second = ''] = site.tunnels
      await command('ip', ...inside(routerNamespace(lab.name), ['nft', 'add table ip cut; ' +
        'add chain ip cut forward { type filter hook forward priority 0; }; ' +
        `add rule ip cut forward ip saddr ${first} drop; ` +
        `add rule ip cut forward ip daddr ${first} drop`]))
      await whenUp(lab, site, 'DOWN', [first])
      await whenUp(lab, site, 'UP', [second])
      await pingsBothWays(name, site)
      await command('ip', ...inside(routerNamespace(lab.name), ['nft', 'delete table ip cut']))
      t.true(await propagated())
    })
    await whenUp(lab, site, 'DOWN')
    await eventually('no route is left', async () => !await propagated(), VPN_UP_MS_MAX)
  }))

/** The AS path that an office's BIRD has heard for a prefix, by one of its tunnels. */
async function asPathAt (name: string, cidr: string): Promise<string> {
  const { stdout } = await tryCommand('birdc', ['-s', `/run/vpclab-cgw/${name}/bird.sock`, 'show',
    'route', 'all', 'for', cidr])
  return /BGP\.as_path: (.*)/.exec(stdout)?.[1] ?? ''
}

test.serial('a hub without a VPC: offices with key and certificate reach each other; it moves, ' +
  'and is revoked; a VPC joins', withLab({ edges: 2 }, async (t, lab) => {
  const vgwId = await vpnGateway(lab)
  const run = (...words: string[]): Promise<string> => command(VPCCTL, '--lab', lab.name, ...words)
  await run('certificate', 'create-authority', 'vpn.example.com')
  const arn = (await run('certificate', 'request', 'branch.example.com', '-q')).trim()
  const one = await connect(lab, vgwId, arn, 65_010, false)
  const other = await connect(lab, vgwId, SECOND_OFFICE.address, 65_020, false)
  await withCustomer(lab, other.vpnId, SECOND_OFFICE, async (second) => {
    const office = { ...FIRST_OFFICE, domain: 'branch.example.com' }
    await withCustomer(lab, one.vpnId, office, async (first) => {
      await eventually('a ping from office to office', async () =>
        (await fromLan(first, '192.168.8.10')).code === 0, VPN_UP_MS_MAX)
      t.is((await fromLan(second, LAN_HOST)).code, 0)
      t.is(await asPathAt(first, SECOND_OFFICE.lan), '64512 65020')
      t.is(await asPathAt(second, LAN), '64512 65010')
    })
    // The same certificate, at another address, while the tunnels of the old one are not yet down.
    const moved = { ...office, address: '198.51.100.202' }
    await withCustomer(lab, one.vpnId, moved, async (first) => {
      await eventually('a ping from the new address', async () =>
        (await fromLan(first, '192.168.8.10')).code === 0, VPN_UP_MS_MAX)
      const { instance, routeTableId } = await attachVpc(lab, vgwId)
      await lab.ec2.send(new ec2.EnableVgwRoutePropagationCommand(
        { GatewayId: vgwId, RouteTableId: routeTableId }))
      await pingsBothWays(first, { instance })
      await run('certificate', 'revoke', 'branch.example.com')
      await whenUp(lab, one, 'DOWN')
      await eventually('why', async () => [...(await telemetry(lab, one.vpnId)).values()]
        .every(({ StatusMessage = '' }) => /^IPSEC IS DOWN: .*revoked/.test(StatusMessage)))
      t.regex(await run('vpn', 'status', one.vpnId), /was revoked/)
      const log = await run('vpn', 'log', one.vpnId)
      t.regex(log, / 1 +ipsec +up\n/)
      t.regex(log, / 1 +ipsec +down: .*was revoked/)
      t.regex(log, / 1 +ike +CHILD_SA .* established/)
      await eventually('the device is told so', () =>
        /received AUTHENTICATION_FAILED notify/.test(
          readFileSync(`/run/vpclab-cgw/${first}/t1/charon.log`, 'utf8')))
      await whenUp(lab, other)
    })
  })
}))

test.serial('every option of a tunnel, set by itself, is what its ends have',
  withLab({ edges: 2 }, setsEveryOption))

test.serial('an edge is killed: the other tunnel carries on; the daemon is: both come back',
  withLab({ edges: 2, expectedWarnings: [/data plane worker ended/] }, async (t, lab) => {
    const site = await makeSite(lab, true)
    await lab.ec2.send(new ec2.CreateVpnConnectionRouteCommand(
      { VpnConnectionId: site.vpnId, DestinationCidrBlock: LAN }))
    await lab.ec2.send(new ec2.EnableVgwRoutePropagationCommand(
      { GatewayId: site.vgwId, RouteTableId: site.routeTableId }))
    await withCustomer(lab, site.vpnId, FIRST_OFFICE, async (name) => {
      await whenUp(lab, site)
      await pingsBothWays(name, site)
      await transfersTcp(t, name, site)
      const [first = '', second = ''] = site.tunnels
      const trace = JSON.parse(await command(VPCCTL, '--lab', lab.name, 'trace', site.instance.eni,
        'icmp', LAN_HOST, '--json')) as TraceAnswer
      const reach = JSON.parse(await command(VPCCTL, '--lab', lab.name, 'can-reach',
        site.instance.eni, LAN_HOST, 'tcp/80', '--json')) as ReachAnswer
      t.is(reach.verdict, 'yes', reach.text)
      const edge = trace.sides.at(-1)?.host ?? ''
      await lab.killWorker(edge)
      await whenUp(lab, site, 'DOWN', [first])
      await whenUp(lab, site, 'UP', [second])
      await eventually('a ping by the other tunnel', async () =>
        (await site.instance.try('ping', '-c', '1', '-W', '1', LAN_HOST)).code === 0, 30_000)
      await whenUp(lab, site)
      await pingsBothWays(name, site)
      // The daemon is killed, and with it the edges; charon stays behind, of no use any more.
      const killedMs = Date.now()
      await lab.kill()
      await lab.restart()
      await whenUp(lab, site)
      await pingsBothWays(name, site)
      t.log(`pings again ${String(Date.now() - killedMs)} ms after the daemon was killed`)
    })
  }))

/** 50 MB of TCP each way, less what is on its way when the sender has done. */
async function transfersTcp (t: ExecutionContext, name: string, { instance }: Site): Promise<void> {
  const server = instance.start('iperf3', '-s', '--forceflush')
  try {
    await server.printed('Server listening')
    for (const direction of [[], ['-R']]) {
      const run = await tryCommand('ip', ['netns', 'exec', `${name}-lan`, 'iperf3', '-c',
        instance.ipv4, '-n', '50M', '-J', ...direction])
      t.is(run.code, 0, run.stdout)
      const { end } = JSON.parse(run.stdout) as
        { end: { sum_received: { bytes: number, bits_per_second: number } } }
      t.log(`${String(Math.round(end.sum_received.bits_per_second / 1e6))} Mbit/s`)
      t.true(end.sum_received.bytes > 40e6)
    }
  } finally {
    await server.stop()
  }
}
