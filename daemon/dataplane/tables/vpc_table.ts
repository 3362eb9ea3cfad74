/** VPCs of this host, by index and by VNI: what keeps equal addresses of two customers apart. */
import { MappingTable } from './mapping_table.ts'
import type { Mapping } from './mapping_table.ts'
import {
  GATEWAY_AT_HOST_INDEX, GATEWAY_AT_ID_HIGH, GATEWAY_AT_ID_LOW, GATEWAY_WORDS, PEER_AT_VPC_INDEX,
  PEER_WORDS
} from './update.ts'
import type { VpcData } from './update.ts'
import { WordTable } from './word_table.ts'

export interface Vpc {
  readonly vpcIndex: number
  readonly vni: number
  /** True when a miss in `mappings` is final. */
  readonly mappingsComplete: boolean
  /** [4] address of the resolver; zeros when the VPC has no DNS support. */
  readonly resolver: Uint32Array
  readonly mappings: MappingTable
  /** [n × PREFIX_WORDS] */
  readonly blocks: Uint32Array
  /** [n × PEER_WORDS] */
  readonly peers: Uint32Array
  /** [n × GATEWAY_WORDS] as int32 */
  readonly gateways: Int32Array
}

/**
 * Where a gateway of the VPC is served.
 * @returns word offset of the gateway in `vpc.gateways`; -1, with `found` untouched, when the VPC
 *   has none of that id
 */
export function findGateway (
  vpc: Vpc, idHigh: number, idLow: number, found: Mapping
): number {
  const { gateways } = vpc
  for (let at = 0; at < gateways.length; at += GATEWAY_WORDS) {
    if (gateways[at + GATEWAY_AT_ID_LOW] !== idLow ||
      gateways[at + GATEWAY_AT_ID_HIGH] !== idHigh) continue
    found.eniHigh = idHigh
    found.eniLow = idLow
    found.hostIndex = gateways[at + GATEWAY_AT_HOST_INDEX]
    found.subnetIndex = 0
    return at
  }
  return -1
}

export class VpcTable {
  readonly #vpcs: (Vpc | undefined)[] = []
  readonly #byVni = new WordTable(1, 1)
  /** [vpcIndex] VPCs that have it among their peers. */
  readonly #peeredBy: (Set<number> | undefined)[] = []

  get (vpcIndex: number): Vpc | undefined { return this.#vpcs[vpcIndex] }

  /** VPC index of a VNI, or 0. */
  findVni (vni: number): number {
    this.#byVni.key[0] = vni
    const at = this.#byVni.find()
    return at < 0 ? 0 : this.#byVni.words[at]
  }

  /** A VPC that is known keeps its mappings: shards come and go on their own. */
  set (data: VpcData): void {
    const known = this.#vpcs[data.vpcIndex]
    if (known !== undefined) this.#forget(known)
    this.#vpcs[data.vpcIndex] = {
      vpcIndex: data.vpcIndex,
      vni: data.vni,
      mappingsComplete: data.mappingsComplete,
      resolver: data.resolver,
      mappings: known?.mappings ?? new MappingTable(),
      blocks: data.blocks,
      peers: data.peers,
      gateways: Int32Array.from(data.gateways, (word) => word | 0)
    }
    this.#byVni.key[0] = data.vni
    const at = this.#byVni.findOrInsert()
    this.#byVni.words[at] = data.vpcIndex
    for (let peer = 0; peer < data.peers.length; peer += PEER_WORDS) {
      const peerIndex = data.peers[peer + PEER_AT_VPC_INDEX]
      const vpcs = this.#peeredBy[peerIndex] ??= new Set()
      vpcs.add(data.vpcIndex)
    }
  }

  remove (vpcIndex: number): void {
    const known = this.#vpcs[vpcIndex]
    if (known === undefined) return
    this.#forget(known)
    this.#vpcs[vpcIndex] = undefined
  }

  /** VPCs whose decisions depend on a VPC because they are peered with it. */
  peeredBy (vpcIndex: number): Iterable<number> { return this.#peeredBy[vpcIndex] ?? [] }

  #forget (vpc: Vpc): void {
    this.#byVni.key[0] = vpc.vni
    this.#byVni.delete()
    for (let peer = 0; peer < vpc.peers.length; peer += PEER_WORDS) {
      this.#peeredBy[vpc.peers[peer + PEER_AT_VPC_INDEX]]?.delete(vpc.vpcIndex)
    }
  }
}
