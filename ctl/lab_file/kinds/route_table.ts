/**
 * Route tables: all routes but the local ones that they are born with, and the virtual private
 * gateways whose routes they take over. A local route is in a file only where it leads elsewhere.
 * Subnets and internet gateways say which table is theirs.
 */
import type { Route, RouteTable } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { QueryInput } from '../../ec2_query.ts'
import { canonicalCidr } from '../address.ts'
import type { FieldChange } from '../plan.ts'
import { canonicalJson, type Fields, given, type LiveResource, sortedText } from '../resource.ts'
import { cidr, exactlyOne, MAIN_TABLE, tags } from '../schema_parts.ts'
import type { Session } from '../session.ts'
import { ENI, isUnnamedPrimary } from './eni.ts'
import { primaryInterface } from './instance.ts'
import type { LabKind, LabReader } from './kind.ts'
import type { Kind } from './registry.ts'

/** What a route may lead to: as a file says it, what it is, and EC2's parameter for its id. */
export const ROUTE_TARGETS = {
  eni: { kind: 'eni', parameter: 'NetworkInterfaceId' },
  instance: { kind: 'instance', parameter: 'NetworkInterfaceId' },
  igw: { kind: 'internet-gateway', parameter: 'GatewayId' },
  eigw: { kind: 'egress-only-internet-gateway', parameter: 'EgressOnlyInternetGatewayId' },
  nat: { kind: 'nat-gateway', parameter: 'NatGatewayId' },
  peering: { kind: 'peering', parameter: 'VpcPeeringConnectionId' },
  vgw: { kind: 'vpn-gateway', parameter: 'GatewayId' }
} as const satisfies Readonly<Record<string, { kind: Kind, parameter: string }>>

type TargetWord = keyof typeof ROUTE_TARGETS
const TARGET_WORDS = Object.keys(ROUTE_TARGETS) as readonly TargetWord[]
/** One of TARGET_WORDS with a name, or the id of what is gone. */
export type RouteTarget = Readonly<Partial<Record<TargetWord | 'gone', string>>>

const routeTarget = z.strictObject({
  eni: z.string().optional(),
  instance: z.string().optional(),
  igw: z.string().optional().describe('An internet gateway.'),
  eigw: z.string().optional().describe('An egress-only internet gateway.'),
  nat: z.string().optional().describe('A NAT gateway of the VPC.'),
  peering: z.string().optional(),
  vgw: z.string().optional().describe('A virtual private gateway.')
} satisfies Readonly<Record<TargetWord, z.ZodType>>).superRefine(exactlyOne(TARGET_WORDS))

export const routeTableSchema = z.strictObject({
  routes: z.record(cidr, routeTarget).optional()
    .describe('All routes but the local ones: target by destination.'),
  propagating: z.array(z.string()).optional()
    .describe('All virtual private gateways whose routes the table takes over.'),
  tags: tags.optional()
})

type Routes = Readonly<Record<string, RouteTarget>>

export const ROUTE_TABLE: LabKind<RouteTable> = {
  section: 'route-tables',
  place: 'vpc',
  word: 'route table',
  order: 3,
  goes: 'last',
  born: MAIN_TABLE,
  changed: 'after-instances',
  created: { routes: {}, propagating: [], tags: {} },
  immutable: [],
  lost: 'its id',
  agrees: {
    propagating: (wanted, live) =>
      sortedText(wanted as readonly string[]) === sortedText(live as readonly string[])
  },
  normal: ({ routes, ...part }) => ({
    ...part,
    ...routes === undefined ? {} : {
      routes: Object.fromEntries(Object.entries(routes as Routes).map(([destination, target]) =>
        [canonicalCidr(destination), given(target)]))
    }
  }),
  references (part, refer) {
    const routes = part['routes'] as Routes | undefined ?? {}
    for (const [destination, target] of Object.entries(routes)) {
      for (const word of TARGET_WORDS) {
        refer.to(ROUTE_TARGETS[word].kind, target[word], 'routes', destination, word)
      }
    }
    refer.all('vpn-gateway', part['propagating'], 'propagating')
  },
  list: ({ ec2 }) => ec2.all('DescribeRouteTables', {}, (page) => page.RouteTables),
  identify: (table) => ({
    id: table.RouteTableId ?? '', vpcId: table.VpcId, tags: table.Tags,
    isBorn: table.Associations?.some(({ Main }) => Main) ?? false
  }),
  read (table, lab) {
    const said = `in the route table "${lab.nameOf(table.RouteTableId)}" of the VPC ` +
      `"${lab.nameOf(table.VpcId)}"`
    const routes: Record<string, RouteTarget> = {}
    for (const route of table.Routes ?? []) {
      if (route.GatewayId === 'local' || route.Origin === 'EnableVgwRoutePropagation') continue
      const list = route.DestinationPrefixListId
      if (list !== undefined) {
        lab.unsaid(`the route to ${list} ${said}: files have no prefix lists`)
        continue
      }
      const destination =
        canonicalCidr(route.DestinationCidrBlock ?? route.DestinationIpv6CidrBlock ?? '::/0')
      const target = targetOf(route, lab)
      routes[destination] = target
      if (target.gone === undefined) continue
      lab.unsaid(`the route to ${destination} ${said}: its target ${target.gone} is ` +
        (route.State === 'blackhole' ? 'gone' : 'nothing that a file names'))
    }
    const propagating = (table.PropagatingVgws ?? []).map(({ GatewayId }) => lab.nameOf(GatewayId))
    return { routes, propagating }
  },
  write: ({ routes, ...fields }): Fields => {
    const said = Object.entries((routes ?? {}) as Routes).filter(([, { gone }]) =>
      gone === undefined)
    return { ...routes === undefined ? {} : { routes: Object.fromEntries(said) }, ...fields }
  },
  without: ({ routes, propagating, ...fields }, isMissing) => ({
    routes: Object.fromEntries(Object.entries(routes as Routes).filter(([, target]) =>
      !TARGET_WORDS.some((word) => target[word] !== undefined &&
        isMissing(ROUTE_TARGETS[word].kind, target[word])))),
    propagating: (propagating as readonly string[]).filter((name) =>
      !isMissing('vpn-gateway', name)),
    ...fields
  }),
  bornFields: () => ROUTE_TABLE.created,
  async create (session, resource) {
    const { RouteTable } = await session.ec2.call('CreateRouteTable',
      { VpcId: session.vpcId(resource), ...session.tagsFor('route-table', resource) })
    return RouteTable?.RouteTableId
  },
  changes: { routes: changeRoutes, propagating: changePropagation },
  async remove ({ ec2 }, { id }) {
    const { RouteTables } = await ec2.call('DescribeRouteTables', { RouteTableId: [id] })
    for (const { RouteTableAssociationId } of RouteTables?.[0]?.Associations ?? []) {
      await ec2.call('DisassociateRouteTable', { AssociationId: RouteTableAssociationId })
    }
    await ec2.call('DeleteRouteTable', { RouteTableId: id })
  }
}

