/**
 * The encrypted underlay: what a person on the wire sees, what an attacker there can do, and what
 * instances notice of new keys.
 *
 *     host-1 ─ a          host-2 ─ b          host-3: no instance; sends whole packets
 *          └────── bridge ─────┴───────────────┘        under anybody's address
 */
import test from 'ava'
import type { UnderlayAnswer } from '../../daemon/api/admin/contract.ts'
import { adminRequest } from '../harness/admin.ts'
import { NODE, ROOT, command, eventually, inside } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab } from '../harness/lab.ts'
import { genevePacket, ipv4UdpPacket } from '../harness/packets.ts'
import { withLab } from '../harness/with_lab.ts'

const LAB = {
  hosts: 'host-1:use1-az1,host-2:use1-az1,host-3:use1-az1', edges: 1,
  flags: ['--underlay-encryption', 'on']
}
/** What the ping carries: no ciphertext has it. */
const PATTERN = 'cafe5eedf00dd00d'
const ETHERNET_BYTES = 14
const IPV4_BYTES = 20
const UDP_BYTES = 8
const GENEVE_AT = IPV4_BYTES + UDP_BYTES
const VNI_AT = GENEVE_AT + 4
/** Geneve 8, two ENI options, flags option; then the key option: header 4, key id, number. */
const KEY_ID_AT = GENEVE_AT + 8 + 24 + 8 + 4
const HEADERS_BYTES = KEY_ID_AT + 12

function underlay (lab: Lab): Promise<UnderlayAnswer> {
  return adminRequest<UnderlayAnswer>(lab.name, 'GET', '/underlay')
}

function epochs ({ pairs }: UnderlayAnswer): number[] { return pairs.map(({ epoch }) => epoch) }

/** What a host knows of the other one that has an instance. */
async function pairOf (lab: Lab, name: 'host-1' | 'host-2'): Promise<UnderlayAnswer['pairs'][0]> {
  const pair = (await underlay(lab)).pairs
    .find(({ host, peer }) => host === name && peer === (name === 'host-1' ? 'host-2' : 'host-1'))
  if (pair === undefined) throw new Error(`${name} encrypts nothing`)
  return pair
}

async function whenAgreed (lab: Lab): Promise<void> {
  await eventually('each pair of hosts has keys', async () => {
    const found = epochs(await underlay(lab))
    return found.length === 12 && found.every((epoch) => epoch > 0)
  })
}

async function build (lab: Lab): Promise<{ a: Instance, b: Instance }> {
  await whenAgreed(lab)
  const subnet = await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.1.0/24')
  return {
    a: await lab.instance(subnet, { host: 'host-1' }),
    b: await lab.instance(subnet, { host: 'host-2' })
  }
}

async function rotate (lab: Lab): Promise<void> {
  const before = epochs(await underlay(lab))
  await adminRequest(lab.name, 'POST', '/underlay/rotate')
  await eventually('each pair has new keys', async () =>
    epochs(await underlay(lab)).every((epoch, at) => epoch > (before[at] ?? 0)))
}

function changed (packet: Buffer, at: number): Buffer {
  const copy = Buffer.from(packet)
  copy.writeUInt8(copy.readUInt8(at) ^ 0x01, at)
  return copy
}

test.serial('the wire shows the Geneve header and nothing inside; largest packets fit',
  withLab(LAB, async (t, lab) => {
    const { a, b } = await build(lab)
    await using capture = await lab.capture('host-1')
    t.is((await a.ping(b.ipv4, 5, '-p', PATTERN)).received, 5)
    const server = await b.iperfServer()
    await a.exec('iperf3', '-c', b.ipv4, '-n', '20M')
    await server.ended()
    t.is((await a.ping(b.ipv4, 2, '-M', 'do', '-s', '8973')).received, 2, '9001 bytes')
    await capture.stop()
    const rows = await capture.fields(['geneve.proto_type', 'geneve.vni', 'ip.src', 'geneve.flags'])
    t.true(rows.length > 20)
    for (const row of rows) {
      t.regex(row['geneve.proto_type'] ?? '', /88b6$/i)
      t.notRegex(row['ip.src'] ?? '', /,/, 'no inner address')
    }
    t.deepEqual(await capture.brokenFrames(), [])
    const clear = (await capture.frames()).filter((frame) =>
      Buffer.from(frame).toString('hex').includes(PATTERN))
    t.is(clear.length, 0)
  }))

