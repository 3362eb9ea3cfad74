/**
 * Ports: the ENIs on this host, by the index that control gave them, and the NIC's numbers for
 * their devices. Struct of arrays: the fast path reads three words of it per packet.
 *
 * A port exists from its PortData on; its device may come earlier or later (`open-port`). Flows of
 * a port are kept under its flow port number (flow_table.ts), which follows the ENI and not the
 * index. A gateway that this host serves is a port, too, without a device and without flows.
 */
import { assert } from '../../base/assert.ts'
import { FRAME_PORTS } from '../../tun/descriptor.ts'
import type { PortData } from './update.ts'
import { WordTable } from './word_table.ts'

/** Port indices are 1..PORTS_MAX - 1. */
export const PORTS_MAX = 2048
/** VPC indices are below this. */
const VPCS_MAX = 4096
/** PORT_KIND_* are below this. */
const PORT_KINDS = 8
/** Devices of the NIC have numbers below this; those of their frames follow (tun/descriptor.ts). */
export const NIC_PORTS_MAX = FRAME_PORTS
/**
 * `flowPort` of a port whose flows are not kept, because the flow file has no room for more ENIs.
 */
export const FLOW_PORT_NONE = -1

export class PortTable {
  /** [PORTS_MAX] 1 while the index names an ENI. */
  readonly present = new Uint8Array(PORTS_MAX)
  readonly eniHigh = new Int32Array(PORTS_MAX)
  readonly eniLow = new Int32Array(PORTS_MAX)
  /** [PORTS_MAX] PORT_KIND_*. */
  readonly kind = new Uint8Array(PORTS_MAX)
  readonly vpcIndex = new Int32Array(PORTS_MAX)
  readonly subnetIndex = new Int32Array(PORTS_MAX)
  /** [PORTS_MAX] route table of a gateway; 0 = none. */
  readonly routeTableIndex = new Int32Array(PORTS_MAX)
  /** [PORTS_MAX] VNI of the port's VPC; 0 until the VPC is known. */
  readonly vni = new Int32Array(PORTS_MAX)
  /** [PORTS_MAX] 1 when the source/destination check is on. */
  readonly sourceDestCheck = new Uint8Array(PORTS_MAX)
  /** [PORTS_MAX] bytes */
  readonly mtu = new Int32Array(PORTS_MAX)
  /** [PORTS_MAX] generation of the port's VPC. */
  readonly generation = new Int32Array(PORTS_MAX)
  /** [PORTS_MAX] flow port number, or FLOW_PORT_NONE. */
  readonly flowPort = new Int32Array(PORTS_MAX).fill(FLOW_PORT_NONE)
  /** [PORTS_MAX] which ENI of those that had the index, 0..EPOCH_MASK (link_local_service.ts). */
  readonly epoch = new Uint8Array(PORTS_MAX)
  /** [PORTS_MAX] port of the NIC; 0 while the device is not open. */
  readonly nicPort = new Int32Array(PORTS_MAX)
  /** [PORTS_MAX] 1 when the device is a TAP: its guest asks for neighbors. */
  readonly isEthernet = new Uint8Array(PORTS_MAX)
  /**
   * [2 × NIC_PORTS_MAX] port index of each port of the NIC, and of PORT_TUNNEL; 0 = none, and for
   * all frames.
   */
  readonly portOfNic = new Int32Array(2 * NIC_PORTS_MAX)
  /** Highest index ever used, for walks. */
  indexMax = 0
  readonly #addresses: Uint32Array[] = []
  readonly #securityGroups: Uint32Array[] = []
  /** [PORT_KINDS × VPCS_MAX] */
  readonly #gateways = new Int32Array(PORT_KINDS * VPCS_MAX)
  #lastFound = 0
  readonly #byEni = new WordTable(2, 1)
  readonly #none = new Uint32Array(0)

  /**
   * Port of a VPC's gateway of one kind, or 0. A VPC has one of each at most.
   * @param kind PORT_KIND_INTERNET_GATEWAY or PORT_KIND_EGRESS_ONLY
   */
  gatewayOf (vpcIndex: number, kind: number): number {
    return this.#gateways[kind * VPCS_MAX + vpcIndex]
  }

