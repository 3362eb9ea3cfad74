/** What the calls of one apply share: the API, the ids behind the names, the name of the file. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Context } from '../context.ts'
import type { Ec2Client } from '../ec2_client.ts'
import type { QueryInput } from '../ec2_query.ts'
import { CtlError } from '../exit_codes.ts'
import { connectRoute53 } from '../hosted_zones.ts'
import type { Clients } from './kinds/kind.ts'
import { KINDS, type Kind } from './kinds/registry.ts'
import type { LiveLab } from './live.ts'
import { type Fields, keyOf, type Resource, splitPath } from './resource.ts'
import { OWNER_TAG } from './schema_parts.ts'

/** ms between two looks at what apply waits for. */
const POLL_INTERVAL_MS = 100

/** The clients of a lab. */
export async function connectClients (context: Context): Promise<Clients> {
  const [ec2, route53, { region }] = await Promise.all(
    [context.ec2(), connectRoute53(context), context.admin.credentials()])
  return { ec2, route53, region }
}

export class Session {
  readonly context: Context
  readonly clients: Clients
  readonly ec2: Ec2Client
  /** Name of the file. */
  readonly owner: string
  /** ms for instances to reach a state, and for the hosts to apply. */
  readonly timeoutMs: number
  readonly #ids = new Map<string, string>()

  constructor (context: Context, clients: Clients, owner: string, timeoutMs: number) {
    this.context = context
    this.clients = clients
    this.ec2 = clients.ec2
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

  /** Of what is in a VPC or of the account, by its kind. @throws CtlError as id */
  idNear (kind: Kind, vpc: string | null, name: string): string {
    return this.id(kind, KINDS[kind].place === 'vpc' ? vpc : null, name)
  }

  /** @param path `vpc/name` @throws CtlError as id */
  idByPath (kind: Kind, path: string): string {
    const [vpc, name] = splitPath(path)
    return this.id(kind, vpc, name)
  }

  /**
   * Returns when it is so; asks now and then.
   * @param what in the words of a sentence: `nat-1 lets go of its addresses`
   * @throws CtlError VPCLAB_ERR_TIMEOUT
   */
  async until (what: string, isSo: () => Promise<boolean>): Promise<void> {
    const { clock } = this.context
    const deadlineMs = clock.monotonicMs() + this.timeoutMs
    while (!await isSo()) {
      if (clock.monotonicMs() >= deadlineMs) {
        throw new CtlError('VPCLAB_ERR_TIMEOUT',
          `It is not so after ${String(this.timeoutMs / 1000)} s that ${what}`)
      }
      await delay(POLL_INTERVAL_MS)
    }
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
