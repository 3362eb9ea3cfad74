/** `vpcctl igw …`. AWS VPC User Guide, "Enable internet access for a VPC". */
import type { InternetGateway } from '@aws-sdk/client-ec2'
import { type Command, defineCommand, TAG_OPTIONS } from '../command.ts'
import type { Ec2Client } from '../ec2_client.ts'
import { CtlError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'
import { INTERNET_GATEWAY, nameOf, resolveId, tagSpecification, VPC } from '../resolve.ts'

const COLUMNS: readonly Column<InternetGateway>[] = [
  { header: 'igw', value: (gateway) => gateway.InternetGatewayId ?? '' },
  { header: 'name', value: nameOf, shrinks: true },
  { header: 'vpc', value: (gateway) => gateway.Attachments?.[0]?.VpcId ?? '' },
  { header: 'state', value: (gateway) => gateway.Attachments?.[0]?.State ?? 'detached' }
]

const GATEWAY_ARGUMENT = { syntax: '<igw>', description: 'id or Name tag' }
const VPC_ARGUMENT = { syntax: '<vpc>', description: 'id or Name tag' }

export const internetGatewayCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Create an internet gateway',
    action: 'CreateInternetGateway',
    options: TAG_OPTIONS,
    examples: ['vpcctl igw create --name door'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const { InternetGateway: gateway } = await ec2.call('CreateInternetGateway',
        tagSpecification('internet-gateway', input.tags()))
      context.output.row(gateway ?? {}, COLUMNS, ({ InternetGatewayId }) => InternetGatewayId)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List internet gateways',
    action: 'DescribeInternetGateways',
    examples: ['vpcctl igw list'],
    async run (context) {
      const ec2 = await context.ec2()
      const gateways = await ec2.all('DescribeInternetGateways', {},
        (page) => page.InternetGateways)
      context.output.rows(gateways, COLUMNS, ({ InternetGatewayId }) => InternetGatewayId)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show everything about an internet gateway',
    action: 'DescribeInternetGateways',
    arguments: [GATEWAY_ARGUMENT],
    examples: ['vpcctl igw show door'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, INTERNET_GATEWAY, input.argument('igw'))
      context.output.tree(await describeGateway(ec2, id), id)
    }
  }),
  defineCommand({
    name: 'attach',
    summary: 'Attach an internet gateway to a VPC',
    action: 'AttachInternetGateway',
    arguments: [GATEWAY_ARGUMENT, VPC_ARGUMENT],
    examples: ['vpcctl igw attach door web'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const [InternetGatewayId, VpcId] = await Promise.all([
        resolveId(ec2, INTERNET_GATEWAY, input.argument('igw')),
        resolveId(ec2, VPC, input.argument('vpc'))])
      await ec2.call('AttachInternetGateway', { InternetGatewayId, VpcId })
      context.output.done(`Attached ${InternetGatewayId} to ${VpcId}.`,
        { InternetGatewayId, VpcId })
    }
  }),
  defineCommand({
    name: 'detach',
    summary: 'Detach an internet gateway from its VPC',
    action: 'DetachInternetGateway',
    arguments: [GATEWAY_ARGUMENT],
    examples: ['vpcctl igw detach door'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const InternetGatewayId = await resolveId(ec2, INTERNET_GATEWAY, input.argument('igw'))
      const { Attachments } = await describeGateway(ec2, InternetGatewayId)
      const VpcId = Attachments?.[0]?.VpcId
      if (VpcId === undefined) {
        throw new CtlError('NameNotFound', `${InternetGatewayId} is attached to no VPC`)
      }
      await ec2.call('DetachInternetGateway', { InternetGatewayId, VpcId })
      context.output.done(`Detached ${InternetGatewayId} from ${VpcId}.`,
        { InternetGatewayId, VpcId })
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete an internet gateway that is detached',
    action: 'DeleteInternetGateway',
    arguments: [GATEWAY_ARGUMENT],
    examples: ['vpcctl igw delete door'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, INTERNET_GATEWAY, input.argument('igw'))
      await ec2.call('DeleteInternetGateway', { InternetGatewayId: id })
      context.output.done(`Deleted ${id}.`, { InternetGatewayId: id })
    }
  })
]

async function describeGateway (ec2: Ec2Client, id: string): Promise<InternetGateway> {
  const answer = await ec2.call('DescribeInternetGateways', { InternetGatewayId: [id] })
  return answer.InternetGateways?.[0] ?? {}
}
