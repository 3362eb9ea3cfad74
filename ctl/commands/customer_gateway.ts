/** `vpcctl cgw …`. AWS Site-to-Site VPN User Guide, "Customer gateway". */
import type { CustomerGateway } from '@aws-sdk/client-ec2'
import { type Command, defineCommand, TAG_OPTIONS } from '../command.ts'
import type { Column } from '../print/table.ts'
import { CUSTOMER_GATEWAY, nameOf, resolveId, tagSpecification } from '../resolve.ts'

const ASN_MAX = 4_294_967_295
/** EC2 takes ASNs above this one in a parameter of their own. */
const BGP_ASN_MAX = 2_147_483_647

const COLUMNS: readonly Column<CustomerGateway>[] = [
  { header: 'cgw', value: (gateway) => gateway.CustomerGatewayId ?? '' },
  { header: 'name', value: nameOf, shrinks: true },
  { header: 'state', value: (gateway) => gateway.State ?? '' },
  { header: 'address', value: (gateway) => gateway.IpAddress ?? '' },
  { header: 'asn', value: (gateway) => gateway.BgpAsn ?? gateway.BgpAsnExtended ?? '',
    align: 'right' },
  { header: 'device', value: (gateway) => gateway.DeviceName ?? '', shrinks: true }
]

const GATEWAY_ARGUMENT = { syntax: '<cgw>', description: 'id, Name tag or address' }

export const customerGatewayCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Record the device at the customer end of VPN connections',
    action: 'CreateCustomerGateway',
    arguments: [{
      syntax: '[address]', description: 'its public IPv4 address, or that of the NAT before it'
    }],
    options: [
      { flags: '--asn <asn>', description: 'its BGP ASN (default: 65000)' },
      { flags: '--certificate <arn>', description: 'what it proves itself with' },
      { flags: '--device <name>', description: 'a name for people' },
      ...TAG_OPTIONS
    ],
    examples: ['vpcctl cgw create 198.51.100.20 --asn 65010 --name branch'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const asn = input.integer('asn', 1, ASN_MAX)
      const { CustomerGateway: gateway } = await ec2.call('CreateCustomerGateway', {
        Type: 'ipsec.1', IpAddress: input.optionalArgument('address'),
        ...(asn !== undefined && asn > BGP_ASN_MAX ? { BgpAsnExtended: asn } : { BgpAsn: asn }),
        CertificateArn: input.text('certificate'), DeviceName: input.text('device'),
        ...tagSpecification('customer-gateway', input.tags())
      })
      context.output.row(gateway ?? {}, COLUMNS, ({ CustomerGatewayId }) => CustomerGatewayId)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List customer gateways',
    action: 'DescribeCustomerGateways',
    options: [{ flags: '--all', description: 'deleted ones too' }],
    examples: ['vpcctl cgw list'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const { CustomerGateways: gateways = [] } = await ec2.call('DescribeCustomerGateways', {})
      const shown = gateways.filter(({ State }) => input.flag('all') || State !== 'deleted')
      context.output.rows(shown, COLUMNS, ({ CustomerGatewayId }) => CustomerGatewayId)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show everything about a customer gateway',
    action: 'DescribeCustomerGateways',
    arguments: [GATEWAY_ARGUMENT],
    examples: ['vpcctl cgw show branch'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, CUSTOMER_GATEWAY, input.argument('cgw'))
      const { CustomerGateways: gateways } =
        await ec2.call('DescribeCustomerGateways', { CustomerGatewayId: [id] })
      context.output.tree(gateways?.[0] ?? {}, id)
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete a customer gateway that no VPN connection uses',
    action: 'DeleteCustomerGateway',
    arguments: [GATEWAY_ARGUMENT],
    examples: ['vpcctl cgw delete branch'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, CUSTOMER_GATEWAY, input.argument('cgw'))
      await ec2.call('DeleteCustomerGateway', { CustomerGatewayId: id })
      context.output.done(`Deleted ${id}.`, { CustomerGatewayId: id })
    }
  })
]
