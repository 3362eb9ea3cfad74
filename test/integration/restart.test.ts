/**
 * `kill -9` of the daemon in the middle of everything, then a start on what it left.
 *
 *     host-1 ─ a  ── iperf3, TCP ──▶  b ─ host-2
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { closeSync, openSync, writeSync } from 'node:fs'
import {
  FLOW_LAYOUT_VERSION, HEADER_AT_VERSION
} from '../../daemon/dataplane/tables/flow_layout.ts'
import { flowFilePath } from '../../daemon/host/paths.ts'
import type { Lab } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

/** Long enough for the retransmission timer of TCP, which doubles while the daemon is away. */
const TRANSFER_SECONDS = 16

/** Everything a client can see of the lab, without what an answer numbers for itself. */
async function describe (lab: Lab): Promise<object> {
  const vpcs = await lab.ec2.send(new ec2.DescribeVpcsCommand({}))
  const subnets = await lab.ec2.send(new ec2.DescribeSubnetsCommand({}))
  const enis = await lab.ec2.send(new ec2.DescribeNetworkInterfacesCommand({}))
  const instances = await lab.ec2.send(new ec2.DescribeInstancesCommand({}))
  return {
    vpcs: vpcs.Vpcs,
    subnets: subnets.Subnets,
    enis: enis.NetworkInterfaces,
    instances: instances.Reservations
  }
}

test.serial('state, instances and a running TCP connection survive kill -9 of the daemon',
  withLab({}, async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16', { ipv6: true })
    const subnet = await lab.subnet(vpc, '10.0.1.0/24', { ipv6Index: 0 })
    const a = await lab.instance(subnet, { host: 'host-1', ipv6: true })
    const b = await lab.instance(subnet, { host: 'host-2', ipv6: true })
    const before = await describe(lab)
    const links = addressesOf(await a.exec('ip', '-j', 'addr', 'show'))
    const server = await b.iperfServer()
    const client = a.start('iperf3', '-c', b.ipv4, '-t', String(TRANSFER_SECONDS), '-i', '1',
      '--forceflush')
    await client.printed(/ 1\.\d\d-2\.\d\d +sec/)

    const firstPid = lab.daemonPid
    await lab.kill()
    t.regex(await a.exec('ip', 'link', 'show', 'eth0'), /eth0/, 'the device outlives the daemon')
    await lab.restart()
    t.not(lab.daemonPid, firstPid)

    t.is(await client.ended(), 0, 'the connection lived')
    t.is(await server.ended(), 0)
    const last = / 15\.\d+-16\.\d+ +sec +([\d.]+) [KMG]?Bytes/.exec(client.output)
    t.true(Number(last?.[1]) > 0, `the last second carried data:\n${client.output}`)
    t.deepEqual(await describe(lab), before)
    t.deepEqual(addressesOf(await a.exec('ip', '-j', 'addr', 'show')), links)
    t.is((await a.ping(b.ipv4)).received, 5)
    t.is((await a.ping(b.ipv6)).received, 5)
  }))

test.serial('a flow file of another version is started anew, and the log says so',
  withLab({ expectedWarnings: [/had layout 3, and not \d+: its flows are forgotten/] },
    async (t, lab) => {
      const subnet = await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.1.0/24')
      const a = await lab.instance(subnet, { host: 'host-1' })
      const b = await lab.instance(subnet, { host: 'host-2' })
      t.is((await a.ping(b.ipv4)).received, 5)
      await lab.kill()
      const path = flowFilePath(lab.name, 'host-1')
      const file = openSync(path, 'r+')
      writeSync(file, Int32Array.of(3), 0, 4, 4 * HEADER_AT_VERSION)
      closeSync(file)
      await lab.restart()
      t.true(lab.log.includes(`${path} had layout 3, and not ${String(FLOW_LAYOUT_VERSION)}`))
      t.is((await a.ping(b.ipv4)).received, 5)
    }))

/** Names and addresses of the links; a TUN without a reader has no carrier for a moment. */
function addressesOf (json: string): unknown {
  const links = JSON.parse(json) as { ifname: string, addr_info: { local: string }[] }[]
  return links.map((link) => [link.ifname, link.addr_info.map((info) => info.local)])
}
