/**
 * Namespaces and containers of somebody else, hung on a subnet and taken off again. To the EC2 API
 * they are instances; what they are besides stands in model/instance_guest.ts.
 *
 *     POST /attach ─▶ look at the namespace ─▶ the plan of RunInstances ─▶ reconciler
 *     POST /detach ─▶ the plan of TerminateInstances ─▶ reconciler
 */
import { VpclabError } from '../../../base/errors.ts'
import { inspectNamespace, styleOf } from '../../../host/instance_guest.ts'
import type { FoundNamespace } from '../../../host/instance_guest.ts'
import { deviceName } from '../../../host/instance_plan.ts'
import { AwsError } from '../../../model/aws_error.ts'
import { planTerminateInstances } from '../../../model/instance.ts'
import { GUEST_TAG } from '../../../model/instance_guest.ts'
import type { NamespaceGuest } from '../../../model/instance_guest.ts'
import { planRunInstances } from '../../../model/instance_launch.ts'
import type { LaunchInput } from '../../../model/instance_launch.ts'
import { INSTANCE_TYPE_DEFAULT } from '../../../model/instance_type.ts'
import type { Ledger } from '../../../model/ledger.ts'
import type { Plan, PlanContext } from '../../../model/plan.ts'
import { requireRecord } from '../../../model/resource_kind.ts'
import { AccountView } from '../../../model/snapshot.ts'
import { TAG_VALUE_LENGTH_MAX, tagsFromInput } from '../../../model/tag.ts'
import { planContext } from '../../commit.ts'
import { newInterfaceFromInput } from '../../ec2/network_interface_shape.ts'
import type { AttachAnswer, AttachRequest, DetachAnswer, DetachRequest } from '../contract.ts'
import { type AddRoutes, type AdminServerOptions, Refusal } from '../route.ts'

export const addGuestRoutes: AddRoutes = (server, options) => {
  server.post<{ Body: AttachRequest }>('/attach', async ({ body }): Promise<AttachAnswer> =>
    await refusing(async () => await attach(options, body)))
  server.post<{ Body: DetachRequest }>('/detach', async ({ body }): Promise<DetachAnswer> =>
    await refusing(async () => await detach(options, body)))
}

/** What the model and the host refuse, with the status of a refusal. */
async function refusing<Answer> (work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof AwsError) throw new Refusal(error.status, error.code, error.message)
    if (error instanceof VpclabError && error.code === 'VPCLAB_ERR_CONFIG') {
      throw new Refusal(400, error.code, error.message)
    }
    throw error
  }
}

async function attach (options: AdminServerOptions, body: AttachRequest): Promise<AttachAnswer> {
  const { lab, replica } = options
  const found = await inspectNamespace(lab.name, body.path)
  const guest = guestOf(body, found)
  const { instanceIds: [instance] } = await transact(options, replica, (view, context) => {
    const other = [...replica.snapshot.tables.instance.values()].find((candidate) =>
      candidate.guest?.kind === 'namespace' && candidate.guest.inode === guest.inode &&
      candidate.state !== 'terminated')
    if (other !== undefined) {
      throw new AwsError('InvalidParameterValue',
        `${guest.path} cannot be attached: it is attached already, as ${other.id}`)
    }
    return planRunInstances(view, launchOf(body, guest), context)
  })
  if (instance === undefined) throw new Error('RunInstances launched nothing')
  return {
    instance,
    device: deviceName(0, styleOf(guest)),
    defaultRoute: guest.defaultRoute,
    otherDefaultRoute: found.defaultRouteDevice
  }
}

function guestOf (
  { path, label, defaultRoute = true }: AttachRequest, found: FoundNamespace
): NamespaceGuest {
  return {
    kind: 'namespace',
    path,
    inode: found.inode,
    label: label.slice(0, TAG_VALUE_LENGTH_MAX),
    devicePrefix: found.devicePrefix,
    defaultRoute: defaultRoute && found.defaultRouteDevice === null
  }
}

function launchOf (body: AttachRequest, guest: NamespaceGuest): LaunchInput {
  const { subnet, eni, address, ipv6Count, groups, host, tags = [] } = body
  return {
    minCount: 1,
    maxCount: 1,
    imageId: '',
    guest,
    instanceType: INSTANCE_TYPE_DEFAULT,
    keyName: null,
    zoneId: null,
    hostName: host ?? null,
    interfaces: [{
      ...newInterfaceFromInput({
        ...groups !== undefined && groups.length > 0 ? { Groups: [...groups] } : {},
        PrivateIpAddress: address,
        Ipv6AddressCount: ipv6Count
      }, {}),
      deviceIndex: 0,
      networkInterfaceId: eni ?? null,
      subnetId: subnet ?? null,
      associatePublicIp: null, deleteOnTermination: null
    }],
    userData: '',
    clientToken: '',
    disableApiTermination: false,
    disableApiStop: false,
    instanceInitiatedShutdownBehavior: 'terminate',
    dnsNames: {},
    tags: { ...tagsFromInput(tags), [GUEST_TAG]: guest.label }
  }
}

async function detach (options: AdminServerOptions, body: DetachRequest): Promise<DetachAnswer> {
  const { replica } = options
  const label = await transact(options, replica, (view, context) => {
    const { id, guest } = requireRecord(view, 'instance', body.instance)
    if (guest?.kind !== 'namespace') {
      throw new AwsError('UnsupportedOperation',
        `The instance '${id}' was launched, not attached: terminate it instead`)
    }
    const { changes } = planTerminateInstances(view, { instanceIds: [id] }, context)
    return { changes, result: guest.label }
  })
  return { instance: body.instance, label }
}

/** One transaction of the account that the lab's own key belongs to. */
async function transact<Result> (
  { keyRing, config, clock, random }: AdminServerOptions, ledger: Ledger,
  plan: (view: AccountView, context: PlanContext) => Plan<Result>
): Promise<Result> {
  const view = new AccountView(ledger.snapshot, keyRing.first.accountId, config.region)
  const context = planContext(clock, random)
  return (await ledger.transact(() => plan(view, context))).result
}
