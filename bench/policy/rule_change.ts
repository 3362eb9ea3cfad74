/**
 * How soon a rule is in force everywhere: a lab of two hosts, instances spread over both, all in
 * one group whose rules name the group itself. Each change adds or removes such a rule and ends
 * when every agent has acknowledged the tables.
 *
 *     call ──▶ commit ──▶ compile, each host ──▶ worker swaps tables ──▶ applied
 *     └─────────────────────────── ruleChangeMs ──────────────────────────────┘
 *
 * `ruleChangeApiMs` is the call alone: request, checks, commit, answer. Agents begin at the commit.
 */
import * as ec2 from '@aws-sdk/client-ec2'
import { Lab } from '../../test/harness/lab.ts'
import type { TestVpc } from '../../test/harness/lab.ts'
import { median } from '../statistics.ts'

export interface RuleChangeOptions { readonly enis: number, readonly changes: number }

export interface RuleChanges {
  readonly ruleChangeMs: number
  readonly ruleChangeP99Ms: number
  readonly ruleChangeApiMs: number
}

const HOSTS = ['host-1', 'host-2']
const RULE_PORT = 8080
/** Even: the rule is gone again. */
const WARM_UP_CHANGES = 6

export async function measureRuleChanges (
  { enis, changes }: RuleChangeOptions): Promise<RuleChanges> {
  const lab = await Lab.start()
  try {
    const vpc = await lab.vpc('10.0.0.0/16')
    const subnet = await lab.subnet(vpc, '10.0.0.0/20')
    for (const host of HOSTS) await lab.instances(subnet, { host, count: enis / HOSTS.length })
    const group = await defaultGroup(lab, vpc)
    const callMs: number[] = []
    const appliedMs: number[] = []
    for (let number = 0; number < WARM_UP_CHANGES; number++) {
      await change(lab, group, isAdded(number))
    }
    await lab.waitApplied()
    for (let number = 0; number < changes; number++) {
      const startMs = performance.now()
      await change(lab, group, isAdded(number))
      callMs.push(performance.now() - startMs)
      await lab.waitApplied()
      appliedMs.push(performance.now() - startMs)
    }
    return {
      ruleChangeMs: median(appliedMs),
      ruleChangeP99Ms: appliedMs.toSorted((a, b) => a - b)[Math.ceil(changes * 0.99) - 1]!,
      ruleChangeApiMs: median(callMs)
    }
  } finally {
    const left = await lab.down()
    if (left.length > 0) console.error(`The lab left behind: ${left.join(', ')}`)
  }
}

/** The group that every ENI has from its launch. */
async function defaultGroup (lab: Lab, vpc: TestVpc): Promise<string> {
  const { SecurityGroups = [] } = await lab.ec2.send(new ec2.DescribeSecurityGroupsCommand({
    Filters: [{ Name: 'vpc-id', Values: [vpc.id] }, { Name: 'group-name', Values: ['default'] }]
  }))
  return SecurityGroups[0]?.GroupId ?? ''
}

/** Changes add the rule and remove it, in turn. */
const isAdded = (number: number): boolean => number % 2 === 0

async function change (lab: Lab, group: string, adds: boolean): Promise<void> {
  const rule = {
    GroupId: group,
    IpPermissions: [{
      IpProtocol: 'tcp', FromPort: RULE_PORT, ToPort: RULE_PORT,
      UserIdGroupPairs: [{ GroupId: group }]
    }]
  }
  if (adds) await lab.ec2.send(new ec2.AuthorizeSecurityGroupIngressCommand(rule))
  else await lab.ec2.send(new ec2.RevokeSecurityGroupIngressCommand(rule))
}
