/**
 * A hundred tunnels at one edge, each with an outside address of its own, to one customer gateway
 * (integration/vpn/site.ts has the topology): how long until all are up, and what they take.
 */
import test from 'ava'
import { readFileSync } from 'node:fs'
import { exampleTunnel } from '../../daemon/ipsec/testing/example_tunnel.ts'
import { eventually } from '../harness/command.ts'
import { IKE_DEVICE, UPLINK_DEVICE } from '../harness/ipsec_edge.ts'
import { CGW, site } from '../integration/vpn/site.ts'

const TUNNELS = 100
const UP_MS_MAX = 60_000
const RESIDENT_MB_MAX = 500
const SECRET = 'correct.horse_battery9'
const NUMBERS = Array.from({ length: TUNNELS }, (_none, at) => at + 1)

const outside = (number: number): string => `198.51.101.${String(number)}`
const nameOf = (number: number): string => `vpn-${String(number).padStart(17, '0')}-1`

test('a hundred tunnels come up at one edge within a minute, in little memory', async (t) => {
  await using here = await site()
  const { net, edge, peer } = here
  await net.ip('wan', 'route', 'add', '198.51.101.0/24', 'dev', UPLINK_DEVICE)
  for (const number of NUMBERS) {
    await net.ip('ike', 'address', 'add', `${outside(number)}/32`, 'dev', IKE_DEVICE)
    // kernel-libipsec wants an address within what a child has on its side.
    await net.ip('cgw', 'address', 'add', `192.168.${String(number)}.1/32`, 'dev', 'lo')
  }
  await peer.load(`connections {\n${NUMBERS.map(connection).join('')}}\n` +
    `secrets {\n${NUMBERS.map(secret).join('')}}\n`)
  const startedMs = Date.now()
  for (const number of NUMBERS) {
    await edge.engine.open(exampleTunnel({
      name: nameOf(number), tunnel: number, localAddress: outside(number),
      localId: outside(number), startupAction: 'start', ikeVersions: ['ikev2']
    }))
  }
  await eventually('all are up', () =>
    NUMBERS.every((number) => edge.engine.status(nameOf(number))?.state === 'up'), UP_MS_MAX)
  const upMs = Date.now() - startedMs
  const charonMb = residentMb(edge.engine.charon.pid ?? 0)
  const ownMb = residentMb(process.pid)
  t.log(`${String(upMs)} ms; charon ${String(charonMb)} MB, data plane and test ` +
    `${String(ownMb)} MB`)
  t.true(upMs < UP_MS_MAX)
  t.true(charonMb + ownMb < RESIDENT_MB_MAX)
  t.is(edge.engine.counts.sas, 2 * TUNNELS)
})

function connection (number: number): string {
  return `t${String(number)} {
  version = 2
  local_addrs = ${CGW}
  remote_addrs = ${outside(number)}
  proposals = aes256-sha256-ecp256
  mobike = no
  local { auth = psk
    id = ${CGW} }
  remote { auth = psk
    id = ${outside(number)} }
  children { net {
    local_ts = 192.168.${String(number)}.0/24
    remote_ts = 10.0.0.0/16
    esp_proposals = aes256gcm16-ecp256
  } }
}
`
}

function secret (number: number): string {
  return `ike-${String(number)} { id-1 = ${CGW}
  id-2 = ${outside(number)}
  secret = "${SECRET}" }
`
}

function residentMb (pid: number): number {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8')
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024)
}