test.serial('forged, replayed and changed datagrams are dropped, each for its reason',
  withLab({
    ...LAB, expectedWarnings: [/forged|underlay-/]
  }, async (t, lab) => {
    const { a, b } = await build(lab)
    const capture = await lab.capture('host-1')
    try {
      t.is((await a.ping(b.ipv4, 1)).received, 1)
    } finally {
      await capture.stop()
    }
    const { underlayAddress: from } = await lab.hostStatus('host-1')
    const { underlayAddress: to } = await lab.hostStatus('host-2')
    const sealed = (await capture.frames())
      .map((frame) => Buffer.from(frame).subarray(ETHERNET_BYTES))
      .find((packet) => packet.subarray(12, 16).join('.') === from &&
        packet.subarray(16, 20).join('.') === to)
    await capture[Symbol.asyncDispose]()
    if (sealed === undefined) throw new Error('nothing of host-1 was captured')
    // A number that has not been: what is changed besides it does not pass for a replay.
    const next = changed(sealed, HEADERS_BYTES - 3)
    const clear = Buffer.concat([sealed.subarray(0, GENEVE_AT),
      genevePacket({ vni: sealed.readUIntBE(VNI_AT, 3), sourceEni: a.eni, destinationEni: b.eni },
        ipv4UdpPacket(a.ipv4, b.ipv4))])
    clear.writeUInt16BE(clear.length, 2)
    clear.writeUInt16BE(clear.length - IPV4_BYTES, IPV4_BYTES + 4)
    const stranger = changed(sealed, 15) // host-1's key, another host's address
    const tcpdump = b.start('tcpdump', '-i', 'eth0', '-n', '-l', '--immediate-mode')
    await tcpdump.printed('listening on')
    const cases: readonly [reason: string, what: string, packet: Buffer][] = [
      ['underlay-replay', 'as it was', sealed],
      ['underlay-authentication', 'a number', next],
      ['underlay-authentication', 'a byte inside', changed(next, HEADERS_BYTES + 5)],
      ['underlay-authentication', 'the VNI', changed(next, VNI_AT + 2)],
      ['underlay-authentication', 'the tag', changed(next, next.length - 1)],
      ['underlay-unknown-key', 'the key id', changed(sealed, KEY_ID_AT)],
      ['underlay-unknown-key', 'the sender', stranger],
      ['underlay-unencrypted', 'in clear', clear]
    ]
    for (const [reason, what, packet] of cases) {
      const before = await lab.drops(null, reason)
      await command('ip', ...inside(lab.hostNamespace('host-3'), [
        NODE, `${ROOT}/test/harness/programs/send_ipv4.ts`, packet.toString('hex')]))
      await eventually(`a drop "${reason}" of ${what}`, async () =>
        await lab.drops(null, reason) === before + 1)
      t.pass(`${what}: ${reason}`)
    }
    t.like(await pairOf(lab, 'host-2'), { replayed: 1, forged: 4 })
    t.is((await a.ping(b.ipv4, 1)).received, 1)
    await tcpdump.printed('ICMP echo reply')
    t.false((await tcpdump.stop('SIGINT')).includes('.40000 >'), 'nothing forged was delivered')
  }))

test.serial('new keys cost no packet; a data plane that begins anew gets its own',
  withLab({
    ...LAB, expectedWarnings: [/the data plane worker ended and is started again/]
  }, async (t, lab) => {
    const { a, b } = await build(lab)
    const server = await b.iperfServer()
    const stream = a.start('iperf3', '-u', '-c', b.ipv4, '-b', '20M', '-n', '10M', '-l', '1000')
    const pinging = b.ping(a.ipv4, 30)
    for (let turn = 0; turn < 5; turn++) await rotate(lab)
    await stream.ended()
    await server.ended()
    t.is((await pinging).received, 30)
    await eventually('what one host sent has come to the other', async () => {
      const [sent, received] = [await pairOf(lab, 'host-1'), await pairOf(lab, 'host-2')]
      return sent.sent > 10_000 && sent.sent === received.received
    })
    for (const reason of ['underlay-no-key', 'underlay-unknown-key', 'underlay-replay']) {
      t.is(await lab.drops(null, reason), 0, reason)
    }
    const pid = await lab.killWorker('edge-1')
    await lab.workerAfter('edge-1', pid)
    await eventually('edge-1 has keys again', async () => {
      const { pairs } = await underlay(lab)
      return pairs.filter(({ host }) => host === 'edge-1')
        .every(({ epoch, sent }) => epoch > 0 && sent === 0)
    })
    t.is((await a.ping(b.ipv4, 3)).received, 3)
  }))
