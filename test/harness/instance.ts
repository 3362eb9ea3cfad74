/** One running instance as tests see it: addresses, ENI, and programs inside its namespace. */
import type { Instance as InstanceDescription } from '@aws-sdk/client-ec2'
import { namespaceName } from '../../daemon/host/paths.ts'
import { Background, type CommandResult, inside, tryCommand } from './command.ts'

/** What `ping -q` counted. */
export interface PingResult { readonly sent: number, readonly received: number }

export class Instance {
  readonly id: string
  /** Id of the primary ENI. */
  readonly eni: string
  /** Primary private IPv4 address. */
  readonly ipv4: string
  /** First IPv6 address, or empty. */
  readonly ipv6: string
  readonly namespace: string
  readonly description: InstanceDescription

  constructor (lab: string, description: InstanceDescription) {
    const primary = description.NetworkInterfaces?.[0]
    this.description = description
    this.id = description.InstanceId ?? ''
    this.eni = primary?.NetworkInterfaceId ?? ''
    this.ipv4 = description.PrivateIpAddress ?? ''
    this.ipv6 = primary?.Ipv6Addresses?.[0]?.Ipv6Address ?? ''
    this.namespace = namespaceName(lab, this.id)
  }

  /** Runs a program inside to its end, however it ends. */
  try (program: string, ...args: readonly string[]): Promise<CommandResult> {
    return tryCommand('ip', inside(this.namespace, [program, ...args]))
  }

  /** Runs a program inside that must end with code 0. @returns its standard output */
  async exec (program: string, ...args: readonly string[]): Promise<string> {
    const result = await this.try(program, ...args)
    if (result.code !== 0) {
      throw new Error(`In ${this.id}: "${[program, ...args].join(' ')}" ended with code ` +
        `${String(result.code)}:\n${result.stderr}${result.stdout}`)
    }
    return result.stdout
  }

  /** Starts a program inside that runs beside the test. */
  start (program: string, ...args: readonly string[]): Background {
    return new Background('ip', inside(this.namespace, [program, ...args]))
  }

  /**
   * Pings an address, `count` times. The interval is also how long ping waits for the last answer
   * when there was one before (iputils: two round trips, at least an interval; else `-W`).
   */
  async ping (address: string, count = 5, ...options: readonly string[]): Promise<PingResult> {
    const { stdout } = await this.try(
      'ping', '-q', '-n', '-i', '0.1', '-W', '1', '-c', String(count), ...options, address)
    return parsePing(stdout)
  }

  /** Starts `iperf3 -s` inside for one client and waits until it listens. */
  async iperfServer (...options: readonly string[]): Promise<Background> {
    const server = this.start('iperf3', '-s', '-1', '--forceflush', ...options)
    await server.printed('Server listening')
    return server
  }
}

/** Reads the two numbers of ping's closing line. */
export function parsePing (output: string): PingResult {
  const match = /(\d+) packets transmitted, (\d+) received/.exec(output)
  return { sent: Number(match?.[1] ?? 0), received: Number(match?.[2] ?? 0) }
}