/** Ids of what a route leads to, as EC2 describes it. */
export function targetIdsOf (route: Route): string[] {
  return [route.NetworkInterfaceId, route.GatewayId, route.NatGatewayId,
    route.EgressOnlyInternetGatewayId, route.VpcPeeringConnectionId]
    .flatMap((id) => id === undefined || id === '' ? [] : [id])
}

function targetOf (route: Route, lab: LabReader): RouteTarget {
  const [id = ''] = targetIdsOf(route)
  const eni = lab.all(ENI).find(({ NetworkInterfaceId }) => NetworkInterfaceId === id)
  const holds = eni !== undefined && isUnnamedPrimary(eni) ? eni.Attachment?.InstanceId : id
  if (!lab.knows(holds)) return { gone: id }
  const word = TARGET_WORDS.find((one) => lab.kindOf(holds) === ROUTE_TARGETS[one].kind)
  return word === undefined ? { gone: id } : { [word]: lab.nameOf(holds) }
}

async function changeRoutes (session: Session, live: LiveResource,
  { from, to }: FieldChange): Promise<void> {
  const { ec2 } = session
  const before = (from ?? {}) as Routes
  const after = to as Routes
  const RouteTableId = live.id
  const { RouteTables } = await ec2.call('DescribeRouteTables', { RouteTableId: [RouteTableId] })
  const there = new Map((RouteTables?.[0]?.Routes ?? [])
    .filter(({ Origin }) => Origin !== 'EnableVgwRoutePropagation')
    .flatMap((route) => {
      const destination = route.DestinationCidrBlock ?? route.DestinationIpv6CidrBlock
      return destination === undefined ? [] : [[canonicalCidr(destination), route] as const]
    }))
  for (const destination of Object.keys(before)) {
    if (after[destination] !== undefined) continue
    const input = { RouteTableId, ...destinationInput(destination) }
    // A local route cannot go: it leads to the VPC again.
    if (there.get(destination)?.Origin === 'CreateRouteTable') {
      await ec2.call('ReplaceRoute', { ...input, LocalTarget: true })
    } else {
      await ec2.call('DeleteRoute', input)
    }
  }
  for (const [destination, target] of Object.entries(after)) {
    if (canonicalJson(before[destination]) === canonicalJson(target)) continue
    await ec2.call(there.has(destination) ? 'ReplaceRoute' : 'CreateRoute',
      {
        RouteTableId, ...destinationInput(destination),
        ...await targetInput(session, live, target)
      })
  }
}

function destinationInput (destination: string): QueryInput {
  return destination.includes(':')
    ? { DestinationIpv6CidrBlock: destination }
    : { DestinationCidrBlock: destination }
}

async function targetInput (session: Session, { vpc }: LiveResource,
  target: RouteTarget): Promise<QueryInput> {
  if (target.instance !== undefined) {
    const id = session.id('instance', vpc, target.instance)
    return { NetworkInterfaceId: await primaryInterface(session, id) }
  }
  return Object.fromEntries(TARGET_WORDS.flatMap((word) => {
    const name = target[word]
    const { kind, parameter } = ROUTE_TARGETS[word]
    return name === undefined ? [] : [[parameter, session.idNear(kind, vpc, name)]]
  }))
}

async function changePropagation (session: Session, { id: RouteTableId, vpc }: LiveResource,
  { from, to }: FieldChange): Promise<void> {
  const before = (from ?? []) as readonly string[]
  const after = to as readonly string[]
  const input = (name: string): QueryInput =>
    ({ RouteTableId, GatewayId: session.idNear('vpn-gateway', vpc, name) })
  for (const name of before.filter((one) => !after.includes(one))) {
    await session.ec2.call('DisableVgwRoutePropagation', input(name))
  }
  for (const name of after.filter((one) => !before.includes(one))) {
    await session.ec2.call('EnableVgwRoutePropagation', input(name))
  }
}
