/**
 * tools/wireshark/vpclab.lua in stock tshark: on real packets of the underlay, captured by tcpdump
 * and by `vpcctl capture`, and on packets made by hand, good and bad.
 *
 *     host-1 ─ a ══ Geneve ══ b ─ host-2          both in the VPC "web"
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ipPacket, vpcPacket } from '../../daemon/dataplane/testing/packets.ts'
import { GENEVE_UDP_PORT } from '../../daemon/encap/geneve.ts'
import { PcapngWriter } from '../../daemon/observe/capture/pcapng.ts'
import { PROTOCOL_UDP } from '../../daemon/wire/ip_protocol.ts'
import { command, eventually, ROOT, tryCommand } from '../harness/command.ts'
import { withLab } from '../harness/with_lab.ts'

const SCRIPT = join(ROOT, 'tools/wireshark/vpclab.lua')
const VPCCTL = join(ROOT, 'bin/vpcctl')
const INNER = ipPacket({ src: '10.0.0.1', dst: '10.0.0.2', protocol: PROTOCOL_UDP })

interface Dissection { readonly rows: string[][], readonly complaints: string }

async function dissect (
  file: string, names: string, filter: string, fields: readonly string[]): Promise<Dissection> {
  const { stdout, stderr } = await tryCommand('env', [`VPCLAB_NAMES=${names}`, 'tshark', '-n',
    '-X', `lua_script:${SCRIPT}`, '-r', file, '-Y', filter, '-T', 'fields',
    ...fields.flatMap((field) => ['-e', field])])
  return {
    rows: stdout.split('\n').filter((line) => line !== '').map((line) => line.split('\t')),
    complaints: stderr.split('\n').filter((line) => /lua|error/i.test(line)).join('\n')
  }
}

async function withDirectory (body: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-wireshark-'))
  try {
    await body(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** A pcapng file of UDP packets to the Geneve port with these payloads. */
function writeFrames (file: string, payloads: readonly Uint8Array[]): void {
  const chunks: Uint8Array[] = []
  const writer = new PcapngWriter((chunk) => { chunks.push(chunk) })
  writer.sectionHeader('test', '', '')
  writer.interfaceDescription(
    { name: 'underlay', description: '', hardware: '', os: '', snapLength: 0 })
  for (const payload of payloads) {
    const frame = ipPacket({ src: '192.0.2.1', dst: '192.0.2.2', protocol: PROTOCOL_UDP,
      dstPort: GENEVE_UDP_PORT, payloadBytes: payload.length })
    frame.set(payload, 28)
    writer.bytes.set(frame, writer.packetAt())
    writer.packet({ interfaceId: 0, timeNs: 0n, direction: 1, capturedBytes: frame.length,
      originalBytes: frame.length, lost: 0, comment: '' })
  }
  writer.flush()
  writeFileSync(file, Buffer.concat(chunks))
}

/** A Geneve header with VNI 0x00aaaa, options (class, type, data) and an inner packet. */
function geneve (options: readonly (readonly [number, number, string])[]): Uint8Array {
  const encoded = options.map(([optionClass, type, hex]) => {
    const data = Buffer.from(hex, 'hex')
    const head = Buffer.from([optionClass >> 8, optionClass & 0xff, type, data.length / 4])
    return Buffer.concat([head, data])
  })
  const optionBytes = Buffer.concat(encoded)
  return Buffer.concat([
    Buffer.from([optionBytes.length / 4, 0, 0x08, 0x00, 0x00, 0xaa, 0xaa, 0x00]), optionBytes, INNER
  ])
}

test.serial('real packets show the names of VPC and ENIs, from tcpdump and from vpcctl',
  withLab({}, async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16')
    const subnet = await lab.subnet(vpc, '10.0.1.0/24')
    const a = await lab.instance(subnet, { host: 'host-1' })
    const b = await lab.instance(subnet, { host: 'host-2' })
    for (const [id, Value] of [[vpc.id, 'web'], [a.id, 'a'], [b.id, 'b']] as const) {
      await lab.ec2.send(
        new ec2.CreateTagsCommand({ Resources: [id], Tags: [{ Key: 'Name', Value }] }))
    }
    await withDirectory(async (directory) => {
      const names = join(directory, 'names.tsv')
      await command(VPCCTL, '--lab', lab.name, 'names', '--write', names)
      const own = join(directory, 'own.pcapng')
      await using tcpdump = await lab.capture('host-1')
      const vpcctl = command(VPCCTL, '--lab', lab.name, 'capture', 'host-2', '--protocol', 'icmp',
        '--count', '4', '-w', own)
      await sendUntilEnded(async () => { await a.ping(b.ipv4, 2) }, vpcctl)
      await tcpdump.stop()
      for (const file of [tcpdump.path, own]) {
        const { rows, complaints } = await dissect(file, names,
          'vpclab.vpc == "web" && vpclab.eni.src.name == "a" && icmp.type == 8', [
            'vpclab.vpc_id', 'vpclab.eni.src', 'vpclab.eni.dst', 'vpclab.eni.dst.name',
            'vpclab.eni.dst.instance'
          ])
        t.is(complaints, '')
        t.true(rows.length >= 1)
        t.deepEqual(rows[0], [vpc.id, a.eni, b.eni, 'b', b.id])
      }
    })
  }))

