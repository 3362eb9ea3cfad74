/**
 * How long 1,000 VPCs take that are peered in pairs, through the API with the embedded store: each
 * VPC made, each pair requested and accepted, a route each way.
 */
import { openEndpoint } from '../test/conformance/endpoint.ts'
import { CALLERS, caller } from './api/caller.ts'

const PEERED_VPCS = 1000

interface PeeringScale {
  readonly vpcs: number
  readonly peerings: number
  /** From the first call to the last answer. */
  readonly seconds: number
}

export async function measurePeeringScale (): Promise<PeeringScale> {
  const endpoint = await openEndpoint({ quotas: { 'vpcs-per-region': PEERED_VPCS } })
  try {
    const call = caller(endpoint)
    const field = async (name: string, parameters: Record<string, string>): Promise<string> =>
      new RegExp(`<${name}>([^<]+)`).exec(await call(parameters))?.[1] ?? ''
    const startMs = performance.now()
    let next = 0
    await Promise.all(Array.from({ length: CALLERS }, async () => {
      for (let pair = next++; pair < PEERED_VPCS / 2; pair = next++) {
        const blocks = [0, 1].map((side) => `10.${String(2 * (pair % 64) + side)}.0.0/16`)
        const [one = '', other = ''] = await Promise.all(blocks.map((CidrBlock) =>
          field('vpcId', { Action: 'CreateVpc', CidrBlock })))
        const peering = await field('vpcPeeringConnectionId',
          { Action: 'CreateVpcPeeringConnection', VpcId: one, PeerVpcId: other })
        await call(
          { Action: 'AcceptVpcPeeringConnection', VpcPeeringConnectionId: peering })
        await Promise.all([one, other].map(async (vpcId, side) => {
          const table = await field('routeTableId', {
            Action: 'DescribeRouteTables', 'Filter.1.Name': 'vpc-id', 'Filter.1.Value.1': vpcId
          })
          await call({
            Action: 'CreateRoute', RouteTableId: table, VpcPeeringConnectionId: peering,
            DestinationCidrBlock: blocks[1 - side] ?? ''
          })
        }))
      }
    }))
    const seconds = (performance.now() - startMs) / 1000
    return { vpcs: PEERED_VPCS, peerings: PEERED_VPCS / 2, seconds }
  } finally {
    await endpoint.close()
  }
}
