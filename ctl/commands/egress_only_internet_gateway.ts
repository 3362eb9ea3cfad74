/** `vpcctl eigw …`. AWS VPC User Guide, "Egress-only internet gateways". */
import type { EgressOnlyInternetGateway } from '@aws-sdk/client-ec2'
import { type Command, defineCommand, TAG_OPTIONS } from '../command.ts'
import type { Column } from '../print/table.ts'
import {
  EGRESS_ONLY_INTERNET_GATEWAY, nameOf, resolveId, tagSpecification, VPC
} from '../resolve.ts'

const COLUMNS: readonly Column<EgressOnlyInternetGateway>[] = [
  { header: 'eigw', value: (gateway) => gateway.EgressOnlyInternetGatewayId ?? '' },
  { header: 'name', value: nameOf, shrinks: true },
  { header: 'vpc', value: (gateway) => gateway.Attachments?.[0]?.VpcId ?? '' }
]

export const egressOnlyInternetGatewayCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Create an egress-only internet gateway: IPv6 out, answers in',
    action: 'CreateEgressOnlyInternetGateway',
    arguments: [{ syntax: '<vpc>', description: 'id or Name tag' }],
    options: TAG_OPTIONS,
    examples: ['vpcctl eigw create web --name out'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const { EgressOnlyInternetGateway: gateway } =
        await ec2.call('CreateEgressOnlyInternetGateway', {
          VpcId: await resolveId(ec2, VPC, input.argument('vpc')),
          ...tagSpecification('egress-only-internet-gateway', input.tags())
        })
      context.output.row(gateway ?? {}, COLUMNS, (one) => one.EgressOnlyInternetGatewayId)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List egress-only internet gateways',
    action: 'DescribeEgressOnlyInternetGateways',
    examples: ['vpcctl eigw list'],
    async run (context) {
      const ec2 = await context.ec2()
      const gateways = await ec2.all('DescribeEgressOnlyInternetGateways', { MaxResults: 255 },
        (page) => page.EgressOnlyInternetGateways)
      context.output.rows(gateways, COLUMNS, (one) => one.EgressOnlyInternetGatewayId)
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete an egress-only internet gateway; routes to it become blackholes',
    action: 'DeleteEgressOnlyInternetGateway',
    arguments: [{ syntax: '<eigw>', description: 'id or Name tag' }],
    examples: ['vpcctl eigw delete out'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, EGRESS_ONLY_INTERNET_GATEWAY, input.argument('eigw'))
      await ec2.call('DeleteEgressOnlyInternetGateway', { EgressOnlyInternetGatewayId: id })
      context.output.done(`Deleted ${id}.`, { EgressOnlyInternetGatewayId: id })
    }
  })
]
