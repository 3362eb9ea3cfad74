/**
 * The face of the NIC without a packet: arguments, errors, the doorbell, shared memory. Packets
 * through two NICs are in test/integration/nic.test.ts.
 */
import test from 'ava'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync, statSync, symlinkSync, unlinkSync } from 'node:fs'
import { VpclabError } from '../base/errors.ts'
import { NIC_COUNTER_DOORBELLS, NIC_COUNTERS } from './counters.ts'
import {
  CSUM_NEEDED, PORT_UNDERLAY, RX_WORDS, TX_AT, TX_BYTES, TX_CSUM, TX_CSUM_FIELD, TX_PEER, TX_PORT,
  TX_RUN, TX_SOURCE_PORT, TX_TOTAL_BYTES, TX_WORDS
} from './descriptor.ts'
import { closeDoorbell, createDoorbell, ringDoorbell } from './doorbell.ts'
import { createNic, type NicOptions } from './nic.ts'
import { mapSharedFile } from './shared_memory.ts'

const OPTIONS: NicOptions = { scratchBytes: 4096, rxMax: 8, txMax: 4, spinUs: 0, doorbellFd: -1 }
/** One for each test that opens an underlay: they run side by side. */
const UNDERLAY_ADDRESSES = { TCP: '127.0.0.81', UDP: '127.0.0.82' } as const
const sharedPath = (name: string): string => `/dev/shm/vpclab-test-${String(process.pid)}-${name}`

function counter (counters: Float64Array, name: string): number {
  return counters[NIC_COUNTERS.findIndex((entry) => entry.name === name)]
}

test('createNic makes arrays of the sizes asked for', (t) => {
  const nic = createNic(OPTIONS)
  t.is(nic.rx.length, 8 * RX_WORDS)
  t.is(nic.tx.length, 4 * TX_WORDS)
  t.is(nic.bytes.length, nic.scratchAt + 4096)
  t.is(nic.words.buffer, nic.bytes.buffer)
  t.is(nic.counters.length, NIC_COUNTERS.length)
  nic.close()
})

test('createNic refuses a size that is out of range', (t) => {
  t.throws(() => createNic({ ...OPTIONS, rxMax: 0 }), { message: /rxMax is 0/ })
  t.throws(() => createNic({ ...OPTIONS, scratchBytes: 6 }), { message: /multiple of 4/ })
  t.throws(() => createNic({ ...OPTIONS, spinUs: 1.5 }), { message: /spinUs is 1.5/ })
})

test('openTun names device, namespace, step and errno when the namespace is not there', (t) => {
  const nic = createNic(OPTIONS)
  const error = t.throws(
    () => nic.openTun('/run/netns/absent', 'eth0'), { instanceOf: VpclabError })
  t.is(error.code, 'VPCLAB_ERR_SYSCALL')
  t.is(error.message,
    'Cannot open TUN device "eth0" in "/run/netns/absent": open namespace: ENOENT')
  nic.close()
})

test('openTun refuses a name that no device can have', (t) => {
  const nic = createNic(OPTIONS)
  for (const name of ['', 'sixteen-letters-', 'a/b', 'tun%d', 'a b']) {
    const error = t.throws(() => nic.openTun('', name), { instanceOf: VpclabError })
    t.is(error.code, 'VPCLAB_ERR_CONFIG')
  }
  nic.close()
})

test('setPeer refuses what is no address and what is no peer', (t) => {
  const nic = createNic(OPTIONS)
  t.notThrows(() => { nic.setPeer(0, '192.0.2.1', 6081) })
  t.notThrows(() => { nic.setPeer(1, '2001:db8::1', 6081) })
  t.throws(() => { nic.setPeer(0, 'host-2', 6081) }, { message: /Cannot set peer 0 to "host-2"/ })
  t.throws(() => { nic.setPeer(-1, '192.0.2.1', 6081) }, { message: /peer is -1/ })
  t.throws(() => { nic.setPeer(0, '192.0.2.1', 65_536) }, { message: /udpPort is 65536/ })
  nic.close()
})

test('burst returns nothing and counts itself when there is nothing', (t) => {
  const nic = createNic(OPTIONS)
  t.is(nic.burst(0, 0), 0)
  t.is(counter(nic.counters, 'bursts'), 1)
  t.is(counter(nic.counters, 'sleeps'), 0)
  t.is(nic.burst(0, 1), 0)
  t.is(counter(nic.counters, 'sleeps'), 1)
  nic.close()
})

test('burst refuses more descriptors than there are', (t) => {
  const nic = createNic(OPTIONS)
  t.throws(() => nic.burst(5, 0), { message: /Invariant broken/ })
  t.throws(() => nic.burst(0, -1), { message: /Invariant broken/ })
  nic.close()
})

test('burst drops and counts descriptors that contradict themselves', (t) => {
  const nic = createNic(OPTIONS)
  nic.tx.fill(0)
  for (const [index, wrong] of [{ at: -1 }, { bytes: 10 }, { total: 99 }, { run: 1 }].entries()) {
    nic.tx.set([1, wrong.at ?? 0], index * TX_WORDS + TX_PORT)
    nic.tx[index * TX_WORDS + TX_BYTES] = wrong.bytes ?? 40
    nic.tx[index * TX_WORDS + TX_TOTAL_BYTES] = wrong.total ?? wrong.bytes ?? 40
    nic.tx[index * TX_WORDS + TX_RUN] = wrong.run ?? 0
  }
  nic.burst(4, 0)
  t.is(counter(nic.counters, 'tx-malformed'), 4)
  t.is(counter(nic.counters, 'tun-tx-closed'), 0)
  nic.close()
})

