/** Security groups and network ACLs by index. */
import { RuleList } from './rule_list.ts'
import type { NetworkAclData, SecurityGroupData } from './update.ts'

/** What a group or an ACL says of packets that enter, and of those that leave. */
export interface Policy {
  readonly vpcIndex: number
  readonly inbound: RuleList
  readonly outbound: RuleList
}

export class PolicyTable {
  readonly #policies: (Policy | undefined)[] = []

  get (index: number): Policy | undefined { return this.#policies[index] }

  set (index: number, data: SecurityGroupData | NetworkAclData): void {
    this.#policies[index] = {
      vpcIndex: data.vpcIndex,
      inbound: new RuleList(data.inbound),
      outbound: new RuleList(data.outbound)
    }
  }

  remove (index: number): void { this.#policies[index] = undefined }
}
