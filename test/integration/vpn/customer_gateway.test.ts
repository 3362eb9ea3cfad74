/**
 * The samples that `vpcctl vpn config` prints, in the hands of the programs that they are for, and
 * the customer gateway that scripts/netns/customer_gateway.sh makes of them. AWS's end of tunnel 1
 * is played by a strongSwan too, with the lab's own BGP engine beside it; tunnel 2 has none.
 *
 *     [aws] 192.0.2.1 ── veth ── [wan] ── veth ── [cgw…] 198.51.100.20 ── lan0 ── [cgw…-lan]
 *       ipsec0 169.254.10.1 ════════ IPsec ═══════ vpn1 169.254.10.2      192.168.7.0/24
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { systemClock } from '../../../daemon/base/clock.ts'
import { BirdEngine } from '../../../daemon/bgp/bird_engine.ts'
import { gatewaysOf } from '../../../daemon/bgp/controller.ts'
import type { BgpReport } from '../../../daemon/bgp/engine.ts'
import { killProcessesIn } from '../../../daemon/host/namespace_processes.ts'
import { requireRecord } from '../../../daemon/model/resource_kind.ts'
import { VpnNetwork } from '../../../daemon/model/test_vpn.ts'
import { silentLog } from '../../../daemon/observe/log.ts'
import { DEVICE_TYPES, sampleConfiguration } from '../../../daemon/vpn/sample_configuration.ts'
import { command, eventually, tryCommand } from '../../harness/command.ts'
import { Namespaces } from '../../harness/namespaces.ts'

const SCRIPT = new URL('../../../scripts/netns/customer_gateway.sh', import.meta.url).pathname
const KEY = 'known.key_of_tunnel1'
const LOAD = 'random nonce openssl kdf pem pkcs1 pkcs8 x509 pubkey revocation constraints ' +
  'kernel-libipsec kernel-netlink socket-default vici updown'

class Office {
  readonly net = new VpnNetwork()
  readonly vpnId: string

  constructor (staticRoutesOnly = false) {
    this.vpnId = this.net.createVpn({
      staticRoutesOnly, customerGatewayId: this.net.createCgw(65_010, '198.51.100.20'),
      tunnels: [{ insideCidr: '169.254.10.0/30', preSharedKey: KEY },
        { insideCidr: '169.254.10.4/30', preSharedKey: KEY }]
    })
  }

  sample (vendor: string, ikeVersion = 'ikev2'): string {
    const view = this.net.view()
    const connection = this.net.vpn(this.vpnId)
    return sampleConfiguration({
      connection, gateway: requireRecord(view, 'vpnGateway', connection.vpnGatewayId),
      customer: requireRecord(view, 'customerGateway', connection.customerGatewayId),
      vpcCidrs: ['10.0.0.0/16']
    }, {
      deviceTypeId: DEVICE_TYPES.find((type) => type.vendor === vendor)?.id ?? '', ikeVersion
    })
  }
}

/** A directory that everybody may read: programs have users of their own. */
function directory (): string {
  const path = mkdtempSync(join(tmpdir(), 'vpclab-cgw-'))
  chmodSync(path, 0o755)
  return path
}

/** A charon in a namespace, with its control socket. */
async function charon (namespace: string, path: string): Promise<ChildProcess> {
  writeFileSync(join(path, 'strongswan.conf'), `charon-systemd {
    load_modular = no
    load = ${LOAD}
    install_routes = no
    routing_table_prio = 40000
    threads = 16
    journal { default = -1 }
    filelog { log { path = ${path}/charon.log
      default = 1 } }
    plugins { vici { socket = unix://${path}/vici.sock } } }
`)
  const child = spawn('ip', ['netns', 'exec', namespace, '/usr/sbin/charon-systemd'], {
    stdio: 'ignore', env: { ...process.env, STRONGSWAN_CONF: join(path, 'strongswan.conf') }
  })
  await eventually('the socket of charon', () => existsSync(join(path, 'vici.sock')))
  return child
}

async function load (path: string, conf: string): Promise<string> {
  writeFileSync(join(path, 'swanctl.conf'), conf)
  return await command('swanctl', '--load-all', '--file', join(path, 'swanctl.conf'), '--uri',
    `unix://${path}/vici.sock`)
}

