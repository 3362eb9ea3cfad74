/**
 * Public addresses, for edges alone: of every VPC with an internet gateway, which public address a
 * private one has; and the IPv6 blocks, also of a VPC with an egress-only one. One object, built
 * whole: so an address that moves is never of two owners, nor of none.
 */
import {
  PUBLIC_AT_PRIVATE, PUBLIC_AT_VPC_INDEX, PUBLIC_WORDS
} from '../dataplane/tables/update.ts'
import { addressPrefix, cidrPrefix } from '../mapping/prefix.ts'
import type { Prefix } from '../mapping/prefix.ts'
import { changesField } from '../model/commit_feed.ts'
import { publicAddressesOf } from '../model/public_address.ts'
import { isForEdge, NO_VPC } from './compiled_table.ts'
import type { CompiledTable } from './compiled_table.ts'

const ALL = 'all'

export const publicAddressTable: CompiledTable = {
  name: 'publicAddresses',

  note (change, context, mark) {
    if (!isForEdge(context)) return
    if (change.noun === 'internetGateway') {
      if (changesField<'internetGateway'>(change, ['vpcId'])) mark(ALL)
    } else if (change.noun === 'egressOnlyInternetGateway') {
      if (change.record === null || change.previous === null) mark(ALL)
    } else if (change.noun === 'vpc') {
      if (changesField<'vpc'>(change, ['ipv6CidrBlocks'])) mark(ALL)
    } else if (change.noun === 'address') {
      if (changesField<'address'>(change, ['networkInterfaceId', 'privateIpAddress'])) mark(ALL)
    } else if (change.noun === 'networkInterface') {
      // Most ENIs come and go without a public address.
      const before = change.previous?.autoPublicIp ?? null
      if (before !== (change.record?.autoPublicIp ?? null)) mark(ALL)
    }
  },

  keysOf (vpcId) {
    return vpcId === NO_VPC ? [ALL] : []
  },

  build (_key, context, draft) {
    if (!isForEdge(context)) return null
    const { snapshot, indexes } = context
    const rows: { readonly prefix: Prefix, readonly privateWord: number, vpcIndex: number }[] = []
    const withIpv6 = new Set<string>()
    for (const { vpcId } of snapshot.tables.egressOnlyInternetGateway.values()) withIpv6.add(vpcId)
    for (const { vpcId } of snapshot.tables.internetGateway.values()) {
      const vpcIndex = vpcId === null ? 0 : indexes.vpc.indexOf(vpcId)
      if (vpcId === null || vpcIndex === 0) continue
      withIpv6.add(vpcId)
      for (const { publicIp, privateIp } of publicAddressesOf(snapshot, vpcId)) {
        const privateWord = addressPrefix(privateIp).words[3] ?? 0
        rows.push({ prefix: addressPrefix(publicIp), privateWord, vpcIndex })
      }
    }
    for (const vpcId of withIpv6) {
      const vpcIndex = indexes.vpc.indexOf(vpcId)
      if (vpcIndex === 0) continue
      for (const { cidrBlock } of snapshot.tables.vpc.get(vpcId)?.ipv6CidrBlocks ?? []) {
        rows.push({ prefix: cidrPrefix(cidrBlock), privateWord: 0, vpcIndex })
      }
    }
    const entries = new Uint32Array(rows.length * PUBLIC_WORDS)
    rows.forEach(({ prefix, privateWord, vpcIndex }, index) => {
      const at = index * PUBLIC_WORDS
      entries.set([...prefix.words, prefix.length], at)
      entries[at + PUBLIC_AT_PRIVATE] = privateWord
      entries[at + PUBLIC_AT_VPC_INDEX] = vpcIndex
    })
    draft.publicAddresses.push({ entries })
    return NO_VPC
  },

  remove (_key, _context, draft) {
    draft.publicAddresses.push({ entries: new Uint32Array(0) })
  }
}
