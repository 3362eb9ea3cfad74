/**
 * Claim: a packet of a known flow costs at most 150 ns of TypeScript. In memory, without a NIC:
 * plain TCP packets of 64 bytes (no super-packets), FLOWS live flows chosen at random, a route
 * table of ROUTES routes, from one subnet to another, so that the TTL is decremented.
 *
 *     egress    TUN descriptor → parse, flow, VPC header, transmit descriptor
 *     ingress   underlay descriptor → VPC header, parse, flow, transmit descriptor
 *
 * fastPathNs and slowPathNs are the mean of the two directions, each the median of BURSTS bursts.
 * Bytes of the packets are written anew before each burst, outside the measured time, as the
 * kernel's copy leaves them in the cache. `--cpu-prof` of Node shows where the rest goes.
 */
import { tuneForHotLoop } from '../daemon/base/engine.ts'
import { addressWords } from '../daemon/wire/address.ts'
import { writeU16, writeU32 } from '../daemon/wire/bytes.ts'
import { ipv4WriteChecksum } from '../daemon/wire/ipv4.ts'
import { RX_MAX } from '../daemon/dataplane/loop.ts'
import { buildTables, ENI_HIGH, hostAddress, Lab } from '../daemon/dataplane/testing/lab.ts'
import type { EniSpec, PolicySpec, VpcSpec } from '../daemon/dataplane/testing/lab.ts'
import { ipPacket, vpcPacket } from '../daemon/dataplane/testing/packets.ts'
import {
  PORT_UNDERLAY, RX_AT, RX_BYTES, RX_HEADROOM_BYTES, RX_PORT, RX_SEGMENTS, RX_SOURCE_AT,
  RX_TOTAL_BYTES, RX_WORDS
} from '../daemon/tun/descriptor.ts'
import { GENEVE_BYTES } from '../daemon/encap/geneve.ts'
import { median } from './statistics.ts'

const FLOWS = 100_000
const ROUTES = 1_000
export const REMOTE_ADDRESSES = 250
const PACKET_BYTES = 64
const WARM_UP_BURSTS = 1_000
const BURSTS = 6_000
export const VNI = 100
export const LOCAL_ENI = 1
export const REMOTE_ENI = 2
export const LOCAL_ADDRESS = '10.0.1.10'
const SUBNETS = [1, 2]
const SLOT_BYTES = 256

export interface PipelineResult {
  readonly fastPathNs: number
  readonly slowPathNs: number
  readonly fastEgressNs: number
  readonly fastIngressNs: number
  readonly slowEgressNs: number
  readonly slowIngressNs: number
}

export function remoteAddress (index: number): string {
  return `10.0.2.${String(1 + index % REMOTE_ADDRESSES)}`
}

/** What judges the packets; absent: groups and ACLs that let everything through. */
export interface PipelinePolicy {
  readonly groups: readonly PolicySpec[]
  readonly networkAcl: PolicySpec
}

/** The VPC of the bench. Both ENIs carry all groups, both subnets have the ACL. */
export function buildVpc (policy?: PipelinePolicy): VpcSpec {
  const carried = policy === undefined ? {} : { groups: policy.groups.map(({ index }) => index) }
  const judged = policy === undefined ? {} : { networkAcl: policy.networkAcl.index }
  const local: EniSpec =
    { eni: LOCAL_ENI, subnet: 1, host: 1, addresses: [LOCAL_ADDRESS], ...carried }
  const remote: EniSpec = {
    eni: REMOTE_ENI,
    subnet: 2,
    host: 2,
    addresses: Array.from({ length: REMOTE_ADDRESSES }, (_address, index) => remoteAddress(index)),
    ...carried
  }
  const routes = Array.from({ length: ROUTES - 1 }, (_route, index) => ({
    to: `172.${String(16 + (index >> 8))}.${String(index & 255)}.0/24`, target: 'blackhole' as const
  }))
  return {
    vpc: 1,
    vni: VNI,
    subnets: SUBNETS.map((subnet) => ({
      subnet,
      cidrs: [`10.0.${String(subnet)}.0/24`],
      routes: [...subnet === 1 ? routes : [], { to: '10.0.0.0/16', target: 'local' }],
      ...judged
    })),
    enis: [local, remote],
    ...policy === undefined ? {} : { groups: policy.groups, networkAcls: [policy.networkAcl] }
  }
}

