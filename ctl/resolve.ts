/**
 * Names instead of ids. Wherever a command takes an id it takes the value of the resource's tag
 * "Name" too, if exactly one resource has it; an id is known by its prefix and never looked up.
 */
import type { Ec2Client } from './ec2_client.ts'
import { CtlError } from './exit_codes.ts'

/** A kind of resource that can be named, and how to find one by its Name tag. */
export interface Nameable {
  /** For messages: `VPC`. */
  readonly word: string
  readonly idPrefix: string
  /** Ids of those with the Name tag `name`. */
  readonly find: (ec2: Ec2Client, name: string) => Promise<(string | undefined)[]>
}

export const VPC: Nameable = {
  word: 'VPC',
  idPrefix: 'vpc-',
  find: async (ec2, name) =>
    (await ec2.all('DescribeVpcs', nameFilter(name), (page) => page.Vpcs)).map((vpc) => vpc.VpcId)
}

export const SUBNET: Nameable = {
  word: 'subnet',
  idPrefix: 'subnet-',
  find: async (ec2, name) =>
    (await ec2.all('DescribeSubnets', nameFilter(name), (page) => page.Subnets))
      .map((subnet) => subnet.SubnetId)
}

export const ROUTE_TABLE: Nameable = {
  word: 'route table',
  idPrefix: 'rtb-',
  find: async (ec2, name) =>
    (await ec2.all('DescribeRouteTables', nameFilter(name), (page) => page.RouteTables))
      .map((table) => table.RouteTableId)
}

export const NETWORK_INTERFACE: Nameable = {
  word: 'network interface',
  idPrefix: 'eni-',
  find: async (ec2, name) =>
    (await ec2.all('DescribeNetworkInterfaces', nameFilter(name), (page) => page.NetworkInterfaces))
      .map((networkInterface) => networkInterface.NetworkInterfaceId)
}

/** Terminated instances keep their names for an hour; they do not count. */
export const INSTANCE: Nameable = {
  word: 'instance',
  idPrefix: 'i-',
  find: async (ec2, name) => {
    const reservations = await ec2.all('DescribeInstances', nameFilter(name, {
      Name: 'instance-state-name',
      Value: ['pending', 'running', 'stopping', 'stopped']
    }), (page) => page.Reservations)
    return reservations.flatMap((reservation) => reservation.Instances ?? [])
      .map((instance) => instance.InstanceId)
  }
}

/** Security groups have names of their own (`GroupName`), which count as well. */
export const SECURITY_GROUP: Nameable = {
  word: 'security group',
  idPrefix: 'sg-',
  find: async (ec2, name) => {
    const describe = (filter: string): Promise<(string | undefined)[]> =>
      ec2.all('DescribeSecurityGroups', { Filter: [{ Name: filter, Value: [escapeFilter(name)] }] },
        (page) => page.SecurityGroups).then((groups) => groups.map((group) => group.GroupId))
    const [tagged, named] = await Promise.all([describe('tag:Name'), describe('group-name')])
    return [...new Set([...tagged, ...named])]
  }
}

/**
 * The id that `reference` (an id or a Name tag) means.
 * @throws CtlError `NameNotFound`, `NameAmbiguous`
 */
export async function resolveId (ec2: Ec2Client, kind: Nameable,
  reference: string): Promise<string> {
  if (reference.startsWith(kind.idPrefix)) return reference
  const ids = (await kind.find(ec2, reference)).filter((id) => id !== undefined)
  const [id] = ids
  if (id === undefined) {
    throw new CtlError('NameNotFound',
      `No ${kind.word} has the Name tag "${reference}"; an id begins with "${kind.idPrefix}"`)
  }
  if (ids.length > 1) {
    throw new CtlError('NameAmbiguous',
      `${String(ids.length)} ${kind.word}s have the Name tag "${reference}": ` +
      `use one of their ids: ${ids.join(', ')}`)
  }
  return id
}

export async function resolveIds (ec2: Ec2Client, kind: Nameable,
  references: readonly string[]): Promise<string[]> {
  return Promise.all(references.map((reference) => resolveId(ec2, kind, reference)))
}

/** `{ Filter: [...] }` for a Name tag and further filters. */
function nameFilter (name: string, ...more: { Name: string, Value: string[] }[]): {
  Filter: { Name: string, Value: string[] }[]
} {
  return { Filter: [{ Name: 'tag:Name', Value: [escapeFilter(name)] }, ...more] }
}

/** A filter value takes `*` and `?` as wildcards; a backslash takes them literally. */
export function escapeFilter (text: string): string {
  return text.replace(/[\\*?]/g, '\\$&')
}

/** The value of the tag "Name", or an empty text. */
export function nameOf (resource: {
  readonly Tags?: readonly { Key?: string | undefined, Value?: string | undefined }[] | undefined
}): string {
  return resource.Tags?.find((tag) => tag.Key === 'Name')?.Value ?? ''
}

interface Tag { readonly [member: string]: string, readonly Key: string, readonly Value: string }

/** `TagSpecification` for one kind of resource, or nothing for no tags. */
export function tagSpecification (resourceType: string,
  tags: readonly Tag[]): { TagSpecification?: { ResourceType: string, Tag: readonly Tag[] }[] } {
  return tags.length === 0 ? {} : { TagSpecification: [{ ResourceType: resourceType, Tag: tags }] }
}

/** Input of a Describe call that lists what is in one VPC, or everything when none is named. */
export async function inVpc (
  ec2: Ec2Client, vpc: string | undefined
): Promise<{ Filter?: { Name: string, Value: string[] }[] }> {
  if (vpc === undefined) return {}
  return { Filter: [{ Name: 'vpc-id', Value: [await resolveId(ec2, VPC, vpc)] }] }
}
