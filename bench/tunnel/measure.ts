/**
 * What is measured between two ends, with stock tools: iperf3 and ping.
 *
 * CPU time is that of the whole machine while the transfer ran: kernel work of a veth belongs to no
 * process. So it means something on a machine that does nothing else.
 */
import { readFileSync } from 'node:fs'
import { Background, command, inside } from '../../test/harness/command.ts'
import type { TunnelSystem } from './system.ts'

/** Figures of one run over one system. */
export interface TunnelFigures {
  /** Gbit/s of TCP payload received, one stream, mean of both directions. */
  readonly tcp1Gbps: number
  /** The same with four streams. */
  readonly tcp4Gbps: number
  readonly tcp1ForwardGbps: number
  readonly tcp1ReverseGbps: number
  readonly tcp4ForwardGbps: number
  readonly tcp4ReverseGbps: number
  /** Datagrams of 64 bytes of payload received per second. */
  readonly udp64Pps: number
  /** Mean round trip of a flood ping, µs. */
  readonly rttUs: number
  /** CPU seconds of the machine per 10^9 bytes of payload, one TCP stream. */
  readonly cpuSecondsPerGB: number
}

interface Transfer { readonly gbps: number, readonly cpuSecondsPerGB: number }

interface Datagrams {
  readonly receivedPerSecond: number
  readonly gbps: number
  /** Fraction of what was sent. */
  readonly lost: number
}

interface IperfSum {
  readonly bits_per_second: number
  readonly bytes: number
  readonly seconds: number
  readonly packets?: number
  readonly lost_packets?: number
}

interface IperfResult {
  readonly error?: string
  readonly end: { readonly sum_received?: IperfSum, readonly sum?: IperfSum }
}

const FLOOD_PINGS = 5000
export const UDP_PAYLOAD_BYTES = 64
/** Linux's USER_HZ: unit of /proc/stat. */
export const TICKS_PER_SECOND = 100

/** One run of every measurement. @param seconds duration of each transfer */
export async function measure (system: TunnelSystem, seconds: number): Promise<TunnelFigures> {
  const tcp1Forward = await tcp(system, seconds, ['-P', '1'])
  const tcp1Reverse = await tcp(system, seconds, ['-P', '1', '-R'])
  const tcp4Forward = await tcp(system, seconds, ['-P', '4'])
  const tcp4Reverse = await tcp(system, seconds, ['-P', '4', '-R'])
  return {
    tcp1Gbps: (tcp1Forward.gbps + tcp1Reverse.gbps) / 2,
    tcp4Gbps: (tcp4Forward.gbps + tcp4Reverse.gbps) / 2,
    tcp1ForwardGbps: tcp1Forward.gbps,
    tcp1ReverseGbps: tcp1Reverse.gbps,
    tcp4ForwardGbps: tcp4Forward.gbps,
    tcp4ReverseGbps: tcp4Reverse.gbps,
    udp64Pps: (await udp(system, seconds, UDP_PAYLOAD_BYTES, 0)).receivedPerSecond,
    rttUs: await floodPing(system),
    cpuSecondsPerGB: (tcp1Forward.cpuSecondsPerGB + tcp1Reverse.cpuSecondsPerGB) / 2
  }
}

/** One transfer from `a` to `b`. @param options of iperf3, such as `-P 1` */
export async function tcp (
  system: TunnelSystem, seconds: number, options: readonly string[]): Promise<Transfer> {
  const cpuBefore = machineCpuSeconds()
  const { end } = await iperf(system, ['-t', String(seconds), ...options])
  const cpuSeconds = machineCpuSeconds() - cpuBefore
  const received = end.sum_received
  if (received === undefined) throw new Error(`iperf3 over ${system.name} reports no receiver`)
  return {
    gbps: received.bits_per_second / 1e9,
    cpuSecondsPerGB: cpuSeconds / (received.bytes / 1e9)
  }
}

/** Datagrams of `payloadBytes`. @param rate as iperf3 takes it: bit/s, 0 for as fast as it can */
export async function udp (
  system: TunnelSystem, seconds: number, payloadBytes: number, rate: number
): Promise<Datagrams> {
  const { end } = await iperf(system, [
    '-u', '-b', String(rate), '-l', String(payloadBytes), '-t', String(seconds)])
  const sum = end.sum
  if (sum?.packets === undefined || sum.lost_packets === undefined) {
    throw new Error(`iperf3 over ${system.name} reports no datagrams`)
  }
  const receivedPerSecond = (sum.packets - sum.lost_packets) / sum.seconds
  return {
    receivedPerSecond, gbps: receivedPerSecond * payloadBytes * 8 / 1e9,
    lost: sum.lost_packets / sum.packets
  }
}

async function iperf (system: TunnelSystem, options: readonly string[]): Promise<IperfResult> {
  const { a, b } = system
  const server = new Background('ip', inside(b.namespace, ['iperf3', '-s', '-1', '--forceflush']))
  try {
    await server.printed('Server listening')
    const output = await command('ip', ...inside(a.namespace,
      ['iperf3', '-c', b.address, '-J', ...options]))
    return JSON.parse(output) as IperfResult
  } finally {
    await server.stop()
  }
}

async function floodPing ({ a, b }: TunnelSystem): Promise<number> {
  const output = await command('ip', ...inside(a.namespace,
    ['ping', '-q', '-f', '-c', String(FLOOD_PINGS), b.address]))
  const meanMs = /= [\d.]+\/([\d.]+)\//.exec(output)?.[1]
  return Number(meanMs) * 1000
}

/** CPU seconds that all cores have spent since boot, without idling and waiting for disks. */
function machineCpuSeconds (): number {
  const line = readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? ''
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0] =
    line.split(/ +/).slice(1).map(Number)
  return (user + nice + system + irq + softIrq) / TICKS_PER_SECOND
}
