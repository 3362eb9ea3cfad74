/**
 * `vpcctl network-acl …`. AWS VPC User Guide, "Control subnet traffic with network access control
 * lists".
 *
 * A rule has no id: direction and number name it. A subnet always has exactly one network ACL, so
 * that `associate` replaces and there is no way to take one away.
 */
import type { NetworkAcl, NetworkAclEntry } from '@aws-sdk/client-ec2'
import {
  type Command, type CommandOption, defineCommand, type Input, parseInteger, TAG_OPTIONS
} from '../command.ts'
import type { Ec2Client } from '../ec2_client.ts'
import type { QueryInput } from '../ec2_query.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'
import {
  inVpc, nameOf, NETWORK_ACL, resolveId, SUBNET, tagSpecification, VPC
} from '../resolve.ts'
import { portInput } from './security_group.ts'

/** Numbers that people write as words. Source: IANA, "Assigned Internet Protocol Numbers". */
const PROTOCOLS: Readonly<Record<string, string>> = {
  all: '-1', icmp: '1', tcp: '6', udp: '17', icmpv6: '58'
}
/** From this number on stand the final rules, printed as `*`, which nobody can change. */
const FINAL_RULE_MIN = 32_767

const COLUMNS: readonly Column<NetworkAcl>[] = [
  { header: 'network acl', value: (acl) => acl.NetworkAclId ?? '' },
  { header: 'name', value: nameOf, shrinks: true },
  { header: 'vpc', value: (acl) => acl.VpcId ?? '', hides: true },
  { header: 'default', value: (acl) => acl.IsDefault === true ? 'yes' : 'no', hides: true },
  { header: 'subnets', value: subnetIds, shrinks: true },
  { header: 'rules', value: (acl) => String(acl.Entries?.length ?? 0), align: 'right' }
]

const RULE_COLUMNS: readonly Column<NetworkAclEntry>[] = [
  { header: 'direction', value: (rule) => rule.Egress === true ? 'egress' : 'ingress' },
  { header: 'rule', value: ruleNumber, align: 'right' },
  { header: 'action', value: (rule) => rule.RuleAction ?? '' },
  { header: 'protocol', value: (rule) => protocolName(rule.Protocol ?? '') },
  { header: 'ports', value: portsOf },
  { header: 'peers', value: (rule) => rule.CidrBlock ?? rule.Ipv6CidrBlock ?? '' }
]

const ACL_ARGUMENT = { syntax: '<network-acl>', description: 'id or Name tag' }
const DIRECTION_ARGUMENT = {
  syntax: '<direction>', description: 'way of the packets', values: ['ingress', 'egress']
}
const NUMBER_ARGUMENT = { syntax: '<number>', description: 'of the rule, 1 to 32766: lower first' }
const ACTION_ARGUMENT = {
  syntax: '<action>', description: 'what happens to them', values: ['allow', 'deny']
}

const RULE_OPTIONS: readonly CommandOption[] = [
  {
    flags: '--protocol <protocol>',
    description: 'tcp, udp, icmp, icmpv6, a number, or all (default: all)'
  },
  { flags: '--port <port>', description: 'a port or a range, 80 or 1024-65535' },
  { flags: '--icmp <type>', description: 'ICMP type, or type:code (default: all)' },
  { flags: '--cidr <cidr>', description: 'IPv4 or IPv6 block of the peers', required: true }
]