/** Sends packets until the capture, which counts them, has ended. */
async function sendUntilEnded (
  send: () => Promise<void>, capture: Promise<unknown>): Promise<void> {
  const state = { isEnded: false }
  const ended = capture.finally(() => { state.isEnded = true })
  await eventually('the capture has ended', async () => {
    if (!state.isEnded) await send()
    return state.isEnded
  })
  await ended
}

test('options of the VPC header and of a Gateway Load Balancer are read', async (t) => {
  await withDirectory(async (directory) => {
    const file = join(directory, 'made.pcapng')
    const names = join(directory, 'names.tsv')
    writeFileSync(names, '# names\nvpc\t43690\tvpc-1\tprod\n' +
      'eni\teni-00123456789abcdef\tfw\ti-9\tvpc-1\t10.0.0.1\n')
    writeFrames(file, [
      geneve([
        [0xfff5, 1, '0123456789abcdef'], [0xfff5, 2, 'ffffffffffffffff'],
        [0xfff5, 3, '00000005'], [0xfff5, 4, '1122334455667788']
      ]),
      geneve([[0xfff5, 6, '00000000000000000000ffffc0000207']]),
      geneve([[0xfff5, 6, 'fd7f0000000000000000000000000009']]),
      geneve([
        [0x0108, 1, '00a1b2c3d4e5f607'], [0x0108, 2, '0000000000000042'], [0x0108, 3, 'deadbeef']
      ])
    ])
    const ours = await dissect(file, names, 'vpclab.flags.mirrored == 1', [
      'vpclab.vpc', 'vpclab.eni.src', 'vpclab.eni.src.name', 'vpclab.eni.src.instance',
      'vpclab.eni.dst', 'vpclab.eni.dst.name', 'vpclab.flags', 'vpclab.flags.via_edge',
      'vpclab.flags.encrypted', 'vpclab.cookie'
    ])
    t.is(ours.complaints, '')
    t.deepEqual(ours.rows, [[
      'prod', 'eni-00123456789abcdef', 'fw', 'i-9', 'eni-0ffffffffffffffff', '', '0x00000005', '1',
      '0', '1122334455667788'
    ]])
    const forwarded =
      await dissect(file, names, 'vpclab.forwarded_from', ['vpclab.forwarded_from'])
    t.deepEqual(forwarded.rows, [['192.0.2.7'], ['fd7f::9']])
    const amazon = await dissect(file, names, 'vpclab.gwlb.cookie',
      ['vpclab.gwlb.endpoint', 'vpclab.gwlb.attachment', 'vpclab.gwlb.cookie'])
    t.deepEqual(amazon.rows, [['vpce-000a1b2c3d4e5f607', '0000000000000042', '0xdeadbeef']])
  })
})

test('damaged headers, fragments and missing names do not stop the script', async (t) => {
  await withDirectory(async (directory) => {
    const file = join(directory, 'bad.pcapng')
    const good = vpcPacket({ vni: 9, sourceEni: [1, 2], destinationEni: [3, 4] }, INNER)
    const longOption = Uint8Array.from(good)
    longOption[11] = 0x1f
    const oddLength = geneve([[0xfff5, 1, '00000001'], [0xfff5, 3, ''], [0x0108, 3, '']])
    const cuts = Array.from({ length: 41 }, (_cut, bytes) => good.slice(0, bytes))
    writeFrames(file, [...cuts, longOption, oddLength,
      ipPacket({ src: '10.0.0.1', dst: '10.0.0.2', fragment: { offsetBytes: 8, more: false } }),
      good])
    const { rows, complaints } =
      await dissect(file, join(directory, 'absent'), 'frame', ['frame.number', 'vpclab.eni.dst'])
    t.is(complaints, '')
    t.is(rows.length, 45)
    t.deepEqual(rows.at(-1), ['45', 'eni-00000000300000004'])
    const malformed = await dissect(file, '', 'vpclab.malformed', ['frame.number'])
    t.deepEqual(malformed.rows, [['42'], ['44']])
  })
})
