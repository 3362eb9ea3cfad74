/**
 * AWS::EC2::RouteTable, Route and SubnetRouteTableAssociation. CloudFormation Template Reference,
 * "Amazon EC2".
 */
import type * as Ec2 from '@aws-sdk/client-ec2'
import { TARGET_PARAMETERS } from '../../../model/route_target.ts'
import type { RouteTable } from '../../../model/route_table.ts'
import type { JsonObject } from '../../../model/stack.ts'
import { TAGS, inPlace, replaces, required } from '../property.ts'
import type { ResourceCall, ResourceType } from '../resource_type.ts'
import { allowing, pick, text } from '../resource_type.ts'

const routeTable: ResourceType = {
  name: 'AWS::EC2::RouteTable',
  properties: { VpcId: required(replaces('string')), Tags: TAGS },
  ref: 'route table id',
  attributes: ['RouteTableId'],
  tagged: true,
  async create (call) {
    const { RouteTable: made } = await call.once<Ec2.CreateRouteTableResult>('CreateRouteTable',
      pick(call.properties, 'VpcId'))
    return made?.RouteTableId ?? ''
  },
  read: (_call, id) => ({ RouteTableId: id }),
  async delete (call, id) {
    await allowing(['InvalidRouteTableID.NotFound'],
      call.ec2('DeleteRouteTable', { RouteTableId: id }))
  }
}

const DESTINATIONS =
  ['DestinationCidrBlock', 'DestinationIpv6CidrBlock', 'DestinationPrefixListId'] as const

/** What names a route in every call on it. */
function routeKey (properties: JsonObject): JsonObject {
  return pick(properties, 'RouteTableId', ...DESTINATIONS)
}

function destinationOf (properties: JsonObject): string {
  const name = DESTINATIONS.find((one) => properties[one] !== undefined)
  return name === undefined ? '' : text(properties, name) ?? ''
}

const route: ResourceType = {
  name: 'AWS::EC2::Route',
  properties: {
    RouteTableId: required(replaces('string')),
    ...Object.fromEntries(DESTINATIONS.map((name) => [name, replaces('string')])),
    ...Object.fromEntries(TARGET_PARAMETERS.map((name) => [name, inPlace('string')]))
  },
  ref: 'route table id, `|` and the destination',
  attributes: ['CidrBlock'],
  tagged: false,
  async create (call) {
    await call.once('CreateRoute',
      { ...routeKey(call.properties), ...pick(call.properties, ...TARGET_PARAMETERS) })
    return `${text(call.properties, 'RouteTableId') ?? ''}|${destinationOf(call.properties)}`
  },
  async settle (call, id, before) {
    if (before.length > 0) {
      await call.ec2('ReplaceRoute',
        { ...routeKey(call.properties), ...pick(call.properties, ...TARGET_PARAMETERS) })
    }
    return id
  },
  read: ({ properties }) => ({ CidrBlock: destinationOf(properties) }),
  async delete (call) {
    await allowing(['InvalidRoute.NotFound', 'InvalidRouteTableID.NotFound'],
      call.ec2('DeleteRoute', routeKey(call.properties)))
  }
}

interface Association {
  readonly table: RouteTable
  readonly associationId: string
}

/** The table that a subnet is associated with by name, not as the main one. */
function associationOf (call: ResourceCall, subnetId: string): Association | null {
  for (const table of call.view.list('routeTable')) {
    const found = table.associations.find((one) => one.subnetId === subnetId)
    if (found !== undefined) return { table, associationId: found.id }
  }
  return null
}

const association: ResourceType = {
  name: 'AWS::EC2::SubnetRouteTableAssociation',
  properties: {
    RouteTableId: required(inPlace('string')),
    SubnetId: required(replaces('string'))
  },
  ref: 'id of the association of the subnet and the route table',
  attributes: ['Id'],
  tagged: false,
  async create (call) {
    const { AssociationId: id } = await call.once<Ec2.AssociateRouteTableResult>(
      'AssociateRouteTable', pick(call.properties, 'RouteTableId', 'SubnetId'))
    return id ?? ''
  },
  async settle (call, id) {
    const found = associationOf(call, text(call.properties, 'SubnetId') ?? '')
    const RouteTableId = text(call.properties, 'RouteTableId')
    if (found === null || found.table.id === RouteTableId) return found?.associationId ?? id
    const { NewAssociationId: made } = await call.ec2<Ec2.ReplaceRouteTableAssociationResult>(
      'ReplaceRouteTableAssociation', { AssociationId: found.associationId, RouteTableId })
    return made ?? id
  },
  read: (_call, id) => ({ Id: id }),
  async delete (call, id) {
    await allowing(['InvalidAssociationID.NotFound'],
      call.ec2('DisassociateRouteTable', { AssociationId: id }))
  }
}

export const routeTableTypes: readonly ResourceType[] = [routeTable, route, association]
