/** What the calls of one apply share: the API, the ids behind the names, the name of the file. */
import type { Context } from '../context.ts'
import type { Ec2Client } from '../ec2_client.ts'
import type { QueryInput } from '../ec2_query.ts'
import { CtlError } from '../exit_codes.ts'
import type { LiveLab } from './live.ts'
import { type Fields, keyOf, type Kind, type Resource } from './resource.ts'
import { OWNER_TAG } from './schema.ts'

export class Session {
  readonly context: Context
  readonly ec2: Ec2Client
  /** Name of the file. */
  readonly owner: string
  /** ms for instances to reach a state, and for the hosts to apply. */
  readonly timeoutMs: number
  readonly #ids = new Map<string, string>()

  constructor (context: Context, ec2: Ec2Client, owner: string, timeoutMs: number) {
    this.context = context
    this.ec2 = ec2
    this.owner = owner
    this.timeoutMs = timeoutMs
  }

  /** Takes the ids of a lab that was read anew. */
  learn (live: LiveLab): void {
    this.#ids.clear()
    for (const [key, { id }] of live.resources) this.#ids.set(key, id)
  }

  made ({ kind, vpc, name }: Resource, id: string | undefined): string {
    if (id === undefined) throw new CtlError('InvalidAnswer', `EC2 named no id for ${kind} ${name}`)
    this.#ids.set(keyOf(kind, vpc, name), id)
    return id
  }

  /** @throws CtlError NameNotFound: the file was checked, so somebody else deleted it meanwhile */
  id (kind: Kind, vpc: string | null, name: string): string {
    const id = this.#ids.get(keyOf(kind, vpc, name))
    if (id !== undefined) return id
    throw new CtlError('NameNotFound', `The lab has no ${keyOf(kind, vpc, name)} (any more)`)
  }

  ids (kind: Kind, vpc: string | null, names: readonly string[]): string[] {
    return names.map((name) => this.id(kind, vpc, name))
  }

  vpcId ({ vpc }: Resource): string { return this.id('vpc', null, vpc ?? '') }

  /** Tags of a new resource: it is the file's from its first moment on. */
  /** @param more tags that stand for something else in the file */
  tagsFor (resourceType: string, { name, fields }: Resource, more: Fields = {}): QueryInput {
    const tags = Object.entries({ ...fields['tags'] as Fields | undefined, ...more })
      .map(([Key, Value]) => ({ Key, Value: String(Value) }))
    return {
      TagSpecification: [{
        ResourceType: resourceType,
        Tag: [{ Key: 'Name', Value: name }, { Key: OWNER_TAG, Value: this.owner }, ...tags]
      }]
    }
  }

  /** The IPv6 /56 of a VPC. @throws CtlError NoIpv6Block */
  async ipv6Block (vpcId: string): Promise<string> {
    const { Vpcs } = await this.ec2.call('DescribeVpcs', { VpcId: [vpcId] })
    const block = Vpcs?.[0]?.Ipv6CidrBlockAssociationSet?.find((association) =>
      association.Ipv6CidrBlockState?.State === 'associated')?.Ipv6CidrBlock
    if (block === undefined) throw new CtlError('NoIpv6Block', `${vpcId} has no IPv6 block`)
    return block
  }

  /** The IPv6 /64 of a subnet. @throws CtlError NoIpv6Block */
  async subnetIpv6Block (subnetId: string): Promise<string> {
    const { Subnets } = await this.ec2.call('DescribeSubnets', { SubnetId: [subnetId] })
    const block = Subnets?.[0]?.Ipv6CidrBlockAssociationSet?.find((association) =>
      association.Ipv6CidrBlockState?.State === 'associated')?.Ipv6CidrBlock
    if (block === undefined) throw new CtlError('NoIpv6Block', `${subnetId} has no IPv6 block`)
    return block
  }
}
