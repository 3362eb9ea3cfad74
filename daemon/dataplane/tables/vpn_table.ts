/**
 * VPN tunnels as an edge knows them: which outside address is which gateway's and where it is
 * served, and by which tunnel a gateway reaches a prefix. A tunnel is named by its outside address,
 * an int32.
 *
 *     from the internet   outside address ──▶ gateway, edge, inside address
 *     to the customer     (gateway, destination) ──▶ outside address
 *
 * Only control fills it, with all there is at once: a prefix that moves from one tunnel to another
 * has one of them at any time.
 */
import { assert } from '../../base/assert.ts'
import { PREFIX_WORDS } from '../../wire/address.ts'
import { PrefixTrie } from './prefix_trie.ts'
import {
  VPN_ROUTE_AT_GATEWAY_HIGH, VPN_ROUTE_AT_GATEWAY_LOW, VPN_ROUTE_AT_PREFIX, VPN_ROUTE_AT_TUNNEL,
  VPN_ROUTE_WORDS, VPN_TUNNEL_AT_ADDRESS, VPN_TUNNEL_AT_GATEWAY_HIGH, VPN_TUNNEL_AT_GATEWAY_LOW,
  VPN_TUNNEL_AT_HOST_INDEX, VPN_TUNNEL_AT_INSIDE, VPN_TUNNEL_WORDS
} from './update.ts'
import type { VpnData } from './update.ts'
import { WordTable } from './word_table.ts'

interface GatewayRoutes {
  readonly trie: PrefixTrie
  /** Outside address of each prefix's tunnel. */
  readonly tunnels: Int32Array
}

export class VpnTable {
  /** What the last findTunnel has found: int32. */
  foundHostIndex = 0
  foundGatewayHigh = 0
  foundGatewayLow = 0
  foundInside = 0
  #tunnels = new WordTable(1, 4)
  #byGateway = new WordTable(2, 1)
  #routes: GatewayRoutes[] = []

  replace ({ tunnels, routes }: VpnData): void {
    assert(tunnels.length % VPN_TUNNEL_WORDS === 0 && routes.length % VPN_ROUTE_WORDS === 0,
      'tunnels and routes come in whole')
    this.#tunnels = new WordTable(1, 4)
    for (let at = 0; at < tunnels.length; at += VPN_TUNNEL_WORDS) {
      this.#tunnels.key[0] = tunnels[at + VPN_TUNNEL_AT_ADDRESS]
      const value = this.#tunnels.findOrInsert()
      const { words } = this.#tunnels
      words[value] = tunnels[at + VPN_TUNNEL_AT_HOST_INDEX]
      words[value + 1] = tunnels[at + VPN_TUNNEL_AT_GATEWAY_HIGH]
      words[value + 2] = tunnels[at + VPN_TUNNEL_AT_GATEWAY_LOW]
      words[value + 3] = tunnels[at + VPN_TUNNEL_AT_INSIDE]
    }
    this.#replaceRoutes(routes)
  }

  #replaceRoutes (routes: Uint32Array): void {
    this.#byGateway = new WordTable(2, 1)
    const lists: { readonly prefixes: number[], readonly tunnels: number[] }[] = []
    for (let at = 0; at < routes.length; at += VPN_ROUTE_WORDS) {
      this.#byGateway.key[0] = routes[at + VPN_ROUTE_AT_GATEWAY_HIGH]
      this.#byGateway.key[1] = routes[at + VPN_ROUTE_AT_GATEWAY_LOW]
      let value = this.#byGateway.find()
      if (value < 0) {
        value = this.#byGateway.findOrInsert()
        this.#byGateway.words[value] = lists.push({ prefixes: [], tunnels: [] }) - 1
      }
      const list = lists[this.#byGateway.words[value]]
      const prefixAt = at + VPN_ROUTE_AT_PREFIX
      list.prefixes.push(...routes.subarray(prefixAt, prefixAt + PREFIX_WORDS))
      list.tunnels.push(routes[at + VPN_ROUTE_AT_TUNNEL])
    }
    this.#routes = lists.map(({ prefixes, tunnels }) => ({
      trie: new PrefixTrie(Uint32Array.from(prefixes)), tunnels: Int32Array.from(tunnels)
    }))
  }

  /** Finds whose tunnel has an outside address. @param address int32 */
  findTunnel (address: number): boolean {
    const table = this.#tunnels
    table.key[0] = address
    const at = table.find()
    if (at < 0) return false
    this.foundHostIndex = table.words[at]
    this.foundGatewayHigh = table.words[at + 1]
    this.foundGatewayLow = table.words[at + 2]
    this.foundInside = table.words[at + 3]
    return true
  }

  /** The tunnel by which a gateway reaches an IPv4 destination; 0 when it knows none. */
  findRoute (gatewayHigh: number, gatewayLow: number,
    w0: number, w1: number, w2: number, w3: number): number {
    const table = this.#byGateway
    table.key[0] = gatewayHigh
    table.key[1] = gatewayLow
    const at = table.find()
    if (at < 0) return 0
    const { trie, tunnels } = this.#routes[table.words[at]]
    const route = trie.find(w0, w1, w2, w3)
    return route < 0 ? 0 : tunnels[route]
  }
}
