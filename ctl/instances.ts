/**
 * Reading instances, and waiting for their states and for the hosts: shared by the nouns `instance`
 * and `wait`.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Instance } from '@aws-sdk/client-ec2'
import type { Context } from './context.ts'
import type { Ec2Client } from './ec2_client.ts'
import type { QueryInput } from './ec2_query.ts'
import { CtlError } from './exit_codes.ts'
import type { Say } from './print/progress.ts'
import type { Column } from './print/table.ts'
import { nameOf } from './resolve.ts'

/** ms between two looks at a state. EC2 has no call that waits for one. */
const POLL_INTERVAL_MS = 50
/** Ids in a line about progress. */
const IDS_SHOWN_MAX = 2

/** The tag by which RunInstances is told what ENIs are (daemon/model/instance_device.ts). */
export const DEVICE_TAG = 'vpclab:device'

export const INSTANCE_COLUMNS: readonly Column<Instance>[] = [
  { header: 'instance', value: (instance) => instance.InstanceId ?? '' },
  { header: 'name', value: nameOf, shrinks: true },
  { header: 'state', value: (instance) => instance.State?.Name ?? '' },
  { header: 'type', value: (instance) => instance.InstanceType ?? '', hides: true },
  { header: 'zone', value: (instance) => instance.Placement?.AvailabilityZone ?? '', hides: true },
  { header: 'host', value: (instance) => instance.Placement?.HostId ?? '' },
  { header: 'ipv4', value: (instance) => instance.PrivateIpAddress ?? '' },
  { header: 'ipv6', value: ipv6Addresses }
]

export async function describeInstances (ec2: Ec2Client, input: QueryInput): Promise<Instance[]> {
  // EC2 refuses MaxResults together with ids; so few come in one page.
  const reservations = input['InstanceId'] === undefined
    ? await ec2.all('DescribeInstances', input, (page) => page.Reservations)
    : (await ec2.call('DescribeInstances', input)).Reservations ?? []
  return reservations.flatMap((reservation) => reservation.Instances ?? [])
}

/**
 * Returns when every instance is in `state`.
 * @throws CtlError VPCLAB_ERR_TIMEOUT; InstanceFailed when one terminated instead
 */
export async function waitForInstances (context: Context, ec2: Ec2Client, ids: readonly string[],
  state: string, timeoutMs: number): Promise<void> {
  await context.output.progress(`Waiting for ${listed(ids)} to be ${state}`, (say) =>
    pollInstances(context, ec2, ids, state, timeoutMs, say))
}

async function pollInstances (context: Context, ec2: Ec2Client, ids: readonly string[],
  state: string, timeoutMs: number, say: Say): Promise<void> {
  const deadlineMs = context.clock.monotonicMs() + timeoutMs
  for (;;) {
    const instances = await describeInstances(ec2, { InstanceId: ids })
    const others = instances.filter((instance) => instance.State?.Name !== state)
    const [other] = others
    if (other === undefined) return
    say(`${String(ids.length - others.length)} of ${String(ids.length)}`)
    const failed = others.find((instance) => isTerminating(instance.State?.Name))
    if (failed !== undefined && !isTerminating(state)) {
      throw new CtlError('InstanceFailed',
        `${failed.InstanceId ?? ''} is ${failed.State?.Name ?? ''} instead of ${state}: ` +
        (failed.StateReason?.Message ?? failed.StateTransitionReason ?? 'no reason given'))
    }
    if (context.clock.monotonicMs() >= deadlineMs) {
      throw new CtlError('VPCLAB_ERR_TIMEOUT', `${other.InstanceId ?? ''} is still ` +
        `${other.State?.Name ?? ''} after ${String(timeoutMs / 1000)} s, not ${state}`)
    }
    await delay(POLL_INTERVAL_MS)
  }
}

/** Returns when every host forwards by what was written until now. */
export async function waitForApplied (context: Context, timeoutMs: number): Promise<number> {
  const { revision } = await context.admin.status()
  return await waitForRevision(context, revision, timeoutMs)
}

/** Returns when every host forwards by `revision`. @returns the newest one they forward by */
export async function waitForRevision (context: Context, revision: number,
  timeoutMs: number): Promise<number> {
  const { appliedRevision } = await context.output.progress(
    `Waiting for the hosts to apply revision ${String(revision)}`,
    () => context.admin.wait(revision, timeoutMs))
  return appliedRevision
}

/** The first of many ids, and how many more there are. */
function listed (ids: readonly string[]): string {
  const shown = ids.slice(0, IDS_SHOWN_MAX).join(', ')
  return ids.length <= IDS_SHOWN_MAX
    ? shown
    : `${shown} and ${String(ids.length - IDS_SHOWN_MAX)} more`
}

function isTerminating (state: string | undefined): boolean {
  return state === 'shutting-down' || state === 'terminated'
}

/** Of eth0, as PrivateIpAddress is; "eni list" shows the others. */
function ipv6Addresses (instance: Instance): string {
  const primary = instance.NetworkInterfaces?.find((eni) => eni.Attachment?.DeviceIndex === 0)
  return (primary?.Ipv6Addresses ?? []).map(({ Ipv6Address }) => Ipv6Address).join(',')
}
