/** Network ACLs of the VPCs that the host holds: their entries by rule number. */
import { changesField } from '../model/commit_feed.ts'
import { NETWORK_ACL_PROTOCOL_ALL } from '../model/network_acl.ts'
import type { NetworkAcl, NetworkAclEntry } from '../model/network_acl.ts'
import { heldVpcIndex } from './compiled_table.ts'
import type { CompiledTable } from './compiled_table.ts'
import { packRules } from './rules.ts'
import type { Rule } from './rules.ts'

const ICMP_ANY = -1

export const networkAclTable: CompiledTable = {
  name: 'networkAcls',

  note (change, _context, mark) {
    if (change.noun !== 'networkAcl') return
    if (changesField<'networkAcl'>(change, ['entries'])) mark(change.id)
  },

  keysOf (vpcId, { snapshot }) {
    return snapshot.tables.networkAcl.by('vpcId', vpcId).map((acl) => acl.id)
  },

  build (key, context, draft) {
    const { snapshot, indexes } = context
    const acl = snapshot.tables.networkAcl.get(key)
    if (acl === undefined || heldVpcIndex(acl.vpcId, context) === 0) return null
    const networkAclIndex = indexes.networkAcl.ensure(key)
    if (networkAclIndex === 0) return null
    draft.networkAcls.push({
      networkAclIndex,
      vpcIndex: indexes.vpc.indexOf(acl.vpcId),
      inbound: packRules(compiledAclRules(acl, false)),
      outbound: packRules(compiledAclRules(acl, true))
    })
    return acl.vpcId
  },

  remove (key, { indexes, revision }, draft) {
    draft.removedNetworkAcls.push(indexes.networkAcl.retire(key, revision))
  }
}

/** Entries of one direction in the order in which the data plane has them. */
export function compiledAclRules (acl: NetworkAcl, isEgress: boolean): Rule[] {
  return acl.entries.filter((entry) => entry.isEgress === isEgress)
    .toSorted((a, b) => a.ruleNumber - b.ruleNumber).map(ruleOf)
}

function ruleOf (entry: NetworkAclEntry): Rule {
  return {
    source: String(entry.ruleNumber),
    protocol: entry.protocol === NETWORK_ACL_PROTOCOL_ALL ? null : entry.protocol,
    from: entry.portFrom ?? icmpValue(entry.icmpType),
    to: entry.portTo ?? icmpValue(entry.icmpCode),
    allows: entry.action === 'allow',
    cidr: entry.cidrBlock ?? entry.ipv6CidrBlock,
    group: 0
  }
}

function icmpValue (value: number | null): number | null {
  return value === ICMP_ANY ? null : value
}
