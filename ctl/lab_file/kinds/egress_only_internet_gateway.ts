/** Egress-only internet gateways: IPv6 connections that begin inside; in one VPC for life. */
import type { EgressOnlyInternetGateway } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { tags } from '../schema_parts.ts'
import type { LabKind } from './kind.ts'

/** Gateways of one page; the most that EC2 allows. */
const PAGE_ITEMS = 255

export const egressOnlyInternetGatewaySchema = z.strictObject({ tags: tags.optional() })

export const EGRESS_ONLY_INTERNET_GATEWAY: LabKind<EgressOnlyInternetGateway> = {
  section: 'egress-only-internet-gateways',
  place: 'vpc',
  word: 'egress-only internet gateway',
  order: 2,
  goes: 'last',
  changed: 'between',
  created: { tags: {} },
  immutable: [],
  lost: 'its id',
  list: ({ ec2 }) => ec2.all('DescribeEgressOnlyInternetGateways', { MaxResults: PAGE_ITEMS },
    (page) => page.EgressOnlyInternetGateways),
  identify: ({ EgressOnlyInternetGatewayId: id = '', Attachments, Tags: tags }) =>
    ({ id, vpcId: Attachments?.[0]?.VpcId, tags }),
  read: () => ({}),
  async create (session, resource) {
    const { EgressOnlyInternetGateway } =
      await session.ec2.call('CreateEgressOnlyInternetGateway', {
        VpcId: session.vpcId(resource),
        ...session.tagsFor('egress-only-internet-gateway', resource)
      })
    return EgressOnlyInternetGateway?.EgressOnlyInternetGatewayId
  },
  changes: {},
  async remove ({ ec2 }, { id }) {
    await ec2.call('DeleteEgressOnlyInternetGateway', { EgressOnlyInternetGatewayId: id })
  }
}