/** A small generator that repeats (xorshift32): which flow comes next. */
function randomSequence (): () => number {
  let state = 0x2545f491
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

/**
 * A direction of traffic: how a packet of flow number `flow` is written, and where its descriptor
 * leads.
 */
export interface Direction {
  readonly template: Uint8Array
  /** Offset of the inner IP header in the template. */
  readonly ipAt: number
  readonly nicPort: number
  writeFlow(bytes: Uint8Array, ipAt: number, flow: number): void
}

function directions (lab: Lab): { egress: Direction, ingress: Direction } {
  const payloadBytes = PACKET_BYTES - 40
  const outbound = ipPacket({ src: LOCAL_ADDRESS, dst: remoteAddress(0), payloadBytes })
  const inbound = ipPacket({ src: remoteAddress(0), dst: LOCAL_ADDRESS, srcPort: 80, payloadBytes })
  const remoteBase = addressWords('10.0.2.1')[3]!
  const portOf = (flow: number): number => 1024 + Math.floor(flow / REMOTE_ADDRESSES)
  return {
    egress: {
      template: outbound,
      ipAt: 0,
      nicPort: lab.nicPort(LOCAL_ENI),
      writeFlow (bytes, ipAt, flow) {
        writeU32(bytes, ipAt + 16, remoteBase + flow % REMOTE_ADDRESSES)
        writeU16(bytes, ipAt + 20, portOf(flow))
      }
    },
    ingress: {
      template: vpcPacket({
        vni: VNI, sourceEni: [ENI_HIGH, REMOTE_ENI], destinationEni: [ENI_HIGH, LOCAL_ENI]
      }, inbound),
      ipAt: GENEVE_BYTES,
      nicPort: PORT_UNDERLAY,
      writeFlow (bytes, ipAt, flow) {
        writeU32(bytes, ipAt + 12, remoteBase + flow % REMOTE_ADDRESSES)
        writeU16(bytes, ipAt + 22, portOf(flow))
      }
    }
  }
}

/** Writes one burst of packets into the arena and their descriptors into `rx`. */
function writeBurst (lab: Lab, direction: Direction, nextFlow: () => number): void {
  const { bytes, rx } = lab.nic
  const source = addressWords(hostAddress(2))
  for (let packet = 0; packet < RX_MAX; packet++) {
    const at = packet * SLOT_BYTES + RX_HEADROOM_BYTES
    bytes.set(direction.template, at)
    direction.writeFlow(bytes, at + direction.ipAt, nextFlow())
    ipv4WriteChecksum(bytes, at + direction.ipAt, 20)
    const rxAt = packet * RX_WORDS
    rx.fill(0, rxAt, rxAt + RX_WORDS)
    rx[rxAt + RX_PORT] = direction.nicPort
    rx[rxAt + RX_AT] = at
    rx[rxAt + RX_BYTES] = direction.template.length
    rx[rxAt + RX_TOTAL_BYTES] = direction.template.length
    rx[rxAt + RX_SEGMENTS] = 1
    rx[rxAt + RX_SOURCE_AT] = packet * SLOT_BYTES
    for (let word = 0; word < 4; word++) writeU32(bytes, packet * SLOT_BYTES + 4 * word,
      source[word]!)
  }
}

/**
 * Nanoseconds per packet, the median of `bursts` bursts: a burst is far shorter than a turn on the
 * processor, so what else runs on the machine falls out.
 */
export function measure (
  lab: Lab, direction: Direction, bursts: number, nextFlow: () => number
): number {
  const { router } = lab.loop
  const { rx } = lab.nic
  const elapsedNs: number[] = []
  for (let burst = 0; burst < bursts; burst++) {
    writeBurst(lab, direction, nextFlow)
    const startMs = performance.now()
    router.receiveBurst(rx, RX_MAX)
    elapsedNs.push((performance.now() - startMs) * 1e6 / RX_MAX)
    if (router.transmit.count !== RX_MAX) throw new Error('The pipeline bench lost packets')
    router.afterBurst()
  }
  return median(elapsedNs)
}

/** Warm-up, then the measurement, over flows chosen at random. */
function measureRandom (lab: Lab, direction: Direction): number {
  const random = randomSequence()
  const nextFlow = (): number => random() % FLOWS
  measure(lab, direction, WARM_UP_BURSTS, nextFlow)
  return measure(lab, direction, BURSTS, nextFlow)
}

/** Measures all four: both paths, both directions. */
export function measurePipeline (policy?: PipelinePolicy): PipelineResult {
  tuneForHotLoop()
  const lab = new Lab({ flowCapacity: FLOWS })
  lab.apply(buildTables([buildVpc(policy)], 2))
  const { egress, ingress } = directions(lab)
  let flow = 0
  const everyFlow = (): number => flow++ % FLOWS
  for (const direction of [egress, ingress]) {
    flow = 0
    measure(lab, direction, Math.ceil(FLOWS / RX_MAX), everyFlow)
  }
  if (lab.flows.live !== FLOWS) {
    throw new Error(`The pipeline bench has ${String(lab.flows.live)} flows`)
  }
  const fastEgressNs = measureRandom(lab, egress)
  const fastIngressNs = measureRandom(lab, ingress)
  lab.loop.router.cacheFlows = false
  const slowEgressNs = measureRandom(lab, egress)
  const slowIngressNs = measureRandom(lab, ingress)
  return {
    fastPathNs: (fastEgressNs + fastIngressNs) / 2,
    slowPathNs: (slowEgressNs + slowIngressNs) / 2,
    fastEgressNs,
    fastIngressNs,
    slowEgressNs,
    slowIngressNs
  }
}

/** @param args `--json` prints the result to standard output */
export async function run (args: readonly string[]): Promise<void> {
  const result = measurePipeline()
  const rounded = Object.fromEntries(Object.entries(result)
    .map(([name, ns]: [string, number]) => [name, Math.round(ns * 10) / 10]))
  console.error(`${String(FLOWS)} flows, ${String(ROUTES)} routes, ${String(PACKET_BYTES)} bytes:`)
  for (const [name, ns] of Object.entries(rounded)) {
    console.error(`  ${name.padEnd(14)} ${String(ns)} ns`)
  }
  if (args.includes('--json')) console.log(JSON.stringify(rounded))
  await Promise.resolve()
}

if (import.meta.main) await run(process.argv.slice(2))
