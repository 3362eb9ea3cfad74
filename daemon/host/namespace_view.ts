/**
 * What is in a namespace: links, addresses, routes and rules as `ip -j` reports them, reduced to
 * the fields that a plan compares. One look costs one process for all four, and another one where
 * there are rules, the one list that `ip` prints for one family only.
 *
 *     ip -n NAME -j -batch -          ip -n NAME -6 -j -batch -
 *       addr show                       rule show
 *       route show table all
 *       rule show
 */
import { existsSync } from 'node:fs'
import { runIpBatch } from './command.ts'
import { namespacePath } from './paths.ts'

export interface AddressView {
  readonly address: string
  readonly prefixLength: number
}

export interface LinkView {
  readonly name: string
  /** `ether`, `none` (a TUN), `loopback`. */
  readonly linkType: string
  /** Empty for a link without one. */
  readonly macAddress: string
  readonly up: boolean
  readonly mtu: number
  /** Name of the bridge the link is a port of; empty for none. */
  readonly bridge: string
  readonly addresses: readonly AddressView[]
}

export interface RouteView {
  /** `default` or a CIDR. */
  readonly destination: string
  /** Empty for a route without a next hop address. */
  readonly gateway: string
  readonly device: string
  /** `main` is 254. */
  readonly table: number
  readonly metric: number
}

export interface RuleView {
  /** Address or CIDR that `from` names. */
  readonly source: string
  readonly table: number
}

export interface NamespaceView {
  readonly links: readonly LinkView[]
  readonly routes: readonly RouteView[]
  readonly rules: readonly RuleView[]
}

/** Lines of `ip -j -batch` whose output `parseNamespaceView` reads. */
export const LOOK = ['addr show', 'route show table all', 'rule show']
export const TABLE_MAIN = 254
/** Tables that every namespace has rules for. */
const PLAIN_TABLES: readonly number[] = [253, 254, 255]
const TABLE_NUMBERS: Readonly<Record<string, number>> = {
  default: 253, main: TABLE_MAIN, local: 255
}

interface IpLink {
  ifname: string
  link_type: string
  address?: string
  flags: string[]
  mtu: number
  master?: string
  addr_info?: { local?: string, prefixlen: number, scope: string }[]
}

interface IpRoute { dst: string, gateway?: string, dev?: string, table?: string, metric?: number }

interface IpRule { src: string, srclen?: number, table?: string }

/** A namespace that has just been made. */
export const EMPTY_NAMESPACE: NamespaceView = { links: [], routes: [], rules: [] }

/**
 * Looks into a namespace.
 * @param ipv6Rules whether there may be IPv6 rules of ours; they take a process of their own
 * @returns null when there is no namespace of that name
 * @throws VpclabError VPCLAB_ERR_COMMAND, also when the name exists but is no namespace any more
 */
export async function viewNamespace (
  namespace: string, ipv6Rules = false
): Promise<NamespaceView | null> {
  if (!existsSync(namespacePath(namespace))) return null
  const view = parseNamespaceView(await runIpBatch(namespace, LOOK, ['-j']))
  if (!ipv6Rules && view.rules.every((rule) => PLAIN_TABLES.includes(rule.table))) return view
  const text = await runIpBatch(namespace, ['rule show'], ['-6', '-j'])
  return { ...view, rules: [...view.rules, ...parseRules(text)] }
}

/** @param text output of the three lines above, one JSON array per line */
export function parseNamespaceView (text: string): NamespaceView {
  const [links = [], routes = [], rules = []] = parseArrays(text)
  return {
    links: (links as IpLink[]).map(linkView),
    routes: (routes as IpRoute[]).map(routeView),
    rules: (rules as IpRule[]).map(ruleView)
  }
}

/** @param text output of `ip -6 -j rule show` */
export function parseRules (text: string): RuleView[] {
  const [rules = []] = parseArrays(text)
  return (rules as IpRule[]).map(ruleView)
}

/** `ip` prints one array per command of a batch, each on a line of its own. */
function parseArrays (text: string): unknown[][] {
  return text.split('\n').filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as unknown[])
}

function linkView (link: IpLink): LinkView {
  return {
    name: link.ifname,
    linkType: link.link_type,
    macAddress: link.address ?? '',
    up: link.flags.includes('UP'),
    mtu: link.mtu,
    bridge: link.master ?? '',
    addresses: (link.addr_info ?? [])
      .filter((info) => info.scope === 'global' && info.local !== undefined)
      .map((info) => ({ address: info.local ?? '', prefixLength: info.prefixlen }))
  }
}

function routeView (route: IpRoute): RouteView {
  return {
    destination: route.dst,
    gateway: route.gateway ?? '',
    device: route.dev ?? '',
    table: tableNumber(route.table),
    metric: route.metric ?? 0
  }
}

function ruleView (rule: IpRule): RuleView {
  return {
    source: rule.srclen === undefined ? rule.src : `${rule.src}/${String(rule.srclen)}`,
    table: tableNumber(rule.table)
  }
}

function tableNumber (name: string | undefined): number {
  if (name === undefined) return TABLE_MAIN
  return TABLE_NUMBERS[name] ?? Number(name)
}