  /** [n × PREFIX_WORDS] own addresses and delegated prefixes. */
  addresses (portIndex: number): Uint32Array {
    return this.#addresses[portIndex] ?? this.#none
  }

  /** Indices of its security groups. */
  securityGroups (portIndex: number): Uint32Array {
    return this.#securityGroups[portIndex] ?? this.#none
  }

  /**
   * Port index of an ENI, or 0. The last answer is kept: packets of a burst tend to have one
   * receiver.
   */
  findEni (eniHigh: number, eniLow: number): number {
    const last = this.#lastFound
    if (this.eniLow[last] === eniLow && this.eniHigh[last] === eniHigh &&
      this.present[last] !== 0) return last
    this.#byEni.key[0] = eniHigh
    this.#byEni.key[1] = eniLow
    const at = this.#byEni.find()
    if (at < 0) return 0
    this.#lastFound = this.#byEni.words[at]
    return this.#lastFound
  }

  set (data: PortData): void {
    const port = data.portIndex
    assertPortIndex(port)
    assert(data.kind < PORT_KINDS && data.vpcIndex < VPCS_MAX,
      `port ${String(port)}: kind ${String(data.kind)}, VPC index ${String(data.vpcIndex)}`)
    this.#lastFound = 0
    if (this.present[port] !== 0) this.#forgetEni(port)
    this.present[port] = 1
    this.eniHigh[port] = data.eniIdHigh
    this.eniLow[port] = data.eniIdLow
    this.kind[port] = data.kind
    this.vpcIndex[port] = data.vpcIndex
    this.subnetIndex[port] = data.subnetIndex
    this.routeTableIndex[port] = data.routeTableIndex
    this.sourceDestCheck[port] = data.sourceDestCheck ? 1 : 0
    this.mtu[port] = data.mtu
    this.#addresses[port] = data.addresses
    this.#securityGroups[port] = data.securityGroups
    this.#gateways[data.kind * VPCS_MAX + data.vpcIndex] = port
    if (port > this.indexMax) this.indexMax = port
    this.#byEni.key[0] = data.eniIdHigh
    this.#byEni.key[1] = data.eniIdLow
    const at = this.#byEni.findOrInsert()
    this.#byEni.words[at] = port
  }

  remove (port: number): void {
    assertPortIndex(port)
    if (this.present[port] === 0) return
    this.#forgetEni(port)
    this.present[port] = 0
    this.eniHigh[port] = 0
    this.eniLow[port] = 0
    this.vpcIndex[port] = 0
    this.kind[port] = 0
    this.subnetIndex[port] = 0
    this.routeTableIndex[port] = 0
    this.vni[port] = 0
    this.generation[port] = 0
    this.flowPort[port] = FLOW_PORT_NONE
    this.#addresses[port] = this.#none
    this.#securityGroups[port] = this.#none
  }

  /** The device of a port is open under a number of the NIC; 0 = closed. */
  setNicPort (port: number, nicPort: number, isEthernet = false): void {
    assertPortIndex(port)
    this.isEthernet[port] = isEthernet ? 1 : 0
    const old = this.nicPort[port]
    if (old !== 0) this.portOfNic[old] = 0
    this.nicPort[port] = nicPort
    if (nicPort !== 0) {
      assert(nicPort > 0 && nicPort < NIC_PORTS_MAX, `NIC port ${String(nicPort)} is out of range`)
      this.portOfNic[nicPort] = port
    }
  }

  #forgetEni (port: number): void {
    const gateway = this.kind[port] * VPCS_MAX + this.vpcIndex[port]
    if (this.#gateways[gateway] === port) this.#gateways[gateway] = 0
    this.#byEni.key[0] = this.eniHigh[port]
    this.#byEni.key[1] = this.eniLow[port]
    const at = this.#byEni.find()
    if (at >= 0 && this.#byEni.words[at] === port) this.#byEni.delete()
  }
}

function assertPortIndex (port: number): void {
  assert(port > 0 && port < PORTS_MAX,
    `port index ${String(port)} is not within 1..${String(PORTS_MAX - 1)}`)
}
