/**
 * NAT gateways, zonal ones: public ones with Elastic IPs, private ones without. The primary address
 * is for life; secondary ones come and go.
 */
import type { NatGateway, NatGatewayAddress } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { CtlError } from '../../exit_codes.ts'
import type { FieldChange } from '../plan.ts'
import { canonicalJson, type Fields, given, type LiveResource, type Resource } from '../resource.ts'
import { ipv4Address, tags } from '../schema_parts.ts'
import type { Session } from '../session.ts'
import { holder, type LabKind, type LabReader, seenOf } from './kind.ts'

/** How long the connections of an address that goes may last, s; the least that EC2 takes. */
const DRAIN_S = 1

const secondary = z.strictObject({
  eip: z.string().optional().describe('Of a public gateway: name of an Elastic IP.'),
  'private-ip': ipv4Address.optional().describe('Left out, a free one of the subnet.')
})

export const natGatewaySchema = z.strictObject({
  subnet: z.string(),
  private: z.boolean().optional().describe('Whether it is a private one, without Elastic IPs.'),
  eip: z.string().optional().describe('Name of the Elastic IP of a public one.'),
  'private-ip': ipv4Address.optional().describe('Primary private address; left out, a free one.'),
  secondary: z.array(secondary).optional().describe('All secondary addresses.'),
  tags: tags.optional()
}).superRefine((value, context) => {
  const isPrivate = value.private === true
  if (isPrivate !== (value.eip === undefined)) {
    context.addIssue({
      code: 'custom',
      ...isPrivate ? { path: ['eip'] } : {},
      message: isPrivate
        ? 'a private NAT gateway has no Elastic IP'
        : 'a public NAT gateway needs "eip", a private one "private: true"'
    })
  }
  for (const [index, { eip }] of (value.secondary ?? []).entries()) {
    if (isPrivate === (eip === undefined)) continue
    context.addIssue({
      code: 'custom',
      path: ['secondary', index],
      message: isPrivate
        ? 'a private NAT gateway has no Elastic IP'
        : 'a further address of a public NAT gateway needs "eip"'
    })
  }
})

interface Secondary {
  readonly 'eip'?: string
  readonly 'private-ip'?: string
}

export const NAT_GATEWAY: LabKind<NatGateway> = {
  section: 'nat-gateways',
  place: 'vpc',
  word: 'NAT gateway',
  order: 6,
  goes: 'first',
  changed: 'between',
  created: { private: false, secondary: [], tags: {} },
  immutable: ['subnet', 'private', 'eip', 'private-ip'],
  lost: 'its id and the connections through it',
  agrees: { secondary: sameSecondary },
  references (part, refer) {
    refer.to('subnet', part['subnet'], 'subnet')
    refer.to('elastic-ip', part['eip'], 'eip')
    for (const [index, { eip }] of (part['secondary'] as Secondary[] | undefined ?? []).entries()) {
      refer.to('elastic-ip', eip, 'secondary', index, 'eip')
    }
  },
  holders: ({ vpc, fields }) => [
    ...holder('subnet', vpc, fields['subnet']), ...holder('elastic-ip', null, fields['eip'])
  ],
  list: ({ ec2 }) => ec2.all('DescribeNatGateways', {}, (page) => page.NatGateways),
  identify ({ NatGatewayId: id = '', VpcId: vpcId, Tags: tags, State, FailureMessage }, lab) {
    if (State === 'failed') lab.unsaid(`the NAT gateway ${id}: it failed. ${FailureMessage ?? ''}`)
    return State === 'available' || State === 'pending' ? { id, vpcId, tags } : null
  },
  read (gateway, lab) {
    const addresses = gateway.NatGatewayAddresses ?? []
    const primary = addresses.find(({ IsPrimary }) => IsPrimary)
    return {
      subnet: lab.nameOf(gateway.SubnetId),
      private: gateway.ConnectivityType === 'private',
      ...addressOf(primary ?? {}, lab),
      secondary: addresses.filter((one) => one !== primary && one.Status === 'succeeded')
        .map((one) => addressOf(one, lab))
    }
  },
  alwaysWritten: ['private-ip'],
  async create (session, resource) {
    const { fields } = resource
    const isPrivate = fields['private'] === true
    const { NatGateway } = await session.ec2.call('CreateNatGateway', {
      SubnetId: session.id('subnet', resource.vpc, String(fields['subnet'])),
      ConnectivityType: isPrivate ? 'private' : 'public',
      AllocationId: isPrivate ? undefined : await freeAddress(session, fields['eip']),
      PrivateIpAddress: fields['private-ip'] as string | undefined,
      ...session.tagsFor('natgateway', resource)
    })
    const id = NatGateway?.NatGatewayId
    await refuseFailed(session, id)
    return id
  },
  changes: { secondary: changeSecondary },
  async remove ({ ec2 }, { id }) { await ec2.call('DeleteNatGateway', { NatGatewayId: id }) }
}

