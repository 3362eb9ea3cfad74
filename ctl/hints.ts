/**
 * What to do about a refusal: one table, from the code of an error to a hint that stands beneath
 * its message. A hint names a command line that helps; it is no second message.
 *
 *     vpcctl: DependencyViolation: The vpc 'vpc-1' has dependencies and cannot be deleted: …
 *       hint: do first:
 *         vpcctl instance terminate i-1 (web)
 *         vpcctl subnet delete subnet-1 (front)
 *
 * Some hints look at the lab. Nothing that goes wrong there is told: the error itself was.
 */
import { readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { stateDirectory } from '../daemon/host/paths.ts'
import { AdminClient } from './admin_client.ts'
import type { Context } from './context.ts'
import type { Ec2Client } from './ec2_client.ts'
import type { CtlError } from './exit_codes.ts'
import {
  type Filter, INSTANCE, INTERNET_GATEWAY, type Nameable, NameNotFound, NAT_GATEWAY, NETWORK_ACL,
  NETWORK_INTERFACE, ROUTE_TABLE, SECURITY_GROUP, SUBNET
} from './resolve.ts'

type HintFinder = (failure: CtlError, context: Context) => Promise<string | undefined>

/** Commands that one hint names. */
const COMMANDS_MAX = 8
/** Names that one hint offers instead of one that nothing has. */
const NAMES_MAX = 5
/** Letters that may differ between two names which are near each other. */
const DISTANCE_MAX = 2

const QUOTA_HINT = '"vpcctl quota list" shows the quotas; "vpcctl lab stop" and then ' +
  '"vpcctl lab up --quota <name>=<value>" change one'
const IDS_HINT = 'an id is a prefix and 17 hexadecimal digits; the Name tag will do as well'

/** Hints that are the same whenever the code comes. Tested: every command line in them is one. */
export const FIXED_HINTS: Readonly<Record<string, string>> = {
  AttachmentLimitExceeded: '"vpcctl instance-type list" shows how many ENIs each type takes',
  CannotDelete: 'the default of a VPC is deleted with it: "vpcctl vpc delete <vpc>"',
  DefaultVpcDoesNotExist: '"vpcctl vpc create --default" makes it',
  'Gateway.NotAttached': '"vpcctl igw list" shows the internet gateways and their VPCs, ' +
    '"vpcctl igw attach <igw> <vpc>" attaches one',
  HostedZoneNotEmpty: '"vpcctl hosted-zone records <zone>" shows what is in it, ' +
    '"vpcctl hosted-zone delete-record" deletes that',
  IncorrectInstanceState: '"vpcctl instance list" shows the states, "vpcctl instance start" and ' +
    '"vpcctl instance stop" change them, "vpcctl wait instance" waits',
  InsufficientFreeAddressesInSubnet: '"vpcctl subnet list" shows the free addresses of each; ' +
    '"vpcctl subnet create" makes another',
  InsufficientInstanceCapacity: '"vpcctl lab status" shows the hosts and their zones; ' +
    '"vpcctl instance list" what runs on each',
  InvalidAMIID: '"vpcctl image list" shows the images',
  InvalidGroup: '"vpcctl security-group list" shows the groups of every VPC',
  InvalidInstanceType: '"vpcctl instance-type list" shows the types',
  InvalidAddress: '"vpcctl eip list" shows the addresses of the account',
  'InvalidAddress.Locked': '"vpcctl eip set <eip> --clear-host-name" unlocks it',
  'InvalidIPAddress.InUse': '"vpcctl eni list" shows who has which address',
  InvalidNetworkAclEntry: '"vpcctl network-acl show <network-acl>" shows the rules',
  'InvalidNetworkInterface.InUse': '"vpcctl eni detach <eni>" detaches it first',
  'InvalidPermission.Duplicate': '"vpcctl security-group rules <group>" shows the rules there are',
  'InvalidPermission.Malformed': '"vpcctl security-group authorize-ingress --help" says what a ' +
    'rule is made of',
  'InvalidPermission.NotFound': '"vpcctl security-group rules <group>" shows the rules there are',
  InvalidRoute: '"vpcctl route-table show <route-table>" shows the routes',
  InvalidStateTransition: '"vpcctl peering list" shows the state of each peering',
  InvalidSecurityGroupRuleId: '"vpcctl security-group rules" shows the rules and their ids',
  'InvalidSubnet.Conflict': '"vpcctl subnet list" shows the blocks that are taken',
  'InvalidSubnet.Range': '"vpcctl vpc list" shows the blocks of each VPC: the subnet is one of ' +
    '/16 to /28 inside them',
  'InvalidVpc.Range': 'a VPC has a block of /16 to /28: "vpcctl vpc create 10.0.0.0/16"',
  LastVPCAssociation: '"vpcctl hosted-zone delete <zone>" deletes the zone',
  NoSuchHostedZone: '"vpcctl hosted-zone list" shows the zones of the account',
  InvalidZone: '"vpcctl zone list" shows the zones of the lab\'s hosts',
  NetworkAclEntryAlreadyExists: '"vpcctl network-acl replace-rule" changes the rule of a number',
  NoIpv6Block: '"vpcctl vpc associate-cidr <vpc> --ipv6" gives the VPC one',
  PrivateIpAddressLimitExceeded:
    '"vpcctl instance-type list" shows how many addresses each type takes',
  RouteAlreadyExists: '"vpcctl route-table replace-route" points it at another target',
  VpcPeeringConnectionAlreadyExists: '"vpcctl peering list" shows it',
  VPCIdNotSpecified: '"vpcctl vpc create --default" makes a default VPC; "vpcctl subnet list" ' +
    'shows the subnets there are',
  VPCLAB_ERR_NOT_ROOT: 'put sudo before the command',
  VPCLAB_ERR_TIMEOUT: 'most commands that wait take "--timeout <seconds>"; ' +
    '"vpcctl lab status" shows how far the hosts are'
}

/** Hints that depend on what was refused, or on what is in the lab. */
const FOUND_HINTS: Readonly<Record<string, HintFinder>> = {
  DependencyViolation: dependencyHint,
  NameNotFound: nameHint,
  OperationNotPermitted: protectionHint,
  VPCLAB_ERR_LAB_DOWN: otherLabsHint
}

/** The hint for a failure: without a full stop, several lines perhaps, undefined for none. */
export async function findHint (failure: CtlError, context: Context): Promise<string | undefined> {
  const { code } = failure
  const find = FOUND_HINTS[code]
  if (find === undefined) return fixedHint(code)
  return await find(failure, context).catch(() => undefined)
}

/** By the code, else by its noun (`InvalidAMIID` for `InvalidAMIID.NotFound`), else by its kind. */
function fixedHint (code: string): string | undefined {
  const [noun = ''] = code.split('.')
  if (FIXED_HINTS[code] !== undefined) return FIXED_HINTS[code]
  if (/I[dD]\.Malformed$/.test(code)) return IDS_HINT
  if (/(Limit|Quota)Exceeded(Exception)?$/.test(code)) return QUOTA_HINT
  return FIXED_HINTS[noun] ?? notFoundHint(code)
}

/** AWS's codes for ids that do not exist, by the noun that lists them. */
const NOUN_OF_CODE: Readonly<Record<string, string>> = {
  InvalidVpcID: 'vpc',
  InvalidSubnetID: 'subnet',
  InvalidRouteTableID: 'route-table',
  InvalidNetworkInterfaceID: 'eni',
  InvalidInstanceID: 'instance',
  InvalidNetworkAclID: 'network-acl',
  InvalidDhcpOptionID: 'dhcp-options',
  InvalidVpcPeeringConnectionID: 'peering',
  InvalidInternetGatewayID: 'igw',
  InvalidAllocationID: 'eip',
  InvalidNatGatewayID: 'nat-gateway',
  NatGatewayNotFound: 'nat-gateway',
  InvalidTrafficMirrorSessionId: 'mirror',
  InvalidTrafficMirrorTargetId: 'mirror-target',
  InvalidTrafficMirrorFilterId: 'mirror-filter'
}

function notFoundHint (code: string): string | undefined {
  const noun = NOUN_OF_CODE[code.replace(/\.NotFound$/, '')]
  return noun === undefined ? undefined : `"vpcctl ${noun} list" shows those there are`
}

/** Names that come near the one that nothing has. */
async function nameHint (failure: CtlError, context: Context): Promise<string | undefined> {
  if (!(failure instanceof NameNotFound)) return undefined
  const { kind, reference } = failure
  const all = `"vpcctl ${kind.noun} list" shows those there are`
  const there = await kind.list(await context.ec2(), [])
  const near = nearNames(reference, there.flatMap(({ names }) => names))
  return near.length === 0 ? all : `did you mean ${near.join(', ')}? ${all}`
}

/** Of `names` those that are `wanted` but for its case, a part of it, or few letters. */
export function nearNames (wanted: string, names: readonly string[]): string[] {
  const low = wanted.toLowerCase()
  const near = [...new Set(names)].filter((name) => {
    const other = name.toLowerCase()
    return other.includes(low) || (other.length > 1 && low.includes(other)) ||
      editDistance(low, other) <= Math.min(DISTANCE_MAX, Math.ceil(low.length / 2))
  })
  const distance = (name: string): number => editDistance(low, name.toLowerCase())
  return near.sort((a, b) => distance(a) - distance(b)).slice(0, NAMES_MAX)
}

/** Levenshtein: letters to insert, delete and replace. */
function editDistance (from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let index = 0; index < from.length; index++) {
    const next = [index + 1]
    for (let column = 1; column <= to.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (from[index] === to[column - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

/** By the attribute that forbids it. */
function protectionHint ({ message }: CtlError): Promise<string | undefined> {
  const option = message.includes('disableApiTermination')
    ? '--protect-termination'
    : message.includes('disableApiStop') ? '--protect-stop' : undefined
  return Promise.resolve(option === undefined
    ? undefined
    : `"vpcctl instance set <instance> ${option} off" allows it`)
}

/** Labs whose daemon answers, when the one that was meant does not. */
async function otherLabsHint (_failure: CtlError, context: Context): Promise<string | undefined> {
  const others = await labsUp(context.lab)
  if (others.length === 0) return undefined
  return `another lab is up: ${others.map((lab) => `vpcctl --lab ${lab}`).join(', ')}`
}

async function labsUp (except: string): Promise<string[]> {
  const names = readdirSync(dirname(stateDirectory('lab'))).filter((name) => name !== except)
  const up = await Promise.all(names.map((name) =>
    new AdminClient(name).credentials().then(() => true, () => false)))
  return names.filter((_name, index) => up[index])
}

/** What must be deleted first, with the command for each, nearest to the packets first. */
async function dependencyHint (failure: CtlError, context: Context): Promise<string | undefined> {
  const commands = await commandsBefore(failure.message, context)
  if (commands.length === 0) return undefined
  const shown = commands.slice(0, COMMANDS_MAX)
  const more = commands.length - shown.length
  return ['do first:', ...shown.map((command) => `  ${command}`),
    ...more > 0 ? [`  and ${String(more)} more`] : []].join('\n')
}

/** A block has no id of its own, so that the first id in the message is that of its user. */
async function commandsBefore (message: string, context: Context): Promise<string[]> {
  const ids = message.match(/\b[a-z]+-[0-9a-f]{8,17}\b/g) ?? []
  const [subject = '', ...users] = message.includes('CIDR block') ? ['block-', ...ids] : ids
  if (subject.startsWith('vpc-')) return await contentsOf(await context.ec2(), 'vpc-id', subject)
  if (subject.startsWith('subnet-')) {
    return await contentsOf(await context.ec2(), 'subnet-id', subject)
  }
  return users.flatMap((user) => releaseCommand(subject, user) ?? [])
}

/** What stands in a VPC or in a subnet, in the order in which it can be deleted. */
const CONTENTS: readonly {
  readonly kind: Nameable
  readonly verb: string
  /** Those that go with their instance or with the VPC. */
  readonly gone?: Filter
  /** Filter by the VPC, where it is not `vpc-id`. */
  readonly within?: string
}[] = [
  { kind: INSTANCE, verb: 'terminate' },
  {
    kind: NAT_GATEWAY, verb: 'delete',
    gone: { Name: 'state', Value: ['deleting', 'deleted', 'failed'] }
  },
  { kind: NETWORK_INTERFACE, verb: 'delete', gone: { Name: 'status', Value: ['in-use'] } },
  { kind: SUBNET, verb: 'delete' },
  { kind: ROUTE_TABLE, verb: 'delete', gone: { Name: 'association.main', Value: ['true'] } },
  { kind: NETWORK_ACL, verb: 'delete', gone: { Name: 'default', Value: ['true'] } },
  { kind: SECURITY_GROUP, verb: 'delete', gone: { Name: 'group-name', Value: ['default'] } },
  { kind: INTERNET_GATEWAY, verb: 'detach', within: 'attachment.vpc-id' }
]

async function contentsOf (ec2: Ec2Client, filter: 'vpc-id' | 'subnet-id',
  id: string): Promise<string[]> {
  const wanted = filter === 'vpc-id' ? CONTENTS : CONTENTS.slice(0, 3)
  const found = await Promise.all(wanted.map(async ({ kind, verb, gone, within = filter }) => {
    const inside = { Name: within, Value: [id] }
    const [all, spared] = await Promise.all([
      kind.list(ec2, [inside]), gone === undefined ? [] : kind.list(ec2, [inside, gone])])
    return all.filter((one) => !spared.some((other) => other.id === one.id))
      .map(({ id: found, names: [name] }) =>
        `vpcctl ${kind.noun} ${verb} ${found}${name === undefined ? '' : ` (${name})`}`)
  }))
  return found.flat()
}

/** How `user` lets go of `subject`. */
function releaseCommand (subject: string, user: string): string | undefined {
  const [subjectPrefix, userPrefix] = [subject, user].map((id) => id.slice(0, id.indexOf('-')))
  switch (`${subjectPrefix ?? ''} ${userPrefix ?? ''}`) {
    case 'rtb subnet': return `vpcctl route-table disassociate ${user}`
    case 'acl subnet': return `vpcctl network-acl associate <other network ACL> ${user}`
    case 'dopt vpc': return `vpcctl dhcp-options associate default ${user}`
    case 'sg eni': return `vpcctl eni set ${user} --group <other group>`
    case 'sg sg': return `vpcctl security-group rules ${user}`
    case 'block subnet': return `vpcctl subnet delete ${user}`
    case 'igw vpc': return `vpcctl igw detach ${subject}`
    case 'block eni': return `vpcctl eni unassign-address ${user} <address>`
    default: return undefined
  }
}