for (const isStatic of [false, true]) {
  const kind = isStatic ? 'static' : 'dynamic'
  test.serial(`programs take the samples of a ${kind} connection`, async (t) => {
    const path = directory()
    await using net = await Namespaces.create('device')
    t.teardown(() => { rmSync(path, { recursive: true }) })
    const office = new Office(isStatic)
    writeFileSync(join(path, 'bird.conf'), office.sample('BIRD'))
    t.is(await command('bird', '-p', '-c', join(path, 'bird.conf')), '')
    writeFileSync(join(path, 'frr.conf'), office.sample('FRRouting'))
    const { code, stdout, stderr } =
      await tryCommand('vtysh', ['-C', '-f', join(path, 'frr.conf')])
    t.is(code, 0, stdout + stderr)
    try {
      await charon(net.name('device'), path)
      for (const version of ['ikev2', 'ikev1']) {
        const text = await load(path, office.sample('strongSwan', version))
        t.regex(text, /successfully loaded 2 connections/)
      }
    } finally {
      await killProcessesIn([net.name('device')])
    }
  })
}

for (const program of ['bird', 'frr'] as const) {
  test.serial(`a device comes up from its samples alone, with ${program}`, async (t) => {
    const path = directory()
    await using net = await Namespaces.create('aws', 'wan')
    await net.join('wan', ['192.0.2.254/24'], 'aws', ['192.0.2.1/24'])
    await net.run('wan', 'sysctl', '-qw', 'net.ipv4.ip_forward=1')
    await net.ip('wan', 'address', 'add', '198.51.100.1/32', 'dev', 'lo')
    await net.ip('aws', 'route', 'add', 'default', 'via', '192.0.2.254')
    const name = `cgw${String(process.pid % 100_000)}`
    const office = new Office()
    t.is(office.net.outside(office.vpnId, 0), '192.0.2.1')
    const reports = new Map<string, BgpReport>()
    let engine: BirdEngine | null = null
    try {
      await charon(net.name('aws'), path)
      await load(path, `connections { aws {
        version = 2
        mobike = no
        proposals = aes256gcm16-prfsha256-ecp384
        local { auth = psk
          id = 192.0.2.1 }
        remote { auth = psk
          id = 198.51.100.20 }
        children { aws { local_ts = 0.0.0.0/0
          remote_ts = 0.0.0.0/0
          esp_proposals = aes256gcm16-ecp384 } } } }
      secrets { ike-1 { id-1 = 192.0.2.1
        id-2 = 198.51.100.20
        secret = "${KEY}" } }`)
      await net.ip('aws', 'address', 'add', '169.254.10.1/30', 'dev', 'ipsec0')
      await net.ip('aws', 'address', 'add', '10.0.0.10/32', 'dev', 'lo')
      await net.run('aws', 'ip', 'rule', 'delete', 'pref', '220')
      engine = new BirdEngine({
        directory: join(path, 'gateways'), clock: systemClock, log: silentLog(),
        hasNamespace: () => true,
        onReport: (report) => { reports.set(report.outsideIpAddress, report) }
      })
      engine.apply(gatewaysOf(office.net.snapshot, () => net.name('aws')))
      writeFileSync(join(path, 'device.swanctl.conf'), office.sample('strongSwan'))
      writeFileSync(join(path, 'device.conf'),
        office.sample(program === 'bird' ? 'BIRD' : 'FRRouting'))
      await command(SCRIPT, 'up', name, '--wan', net.name('wan'), '--next-hop', '198.51.100.1',
        '--address', '198.51.100.20', '--lan', '192.168.7.0/24',
        '--strongswan', join(path, 'device.swanctl.conf'), `--${program}`,
        join(path, 'device.conf'))
      await eventually('the network of the office', () =>
        reports.get('192.0.2.1')?.paths.some(({ cidr }) => cidr === '192.168.7.0/24'), 60_000)
      await net.ip('aws', 'route', 'add', '192.168.7.0/24', 'dev', 'ipsec0', 'src', '10.0.0.10')
      await eventually('a ping from behind the device', async () => {
        const { code } = await tryCommand('ip', ['netns', 'exec', `${name}-lan`, 'ping', '-c', '1',
          '-W', '1', '10.0.0.10'])
        return code === 0
      }, 30_000)
      t.is(reports.get('192.0.2.120')?.isUp ?? false, false)
    } finally {
      await engine?.stop()
      await command(SCRIPT, 'down', name)
      await killProcessesIn([net.name('aws')])
      rmSync(path, { recursive: true })
    }
    t.false(existsSync(`/run/netns/${name}`))
  })
}