test('burst counts a packet to a port that is not open', (t) => {
  const nic = createNic(OPTIONS)
  nic.tx.fill(0)
  nic.tx[TX_PORT] = 9
  nic.tx[TX_BYTES] = 40
  nic.tx[TX_TOTAL_BYTES] = 40
  nic.burst(1, 0)
  t.is(counter(nic.counters, 'tun-tx-closed'), 1)
  t.deepEqual(nic.takeFailedPorts(), [])
  nic.close()
})

for (const [protocol, fieldAt, expected] of [['TCP', 16, 0], ['UDP', 6, 0xffff]] as const) {
  test(`a checksum that comes out as 0 is written as ${String(expected)} in ${protocol}`,
    async (t) => {
      const peer = createSocket('udp4')
      peer.bind(0, '127.0.0.1')
      await once(peer, 'listening')
      const [nic, ipBytes, packetBytes] = [createNic(OPTIONS), 20, 40]
      t.teardown(() => {
        nic.close()
        peer.close()
      })
      nic.openUnderlay('', UNDERLAY_ADDRESSES[protocol], 6081)
      nic.setPeer(0, '127.0.0.1', peer.address().port)
      nic.bytes.fill(0, nic.scratchAt, nic.scratchAt + packetBytes)
      // The pseudo-header's sum; with nothing else in the packet it is the whole sum.
      nic.bytes.fill(0xff, nic.scratchAt + ipBytes + fieldAt,
        nic.scratchAt + ipBytes + fieldAt + 2)
      nic.tx.fill(0)
      nic.tx[TX_PORT] = PORT_UNDERLAY
      nic.tx[TX_AT] = nic.scratchAt
      nic.tx[TX_BYTES] = packetBytes
      nic.tx[TX_TOTAL_BYTES] = packetBytes
      nic.tx[TX_CSUM] = CSUM_NEEDED
      nic.tx[TX_CSUM_FIELD] = ipBytes | (fieldAt << 16)
      nic.tx[TX_PEER] = 0
      nic.tx[TX_SOURCE_PORT] = 49_152
      const arrival = once(peer, 'message')
      nic.burst(1, 0)
      const [datagram] = await arrival as [Buffer]
      t.is(datagram.readUInt16BE(ipBytes + fieldAt), expected)
    })
}

test('a closed NIC refuses every call but close', (t) => {
  const nic = createNic(OPTIONS)
  nic.close()
  nic.close()
  t.throws(() => nic.burst(0, 0), { message: /closed/ })
  t.throws(() => nic.openTun('', 'eth0'), { message: /closed/ })
})

test('the doorbell ends a sleep, and several rings are one', (t) => {
  const doorbellFd = createDoorbell()
  const nic = createNic({ ...OPTIONS, doorbellFd })
  ringDoorbell(doorbellFd)
  ringDoorbell(doorbellFd)
  t.is(nic.burst(0, 60_000), 0)
  t.is(nic.counters[NIC_COUNTER_DOORBELLS], 1)
  t.is(nic.burst(0, 0), 0)
  t.is(nic.counters[NIC_COUNTER_DOORBELLS], 1)
  nic.close()
  closeDoorbell(doorbellFd)
  t.throws(() => { closeDoorbell(doorbellFd) }, { message: /EBADF/ })
})

test('a shared file is made 0600, of the length asked for, and keeps its bytes', (t) => {
  const path = sharedPath('keeps')
  t.teardown(() => { unlinkSync(path) })
  const first = new Uint8Array(mapSharedFile(path, 8192))
  first[0] = 7
  first[8191] = 9
  const second = new Uint8Array(mapSharedFile(path, 8192))
  second[1] = 8
  t.deepEqual([first[0], first[1], second[8191]], [7, 8, 9])
  t.is(statSync(path).mode & 0o777, 0o600)
  t.is(readFileSync(path)[1], 8)
})

test('a shared file is cut, and filled with zeros, to the length asked for', (t) => {
  const path = sharedPath('cut')
  t.teardown(() => { unlinkSync(path) })
  new Uint8Array(mapSharedFile(path, 8192)).fill(1)
  t.is(mapSharedFile(path, 4096).byteLength, 4096)
  const longer = new Uint8Array(mapSharedFile(path, 8192))
  t.deepEqual([longer[4095], longer[4096], longer[8191]], [1, 0, 0])
})

test('a shared file refuses a symbolic link and a path that cannot be', (t) => {
  const path = sharedPath('link')
  symlinkSync('/dev/null', path)
  t.teardown(() => { unlinkSync(path) })
  t.throws(() => mapSharedFile(path, 4096), { instanceOf: VpclabError, message: /ELOOP/ })
  t.throws(() => mapSharedFile('/dev/shm/absent/file', 4096), { message: /ENOENT/ })
})
