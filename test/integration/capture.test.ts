/**
 * What a person who captures the underlay sees, with stock tcpdump and tshark, under load.
 *
 *     host-1 ─ a (10.0.1.x)  ══ Geneve, UDP 6081 ══  b (10.0.1.x) ─ host-2
 *               └──── tcpdump on host-1's underlay0
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import type { Instance } from '../harness/instance.ts'
import type { Lab } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const UNDERLAY_MTU = 1500
const ETHERNET_HEADER_BYTES = 14
const STREAMS = 8
/** Where a frame's Geneve VNI stands: Ethernet 14, IPv4 20, UDP 8, and 4 into the header. */
const VNI_AT = ETHERNET_HEADER_BYTES + 20 + 8 + 4
const OUTER_DESTINATION_PORT_AT = ETHERNET_HEADER_BYTES + 20 + 2

interface Network { readonly vni: number, readonly a: Instance, readonly b: Instance }

async function build (lab: Lab): Promise<Network> {
  const vpc = await lab.vpc('10.0.0.0/16', { ipv6: true })
  const subnet = await lab.subnet(vpc, '10.0.1.0/24', { ipv6Index: 0 })
  const { Vpcs } = await lab.ec2.send(new ec2.DescribeVpcsCommand({ VpcIds: [vpc.id] }))
  const tag = Vpcs?.[0]?.Tags?.find(({ Key }) => Key === 'vpclab:vni')
  return {
    vni: Number(tag?.Value),
    a: await lab.instance(subnet, { host: 'host-1', ipv6: true }),
    b: await lab.instance(subnet, { host: 'host-2', ipv6: true })
  }
}

test.serial('every frame under load is one whole packet with good checksums',
  withLab({ underlayMtu: UNDERLAY_MTU }, async (t, lab) => {
    const { vni, a, b } = await build(lab)
    await using capture = await lab.capture('host-1')
    for (const address of [b.ipv4, b.ipv6]) {
      const server = await b.iperfServer()
      await a.exec('iperf3', '-c', address, '-n', '10M')
      await server.ended()
      t.is((await a.ping(address, 3)).received, 3)
    }
    const udp = await b.iperfServer()
    await a.exec('iperf3', '-u', '-c', b.ipv4, '-b', '20M', '-n', '1M')
    await udp.ended()
    await capture.stop()

    t.deepEqual(await capture.brokenFrames(), [])
    const frames = await capture.frames()
    t.true(frames.length > 10_000_000 / UNDERLAY_MTU)
    for (const frame of frames) {
      const view = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
      if (frame.length > UNDERLAY_MTU + ETHERNET_HEADER_BYTES ||
        view.readUInt16BE(OUTER_DESTINATION_PORT_AT) !== 6081 ||
        view.readUIntBE(VNI_AT, 3) !== vni) {
        t.fail(`a frame is not one packet of VNI ${String(vni)}: ${view.toString('hex')}`)
        break
      }
    }
  }))

test.serial('the header names VPC and ENIs, and each flow has a source port of its own',
  withLab({}, async (t, lab) => {
    const { vni, a, b } = await build(lab)
    await using capture = await lab.capture('host-1')
    const server = await b.iperfServer()
    await a.exec('iperf3', '-c', b.ipv4, '-P', String(STREAMS), '-n', '2M')
    await server.ended()
    await capture.stop()
    const frames = await capture.fields([
      'geneve.vni', 'geneve.option.class', 'geneve.option.type', 'geneve.option.unknown.data',
      'udp.srcport', 'udp.dstport', 'ip.src', 'ip.ttl', 'ip.flags.df'
    ], `ip.src == ${a.ipv4}`)
    t.true(frames.length > 0)
    const hex = (eni: string): string => eni.slice(-16)
    for (const frame of frames) {
      t.is(Number(frame['geneve.vni']), vni)
      t.is(frame['udp.dstport'], '6081')
      const [outerTtl] = frame['ip.ttl']?.split(',') ?? []
      t.is(outerTtl, '64')
    }
    const [first] = frames
    t.is(first?.['geneve.option.class'], '0xfff5,0xfff5')
    t.is(first?.['geneve.option.unknown.data']?.replaceAll(':', ''), `${hex(a.eni)},${hex(b.eni)}`)
    const ports = new Set(frames.map((frame) => Number(frame['udp.srcport'])))
    t.true(ports.size >= STREAMS, `${String(ports.size)} source ports`)
    t.true([...ports].every((port) => port >= 49_152 && port <= 65_535))
  }))
