/** Customer gateways: the customer's end of VPN connections. Nothing of one can be changed. */
import type { CustomerGateway } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { ipv4Address, tags } from '../schema_parts.ts'
import type { LabKind } from './kind.ts'

const ASN_DEFAULT = 65_000
/** Larger ASNs have a parameter of their own. */
const ASN_MAX = 2_147_483_647

export const customerGatewaySchema = z.strictObject({
  address: ipv4Address.optional().describe('Public address; needed without a certificate.'),
  asn: z.int().min(1).max(4_294_967_295).optional().describe('BGP ASN (default: 65000).'),
  certificate: z.string().optional().describe('ARN of what it proves itself with.'),
  device: z.string().optional().describe('A name for people.'),
  tags: tags.optional()
}).superRefine((value, context) => {
  if (value.address === undefined && value.certificate === undefined) {
    context.addIssue({
      code: 'custom', message: 'a customer gateway needs "address" or "certificate"'
    })
  }
})

export const CUSTOMER_GATEWAY: LabKind<CustomerGateway> = {
  section: 'customer-gateways',
  place: 'file',
  word: 'customer gateway',
  order: 0,
  goes: 'last',
  changed: 'between',
  created: { asn: ASN_DEFAULT, tags: {} },
  immutable: ['address', 'asn', 'certificate', 'device'],
  lost: 'its id',
  async list ({ ec2 }) {
    return (await ec2.call('DescribeCustomerGateways', {})).CustomerGateways ?? []
  },
  identify: ({ CustomerGatewayId: id = '', Tags: tags, State }) =>
    State === 'available' ? { id, vpcId: undefined, tags } : null,
  read: (gateway) => ({
    address: gateway.IpAddress,
    asn: Number(gateway.BgpAsn ?? gateway.BgpAsnExtended),
    certificate: gateway.CertificateArn,
    device: gateway.DeviceName
  }),
  async create (session, resource) {
    const { address, asn = ASN_DEFAULT, certificate, device } = resource.fields as {
      address?: string
      asn?: number
      certificate?: string
      device?: string
    }
    const { CustomerGateway } = await session.ec2.call('CreateCustomerGateway', {
      Type: 'ipsec.1',
      IpAddress: address,
      ...asn > ASN_MAX ? { BgpAsnExtended: asn } : { BgpAsn: asn },
      CertificateArn: certificate,
      DeviceName: device,
      ...session.tagsFor('customer-gateway', resource)
    })
    return CustomerGateway?.CustomerGatewayId
  },
  changes: {},
  async remove ({ ec2 }, { id }) {
    await ec2.call('DeleteCustomerGateway', { CustomerGatewayId: id })
  }
}
