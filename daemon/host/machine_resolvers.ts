/**
 * The machine's own resolvers, which a lab with `--uplink real` asks what it does not know itself:
 * the `nameserver` lines of resolv.conf(5).
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'

/** Names another file than the system's, such as the one behind a stub resolver's. */
export const RESOLV_CONF_VARIABLE = 'VPCLAB_RESOLV_CONF'
const RESOLV_CONF = '/etc/resolv.conf'
/** As many as the C library takes (MAXNS). */
const RESOLVERS_MAX = 3

/**
 * Addresses in the text of a resolv.conf, in order, all of the family of the first one: one socket
 * asks them. Those with a zone index are left out.
 */
export function resolversIn (text: string): string[] {
  const found = text.split('\n').flatMap((line) => {
    const address = /^nameserver\s+(\S+)/.exec(line)?.[1] ?? ''
    return isIP(address) === 0 || address.includes('%') ? [] : [address]
  })
  return found.filter((address) => isIP(address) === isIP(found[0] ?? '')).slice(0, RESOLVERS_MAX)
}

/** @returns none where the machine has no such file */
export function machineResolvers (path = RESOLV_CONF): string[] {
  try {
    return resolversIn(readFileSync(path, 'utf8'))
  } catch {
    return []
  }
}