export const networkAclCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Create a network ACL, which denies everything until it has rules',
    action: 'CreateNetworkAcl',
    arguments: [{ syntax: '<vpc>', description: 'id or Name tag' }],
    options: TAG_OPTIONS,
    examples: ['vpcctl network-acl create web --name edge'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const { NetworkAcl: acl } = await ec2.call('CreateNetworkAcl', {
        VpcId: await resolveId(ec2, VPC, input.argument('vpc')),
        ...tagSpecification('network-acl', input.tags())
      })
      context.output.row(acl ?? {}, COLUMNS, ({ NetworkAclId }) => NetworkAclId)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List network ACLs',
    action: 'DescribeNetworkAcls',
    options: [{ flags: '--vpc <vpc>', description: 'of one VPC: id or Name tag' }],
    examples: ['vpcctl network-acl list --vpc web'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const filter = await inVpc(ec2, input.text('vpc'))
      const acls = await ec2.all('DescribeNetworkAcls', filter, (page) => page.NetworkAcls)
      context.output.rows(acls, COLUMNS, ({ NetworkAclId }) => NetworkAclId)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show the rules of a network ACL in the order they are tried',
    action: 'DescribeNetworkAcls',
    arguments: [ACL_ARGUMENT],
    examples: ['vpcctl network-acl show edge'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, NETWORK_ACL, input.argument('network-acl'))
      const { NetworkAcls: acls } = await ec2.call('DescribeNetworkAcls', { NetworkAclId: [id] })
      const acl = acls?.[0] ?? {}
      if (context.output.form !== 'human') context.output.tree(acl, id)
      else context.output.rows(acl.Entries ?? [], RULE_COLUMNS, () => id)
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete a network ACL that no subnet uses',
    action: 'DeleteNetworkAcl',
    arguments: [ACL_ARGUMENT],
    examples: ['vpcctl network-acl delete edge'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, NETWORK_ACL, input.argument('network-acl'))
      await ec2.call('DeleteNetworkAcl', { NetworkAclId: id })
      context.output.done(`Deleted ${id}.`, { NetworkAclId: id })
    }
  }),
  ruleCommand('add-rule', 'Add a rule', 'Added', 'CreateNetworkAclEntry'),
  ruleCommand('replace-rule', 'Replace the rule of a number', 'Replaced', 'ReplaceNetworkAclEntry'),
  defineCommand({
    name: 'delete-rule',
    summary: 'Delete a rule',
    action: 'DeleteNetworkAclEntry',
    arguments: [ACL_ARGUMENT, DIRECTION_ARGUMENT, NUMBER_ARGUMENT],
    examples: ['vpcctl network-acl delete-rule edge ingress 100'],
    async run (context, input) {
      const rule = ruleName(input)
      const ec2 = await context.ec2()
      const NetworkAclId = await resolveId(ec2, NETWORK_ACL, input.argument('network-acl'))
      await ec2.call('DeleteNetworkAclEntry', { NetworkAclId, ...rule })
      context.output.done(`Deleted ${input.argument('direction')} rule ` +
        `${String(rule.RuleNumber)} of ${NetworkAclId}.`, { NetworkAclId, ...rule })
    }
  }),
  defineCommand({
    name: 'associate',
    summary: 'Let a subnet use a network ACL instead of the one it uses',
    action: 'ReplaceNetworkAclAssociation',
    arguments: [ACL_ARGUMENT, { syntax: '<subnet>', description: 'id or Name tag' }],
    examples: ['vpcctl network-acl associate edge front'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const [NetworkAclId, SubnetId] = await Promise.all([
        resolveId(ec2, NETWORK_ACL, input.argument('network-acl')),
        resolveId(ec2, SUBNET, input.argument('subnet'))])
      const { NewAssociationId: AssociationId } = await ec2.call('ReplaceNetworkAclAssociation',
        { AssociationId: await associationOf(ec2, SubnetId), NetworkAclId })
      context.output.done(`Associated ${SubnetId} with ${NetworkAclId} (${AssociationId ?? ''}).`,
        { NetworkAclId, SubnetId, AssociationId })
    }
  })
]

