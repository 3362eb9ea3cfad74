/**
 * Many hosts in one process: real compilers over one directory, and a real worker each where it is
 * wanted (daemon/dataplane/testing/lab.ts). Records are committed, compiled for every host, cloned
 * as a message port clones, and swapped in.
 *
 *     VPC v ── held by hosts h with h % GROUPS = v % GROUPS ── ENIs of one address, evenly
 */
import { HostCompiler } from '../../daemon/compile/host_compiler.ts'
import type { CompileCounters } from '../../daemon/compile/host_compiler.ts'
import {
  attached, newHost, newInstance, newInterface, newRouteTable, newSubnet, newVpc, World
} from '../../daemon/compile/test_world.ts'
import { Lab } from '../../daemon/dataplane/testing/lab.ts'
import type { ControlMessage } from '../../daemon/dataplane/tables/update.ts'
import { Directory } from '../../daemon/mapping/directory.ts'
import type { Instance } from '../../daemon/model/instance.ts'

/** Each VPC lives on one host of so many. */
const GROUPS = 5

const CLOCK = { nowMs: () => 0, monotonicMs: () => 0 }

export interface FleetOptions {
  readonly hosts: number
  readonly vpcs: number
  readonly enisPerVpc: number
  /** Besides the local one. */
  readonly routesPerVpc: number
  readonly withWorkers: boolean
}

interface FleetHost {
  readonly compiler: HostCompiler
  readonly lab: Lab | null
}

export class Fleet {
  readonly world = new World()
  readonly hosts: readonly FleetHost[]
  readonly #options: FleetOptions
  readonly #directory: Directory

  constructor (options: FleetOptions) {
    this.#options = options
    for (let host = 1; host <= options.hosts; host++) this.world.put('host', newHost(host))
    for (let vpc = 1; vpc <= options.vpcs; vpc++) this.#putVpc(vpc)
    this.world.commit()
    const { snapshot } = this.world
    this.#directory = new Directory(snapshot)
    this.hosts = Array.from({ length: options.hosts }, (_host, index) => {
      const compiler = new HostCompiler({
        hostName: newHost(index + 1).id, snapshot, directory: this.#directory, clock: CLOCK
      })
      const update = compiler.compileAll()
      const host = compiler.indexOfHost(compiler.hostName)
      const lab = options.withWorkers ? new Lab({ host, flowCapacity: 256 }) : null
      swap({ compiler, lab }, [update])
      return { compiler, lab }
    })
  }

  get routeCount (): number {
    return [...this.world.snapshot.tables.routeTable.values()]
      .reduce((sum, { routes }) => sum + routes.length, 0)
  }

  get mappingCount (): number {
    return [...this.world.snapshot.tables.networkInterface.values()]
      .reduce((sum, { privateIpAddresses }) => sum + privateIpAddresses.length, 0)
  }

  /** Commits what was put. @returns ms until the last host has it in its tables */
  commit (): number {
    const startMs = performance.now()
    const { revision, changes } = this.world.commit()
    this.#directory.apply(revision, changes)
    for (const host of this.hosts) {
      const update = host.compiler.compileChanges(revision, changes)
      const messages = [...host.compiler.takeCorrections(), ...update === null ? [] : [update]]
      if (messages.length > 0) swap(host, messages)
    }
    return performance.now() - startMs
  }

  /** An instance goes from its host to the next one that holds its VPC. */
  move (instance: Instance): void {
    const { hosts } = this.#options
    const at = Number(instance.hostName?.replace('host-', '')) - 1
    const next = (at + GROUPS) % (hosts - hosts % GROUPS)
    this.world.put('instance', { ...instance, hostName: newHost(next + 1).id })
  }

  /** Table objects built since the start, of all hosts, by table. */
  built (): CompileCounters['built'] {
    const sums = { ...this.hosts[0]!.compiler.counters.built }
    for (const { compiler } of this.hosts.slice(1)) {
      for (const [table, count] of Object.entries(compiler.counters.built)) {
        sums[table as keyof typeof sums] += count
      }
    }
    return sums
  }

  #putVpc (number: number): void {
    const { hosts, enisPerVpc, routesPerVpc } = this.#options
    const { world } = this
    const vpc = world.put('vpc', newVpc(number))
    const subnet = world.put('subnet', { ...newSubnet(number, vpc.id), cidrBlock: '10.0.0.0/16' })
    const table = newRouteTable(number, vpc.id)
    const routes = Array.from({ length: routesPerVpc }, (_route, index) => ({
      destination: `172.16.${String(index)}.0/24`, origin: 'CreateRoute' as const,
      target: { kind: 'network-interface' as const,
        networkInterfaceId: newInterface(number * enisPerVpc, subnet, '').id }
    }))
    world.put('routeTable', {
      ...table, routes: [...table.routes, ...routes],
      associations: [{ id: `rtbassoc-${String(number)}`, subnetId: null, gatewayId: null }]
    })
    const homes = Array.from({ length: hosts }, (_host, index) => index)
      .filter((host) => host % GROUPS === number % GROUPS)
    for (let index = 0; index < enisPerVpc; index++) {
      const eni = number * enisPerVpc + index
      // One ENI to a VPC: they go round the hosts by the VPC's number.
      const home = homes[(index + Math.floor(number / GROUPS)) % homes.length] ?? 0
      const instance = world.put('instance', newInstance(eni, subnet, newHost(home + 1).id))
      world.put('networkInterface',
        attached(newInterface(eni, subnet, addressOf(index)), instance.id))
    }
  }
}

/** Address number n of a VPC: 10.0.1.0 and on. */
function addressOf (n: number): string { return `10.0.${String(1 + (n >> 8))}.${String(n & 255)}` }

function swap ({ compiler, lab }: FleetHost, messages: readonly ControlMessage[]): void {
  if (lab === null) {
    for (const message of messages) {
      if (message.kind === 'tables') compiler.acknowledged(message.revision)
    }
    return
  }
  for (const message of messages) lab.toWorker.push(structuredClone(message))
  lab.pass()
  for (const message of lab.fromWorker.splice(0)) {
    if (message.kind === 'applied') compiler.acknowledged(message.revision)
  }
}
