/**
 * The smallest router over a NIC, for tests of the NIC alone: what a TUN brings goes to the one
 * peer behind a Geneve header, what the underlay brings goes to the TUN without it. Run as a
 * worker thread:
 *
 *     workerData   ForwarderOptions
 *     port in      ForwarderCommand, each followed by a ring of the doorbell
 *     parentPort   'ready'; then, after 'stop', the counters by name
 */
import {
  isMainThread, parentPort, receiveMessageOnPort, workerData, type MessagePort
} from 'node:worker_threads'
import {
  PORT_UNDERLAY, RX_AT, RX_BYTES, RX_CSUM, RX_CSUM_FIELD, RX_GSO_SIZE, RX_GSO_TYPE, RX_PORT, RX_RUN,
  RX_TOTAL_BYTES, RX_WORDS, TX_AT, TX_BYTES, TX_CSUM, TX_CSUM_FIELD, TX_GSO_SIZE, TX_GSO_TYPE,
  TX_HEADER_AT, TX_HEADER_BYTES, TX_OUTER_TRAFFIC_CLASS, TX_PEER, TX_PORT, TX_RUN, TX_SOURCE_PORT,
  TX_TOTAL_BYTES, TX_WORDS
} from '../../daemon/tun/descriptor.ts'
import { NIC_COUNTER_DOORBELLS, NIC_COUNTERS } from '../../daemon/tun/counters.ts'
import { createNic, type Nic } from '../../daemon/tun/nic.ts'

export interface ForwarderOptions {
  readonly underlayNamespace: string
  readonly underlayAddress: string
  readonly peerAddress: string
  readonly instanceNamespace: string
  readonly deviceName: string
  readonly spinUs: number
  readonly doorbellFd: number
  readonly port: MessagePort
}

export type ForwarderCommand = 'offload' | 'per-packet' | 'stop'

const GENEVE_PORT = 6081
const GENEVE_HEADER_BYTES = 32
const GENEVE_OPTION_WORDS = 6
const SOURCE_PORT_MIN = 49_152
const BURST_TIMEOUT_MS = 1000
const PACKETS_MAX = 256
const SCRATCH_BYTES = 4096

/** Two headers, IPv4 and IPv6, at the start of the scratch area: version 0, VNI 7, two
 * options. */
function writeHeaders (nic: Nic): void {
  for (const [index, protocolType] of [0x0800, 0x86dd].entries()) {
    const at = nic.scratchAt + index * GENEVE_HEADER_BYTES
    nic.bytes.set([GENEVE_OPTION_WORDS, 0, protocolType >> 8, protocolType & 0xff, 0, 0, 7, 0], at)
    nic.bytes.set([0xff, 0xf5, 0x01, 2, 0, 0, 0, 0, 0, 0, 0, 1], at + 8)
    nic.bytes.set([0xff, 0xf5, 0x02, 2, 0, 0, 0, 0, 0, 0, 0, 2], at + 20)
  }
}

/** A source port for the flow, from its TCP or UDP ports; one for everything else. */
function sourcePort (view: DataView, at: number): number {
  const isIpv6 = view.getUint8(at) >> 4 === 6
  const protocol = view.getUint8(at + (isIpv6 ? 6 : 9))
  if (protocol !== 6 && protocol !== 17) return SOURCE_PORT_MIN
  const l4At = at + (isIpv6 ? 40 : (view.getUint8(at) & 15) * 4)
  return SOURCE_PORT_MIN + ((view.getUint16(l4At) * 31 + view.getUint16(l4At + 2)) & 16_383)
}

/** Writes one transmit descriptor for each received one. */
function forward (nic: Nic, view: DataView, received: number, tunPort: number): void {
  const { rx, tx } = nic
  for (let i = 0; i < received; i++) {
    const r = i * RX_WORDS
    const t = i * TX_WORDS
    const fromUnderlay = rx[r + RX_PORT] === PORT_UNDERLAY
    const at = rx[r + RX_AT]!
    const skip = fromUnderlay ? 8 + (view.getUint8(at) & 0x3f) * 4 : 0
    const isIpv6 = view.getUint8(at + skip) >> 4 === 6
    tx[t + TX_PORT] = fromUnderlay ? tunPort : PORT_UNDERLAY
    tx[t + TX_AT] = at + skip
    tx[t + TX_BYTES] = rx[r + RX_BYTES]! - skip
    tx[t + TX_TOTAL_BYTES] = rx[r + RX_TOTAL_BYTES]! - skip
    tx[t + TX_GSO_TYPE] = rx[r + RX_GSO_TYPE]!
    tx[t + TX_GSO_SIZE] = rx[r + RX_GSO_SIZE]!
    tx[t + TX_CSUM] = rx[r + RX_CSUM]!
    tx[t + TX_CSUM_FIELD] = rx[r + RX_CSUM_FIELD]!
    tx[t + TX_RUN] = rx[r + RX_RUN]!
    tx[t + TX_PEER] = 0
    tx[t + TX_SOURCE_PORT] = fromUnderlay ? 0 : sourcePort(view, at)
    tx[t + TX_OUTER_TRAFFIC_CLASS] = 0
    tx[t + TX_HEADER_AT] = nic.scratchAt + (isIpv6 ? GENEVE_HEADER_BYTES : 0)
    tx[t + TX_HEADER_BYTES] = GENEVE_HEADER_BYTES
  }
}

function openNic (options: ForwarderOptions): { nic: Nic, tunPort: number } {
  const nic = createNic({
    scratchBytes: SCRATCH_BYTES,
    rxMax: PACKETS_MAX,
    txMax: PACKETS_MAX,
    spinUs: options.spinUs,
    doorbellFd: options.doorbellFd
  })
  nic.openUnderlay(options.underlayNamespace, options.underlayAddress, GENEVE_PORT)
  nic.setPeer(0, options.peerAddress, GENEVE_PORT)
  writeHeaders(nic)
  return { nic, tunPort: nic.openTun(options.instanceNamespace, options.deviceName) }
}

/** Forwards until told to stop. @returns the counters by name */
function run (options: ForwarderOptions): Record<string, number> {
  const { nic, tunPort } = openNic(options)
  const view = new DataView(nic.bytes.buffer)
  parentPort?.postMessage('ready')
  let count = 0
  let rings = 0
  for (;;) {
    count = nic.burst(count, BURST_TIMEOUT_MS)
    forward(nic, view, count, tunPort)
    if (nic.counters[NIC_COUNTER_DOORBELLS] === rings) continue
    rings = nic.counters[NIC_COUNTER_DOORBELLS]!
    const command = receiveMessageOnPort(options.port)?.message as ForwarderCommand
    if (command === 'stop') break
    nic.setWireMode(command)
  }
  nic.close()
  return Object.fromEntries(NIC_COUNTERS.map(({ name }, index) => [name, nic.counters[index]!]))
}

if (!isMainThread) parentPort?.postMessage(run(workerData as ForwarderOptions))