/** Adding and replacing take the same words. */
function ruleCommand (name: string, summary: string, done: string,
  action: 'CreateNetworkAclEntry' | 'ReplaceNetworkAclEntry'): Command {
  return {
    name,
    summary,
    action,
    arguments: [ACL_ARGUMENT, DIRECTION_ARGUMENT, NUMBER_ARGUMENT, ACTION_ARGUMENT],
    options: RULE_OPTIONS,
    examples: [
      `vpcctl network-acl ${name} edge ingress 100 allow --protocol tcp --port 80 --cidr 0.0.0.0/0`,
      `vpcctl network-acl ${name} edge egress 200 deny --cidr 2001:db8::/32`
    ],
    async run (context, input) {
      const rule = { ...ruleName(input), ...ruleInput(input) }
      const ec2 = await context.ec2()
      const NetworkAclId = await resolveId(ec2, NETWORK_ACL, input.argument('network-acl'))
      await ec2.call(action, { NetworkAclId, ...rule })
      context.output.done(`${done} ${input.argument('direction')} rule ` +
        `${String(rule.RuleNumber)} of ${NetworkAclId}.`, { NetworkAclId, ...rule })
    }
  }
}

function ruleName (input: Input): { RuleNumber: number, Egress: boolean } {
  return {
    RuleNumber: parseInteger('<number>', input.argument('number'), 1, FINAL_RULE_MIN - 1),
    Egress: input.argument('direction') === 'egress'
  }
}

function ruleInput (input: Input): QueryInput {
  const cidr = input.needed('cidr')
  const protocol = input.text('protocol') ?? 'all'
  const isIcmp = protocol === 'icmp' || protocol === 'icmpv6'
  const { FromPort: From, ToPort: To } = isIcmp ? {} : portInput(protocol, input.text('port'))
  return {
    RuleAction: input.argument('action'),
    Protocol: PROTOCOLS[protocol] ?? protocol,
    ...cidr.includes(':') ? { Ipv6CidrBlock: cidr } : { CidrBlock: cidr },
    PortRange: From === undefined ? undefined : { From, To },
    Icmp: isIcmp ? icmpInput(input.text('icmp')) : undefined
  }
}

/** `8`, `8:0`, or nothing for every type; -1 is EC2's "any". */
function icmpInput (text: string | undefined): QueryInput {
  if (text === undefined) return { Type: -1, Code: -1 }
  const [, type, code] = /^(\d+)(?::(\d+))?$/.exec(text) ?? []
  if (type === undefined) throw usageError(`--icmp is a type or type:code, 8 or 8:0, not "${text}"`)
  return { Type: Number(type), Code: code === undefined ? -1 : Number(code) }
}

async function associationOf (ec2: Ec2Client, subnetId: string): Promise<string> {
  const acls = await ec2.all('DescribeNetworkAcls',
    { Filter: [{ Name: 'association.subnet-id', Value: [subnetId] }] }, (page) => page.NetworkAcls)
  const id = acls.flatMap((acl) => acl.Associations ?? [])
    .find((association) => association.SubnetId === subnetId)?.NetworkAclAssociationId
  if (id === undefined) throw new CtlError('NameNotFound', `There is no subnet ${subnetId}`)
  return id
}

function subnetIds (acl: NetworkAcl): string {
  return (acl.Associations ?? []).flatMap(({ SubnetId }) => SubnetId ?? []).join(',')
}

function ruleNumber ({ RuleNumber: number = 0 }: NetworkAclEntry): string {
  return number >= FINAL_RULE_MIN ? '*' : String(number)
}

function protocolName (number: string): string {
  return Object.keys(PROTOCOLS).find((name) => PROTOCOLS[name] === number) ?? number
}

function portsOf ({ PortRange: ports, IcmpTypeCode: icmp }: NetworkAclEntry): string {
  if (ports?.From !== undefined) {
    const [from, to] = [String(ports.From), String(ports.To)]
    return to === from ? from : `${from}-${to}`
  }
  if (icmp?.Type === undefined || icmp.Type === -1) return 'all'
  return icmp.Code === undefined || icmp.Code === -1
    ? `type ${String(icmp.Type)}`
    : `type ${String(icmp.Type)} code ${String(icmp.Code)}`
}