function addressOf ({ AllocationId, PrivateIp }: NatGatewayAddress, lab: LabReader): Secondary {
  return given({
    eip: AllocationId === undefined ? undefined : lab.nameOf(AllocationId), 'private-ip': PrivateIp
  })
}

/** Each wanted one is there, by what it says, and no other; their order means nothing. */
function sameSecondary (wanted: unknown, live: unknown): boolean {
  const rest = [...live as readonly Secondary[]]
  for (const one of wanted as readonly Secondary[]) {
    const at = rest.findIndex((there) => isMeant(one, there))
    if (at === -1) return false
    rest.splice(at, 1)
  }
  return rest.length === 0
}

function isMeant (wanted: Secondary, there: Secondary): boolean {
  return canonicalJson(wanted) === canonicalJson(given(seenOf(wanted, there) as Fields))
}

/** EC2 makes a gateway that cannot work, and says later why it failed. */
async function refuseFailed ({ ec2 }: Session, id: string | undefined): Promise<void> {
  if (id === undefined) return
  const { NatGateways } = await ec2.call('DescribeNatGateways', { NatGatewayId: [id] })
  const { State, FailureCode = 'InternalError', FailureMessage = '' } = NatGateways?.[0] ?? {}
  if (State !== 'failed') return
  await ec2.call('DeleteNatGateway', { NatGatewayId: id })
  throw new CtlError(FailureCode, `The NAT gateway ${id} failed: ${FailureMessage}`)
}

/** The allocation id of an Elastic IP, once no NAT gateway holds it any more. */
async function freeAddress (session: Session, eip: unknown): Promise<string> {
  const id = session.id('elastic-ip', null, String(eip))
  await whenDrained(session, id)
  return id
}

/** Returns when an Elastic IP is no more that of a NAT gateway that is to let go of it. */
export async function whenDrained (session: Session, allocationId: string): Promise<void> {
  await session.until(`a NAT gateway lets go of ${allocationId}`, async () => {
    const gateways =
      await session.ec2.all('DescribeNatGateways', {}, (page) => page.NatGateways)
    return !gateways.some(({ State, NatGatewayAddresses = [] }) => State === 'available' &&
      NatGatewayAddresses.some(({ AllocationId, Status }) =>
        AllocationId === allocationId && Status === 'disassociating'))
  })
}

async function changeSecondary (session: Session, { id: NatGatewayId }: LiveResource,
  { from, to }: FieldChange, { fields }: Resource): Promise<void> {
  const { ec2 } = session
  const before = (from ?? []) as readonly Secondary[]
  const after = to as readonly Secondary[]
  const isPrivate = fields['private'] === true
  const gone = before.filter((there) => !after.some((one) => isMeant(one, there)))
  const come = after.filter((one) => !before.some((there) => isMeant(one, there)))
  const { NatGateways } = await ec2.call('DescribeNatGateways', { NatGatewayId: [NatGatewayId] })
  const leaving = (NatGateways?.[0]?.NatGatewayAddresses ?? []).filter(({ PrivateIp }) =>
    gone.some((one) => one['private-ip'] === PrivateIp))
  if (leaving.length > 0) {
    await ec2.call(
      isPrivate ? 'UnassignPrivateNatGatewayAddress' : 'DisassociateNatGatewayAddress', {
        NatGatewayId,
        MaxDrainDurationSeconds: DRAIN_S,
        ...isPrivate
          ? { PrivateIpAddress: leaving.map(({ PrivateIp }) => PrivateIp) }
          : { AssociationId: leaving.map(({ AssociationId }) => AssociationId) }
      })
  }
  // One call for each: either all of a call have their private addresses chosen, or none.
  for (const { eip, 'private-ip': privateIp } of come) {
    const PrivateIpAddress = privateIp === undefined ? undefined : [privateIp]
    if (isPrivate) {
      await ec2.call('AssignPrivateNatGatewayAddress', {
        NatGatewayId, PrivateIpAddress,
        PrivateIpAddressCount: PrivateIpAddress === undefined ? 1 : undefined
      })
    } else {
      await ec2.call('AssociateNatGatewayAddress', {
        NatGatewayId, PrivateIpAddress,
        AllocationId: [await freeAddress(session, eip)]
      })
    }
  }
}
