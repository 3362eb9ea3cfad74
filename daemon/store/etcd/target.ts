/** Where an etcd is, how it is reached, and under which keys a lab stands there. */
import { VpclabError } from '../../base/errors.ts'

const PORT_DEFAULT = 2379

export interface EtcdTarget {
  /** `host:port` of each member. */
  readonly members: readonly string[]
  /** Begins every key: `/vpclab/<lab>/`. */
  readonly prefix: string
  /** PEM files; null without TLS. */
  readonly tls: { readonly ca: string, readonly cert: string | null, readonly key: string | null }
    | null
}

/**
 * Reads `etcd://host[:port][,host[:port]…][/prefix][?ca=FILE[&cert=FILE&key=FILE]]`.
 * @param lab names the prefix when the address has none
 * @throws VpclabError VPCLAB_ERR_CONFIG
 */
export function parseEtcdTarget (address: string, lab: string): EtcdTarget {
  const match = /^etcd:\/\/([^/?]+)(\/[^?]*)?(?:\?(.*))?$/.exec(address)
  const [, authority = '', path = '', query = ''] = match ?? []
  const members = authority.split(',')
    .map((member) => /:\d+$/.test(member) ? member : `${member}:${String(PORT_DEFAULT)}`)
  const parameters = new URLSearchParams(query)
  const unknown = [...parameters.keys()].find((name) => !['ca', 'cert', 'key'].includes(name))
  const [ca, cert, key] = ['ca', 'cert', 'key'].map((name) => parameters.get(name))
  const fault = match === null || authority === ''
    ? 'it is etcd://HOST:PORT[,HOST:PORT…][/PREFIX][?ca=FILE&cert=FILE&key=FILE]'
    : unknown !== undefined ? `"${unknown}" is none of ca, cert, key`
      : (cert === null) !== (key === null) || cert !== null && ca === null
          ? 'a certificate needs its key, and the authority that signed the members\''
          : null
  if (fault !== null) {
    throw new VpclabError('VPCLAB_ERR_CONFIG', `"${address}" is no address of an etcd: ${fault}`)
  }
  const prefix = path === '' || path === '/' ? `/vpclab/${lab}/` : `${path.replace(/\/+$/, '')}/`
  return {
    members, prefix,
    tls: ca === null || ca === undefined ? null : { ca, cert: cert ?? null, key: key ?? null }
  }
}
