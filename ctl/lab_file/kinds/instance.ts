/**
 * Instances, with the ENI that each is born with (its fields stand at the instance) and the
 * commands that apply runs inside (apply.ts).
 */
import type { Instance } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { Ec2Client } from '../../ec2_client.ts'
import type { QueryInput } from '../../ec2_query.ts'
import { DEVICE_TAG, describeInstances, waitForInstances } from '../../instances.ts'
import type { FieldChange } from '../plan.ts'
import { type Fields, keyOf, type LiveResource, type Resource } from '../resource.ts'
import { COMMANDS_TAG, tags } from '../schema_parts.ts'
import type { Session } from '../session.ts'
import { detach, ENI, isUnnamedPrimary } from './eni.ts'
import {
  INTERFACE_AGREES, INTERFACE_CHANGES, interfaceFields, interfaceInput, NEW_INTERFACE,
  normalInterface, readInterface, referInterface, writeInterface
} from './interface.ts'
import { holder, type LabKind } from './kind.ts'

/** Commands of an instance: their hashes fit into the 256 characters of one tag. */
export const INSTANCE_COMMANDS_MAX = 28

const command = z.union([z.string().min(1), z.strictObject({
  run: z.string().min(1),
  when: z.enum(['once', 'always']).optional()
    .describe('once (default): after the instance is made; always: at each apply.'),
  background: z.boolean().optional()
    .describe('A service: each apply starts it when it does not run.'),
  listens: z.int().min(1).max(65_535).optional()
    .describe('TCP port of the service: apply waits until it listens there.')
}).superRefine((value, context) => {
  if (value.background === true && value.when !== undefined) {
    context.addIssue({
      code: 'custom', path: ['when'], message: 'a service is started whenever it does not run'
    })
  }
  if (value.background !== true && value.listens !== undefined) {
    context.addIssue({
      code: 'custom', path: ['listens'], message: '"listens" is for a service: "background: true"'
    })
  }
})]).transform((given): LabCommand => typeof given === 'string'
  ? { run: given, when: 'once', background: false, listens: undefined }
  : {
      run: given.run,
      when: given.when ?? 'once',
      background: given.background ?? false,
      listens: given.listens
    })

/** A command of an instance, whole. */
export interface LabCommand {
  readonly run: string
  readonly when: 'once' | 'always'
  readonly background: boolean
  readonly listens: number | undefined
}

export const instanceSchema = z.strictObject({
  subnet: z.string().optional().describe('Where eth0 is; left out when the first of "enis" is it.'),
  ...interfaceFields,
  enis: z.array(z.string()).optional().describe('ENIs of the file, in the order of devices.'),
  image: z.string().optional().describe('Image id.'),
  device: z.enum(['tun', 'tap']).optional()
    .describe('What its ENIs are inside: IP alone, or Ethernet; tun when left out.'),
  type: z.string().optional().describe('Instance type: how many ENIs and addresses.'),
  host: z.string().optional().describe('Host of the lab; left out, one of the zone.'),
  'user-data': z.string().optional().describe('A script that runs inside at first boot.'),
  state: z.enum(['running', 'stopped']).optional(),
  commands: z.array(command).max(INSTANCE_COMMANDS_MAX).optional()
    .describe('Shell commands that apply runs inside, in order.'),
  tags: tags.optional()
}).superRefine((value, context) => {
  if (value.subnet === undefined && (value.enis ?? []).length === 0) {
    context.addIssue({ code: 'custom', message: 'an instance needs "subnet" or "enis"' })
  }
  const misplaced = Object.keys(interfaceFields).find((field) =>
    value.subnet === undefined && value[field as keyof typeof value] !== undefined)
  if (misplaced !== undefined) {
    context.addIssue({
      code: 'custom',
      path: [misplaced],
      message: `"${misplaced}" belongs to the ENI that is eth0 where the instance has no "subnet"`
    })
  }
})

/** Fields of an instance whose change ends what runs in it. */
export const RESTARTING: ReadonlySet<string> = new Set(['type', 'user-data', 'state'])

export const INSTANCE: LabKind<Instance> = {
  section: 'instances',
  place: 'vpc',
  word: 'instance',
  order: 8,
  goes: 'first',
  createdLate: true,
  changed: 'after-instances',
  created: {
    ...NEW_INTERFACE, enis: [], image: 'ami-00000000000000001', device: 'tun', type: 'm5.large',
    'user-data': '', state: 'running'
  },
  immutable: ['subnet', 'address', 'image', 'device', 'host'],
  lost: 'its processes and all that they kept',
  // The first ENI of an instance without a subnet is its eth0, which cannot be detached.
  needsReplacement: ({ field, from, to }, { fields }) => field === 'enis' &&
    fields['subnet'] === null && (from as readonly string[])[0] !== (to as readonly string[])[0],
  agrees: {
    ...INTERFACE_AGREES,
    // A stopped instance is on no host.
    host: (wanted, live) => live === undefined || wanted === live
  },
  normal: (part) => ({
    ...normalInterface(part),
    state: part['state'] ?? 'running',
    subnet: part['subnet'] ?? null,
    commands: undefined
  }),
  references (part, refer) {
    referInterface(part, refer)
    refer.all('eni', part['enis'], 'enis')
  },
  holders: ({ vpc, fields }) => fields['subnet'] === null
    ? [{ key: keyOf('eni', vpc, (fields['enis'] as readonly string[] | undefined)?.[0] ?? ''),
        as: 'its eth0' }]
    : holder('subnet', vpc, fields['subnet']),
  list: async ({ ec2 }) => (await describeInstances(ec2, {})).filter(({ State }) =>
    State?.Name !== 'terminated' && State?.Name !== 'shutting-down'),
  identify: ({ InstanceId: id = '', VpcId: vpcId, Tags: tags }) => ({ id, vpcId, tags }),
  async read (instance, lab) {
    const { InstanceId = '', Tags, State } = instance
    const attached = lab.all(ENI)
      .filter(({ Attachment }) => Attachment?.InstanceId === InstanceId)
      .toSorted((one, other) =>
        (one.Attachment?.DeviceIndex ?? 0) - (other.Attachment?.DeviceIndex ?? 0))
    const primary = attached.find(isUnnamedPrimary)
    const state = State?.Name
    return {
      ...primary === undefined ? { subnet: null } : readInterface(primary, lab),
      enis: attached.filter((eni) => eni !== primary)
        .map(({ NetworkInterfaceId }) => lab.nameOf(NetworkInterfaceId)),
      image: instance.ImageId,
      device: Tags?.find(({ Key }) => Key === DEVICE_TAG)?.Value ?? 'tun',
      type: instance.InstanceType,
      host: instance.Placement?.HostId,
      ...lab.wantsUserData(InstanceId)
        ? { 'user-data': await readUserData(lab.clients.ec2, InstanceId) }
        : {},
      state: state === 'stopping' || state === 'stopped' ? 'stopped' : 'running'
    }
  },
  more ({ InstanceId, Tags }, lab) {
    const primaryEni = lab.all(ENI).find((eni) => isUnnamedPrimary(eni) &&
      eni.Attachment?.InstanceId === InstanceId)?.NetworkInterfaceId
    return {
      commandsDone: (Tags?.find(({ Key }) => Key === COMMANDS_TAG)?.Value ?? '').split(' ')
        .filter((hash) => hash !== ''),
      ...primaryEni === undefined ? {} : { primaryEni }
    }
  },
  alwaysWritten: ['address', 'host', 'type'],
  write: writeInterface,
  create: runInstance,
  changes: { ...INTERFACE_CHANGES, enis: changeAttachments },
  changedTogether: RESTARTING,
  changeTogether: restart,
  async remove ({ context, ec2, timeoutMs }, { id }) {
    await ec2.call('TerminateInstances', { InstanceId: [id] })
    await waitForInstances(context, ec2, [id], 'terminated', timeoutMs)
  }
}

/** The ENI that is eth0: what an instance means as a target, also with further ENIs. */
export async function primaryInterface ({ ec2 }: Session,
  instanceId: string): Promise<string | undefined> {
  const [instance] = await describeInstances(ec2, { InstanceId: [instanceId] })
  return instance?.NetworkInterfaces?.find(({ Attachment }) =>
    Attachment?.DeviceIndex === 0)?.NetworkInterfaceId
}

async function readUserData (ec2: Ec2Client, id: string): Promise<string> {
  const { UserData } = await ec2.call('DescribeInstanceAttribute',
    { InstanceId: id, Attribute: 'userData' })
  return Buffer.from(UserData?.Value ?? '', 'base64').toString('utf8')
}

async function runInstance (session: Session, resource: Resource): Promise<string | undefined> {
  const { vpc, fields } = resource
  const enis = session.ids('eni', vpc, fields['enis'] as readonly string[] | undefined ?? [])
  const own = fields['subnet'] === null ? [] : [await interfaceInput(session, resource)]
  const interfaces: QueryInput[] = [...own, ...enis.map((NetworkInterfaceId) =>
    ({ NetworkInterfaceId }))]
  const { host, 'user-data': userData } = fields as { 'host'?: string, 'user-data'?: string }
  const { Instances } = await session.ec2.call('RunInstances', {
    ImageId: String(valueOf(fields, 'image')),
    InstanceType: String(valueOf(fields, 'type')),
    MinCount: 1,
    MaxCount: 1,
    NetworkInterface: interfaces.map((input, DeviceIndex) => ({ ...input, DeviceIndex })),
    Placement: host === undefined ? undefined : { HostId: host },
    UserData: userData === undefined || userData === ''
      ? undefined
      : Buffer.from(userData).toString('base64'),
    ...session.tagsFor('instance', resource,
      fields['device'] === 'tap' ? { [DEVICE_TAG]: 'tap' } : {})
  })
  return Instances?.[0]?.InstanceId
}

function valueOf (fields: Fields, field: string): unknown {
  return fields[field] ?? INSTANCE.created[field]
}

/** ENIs behind eth0: those too many or in another place are detached, those missing attached. */
async function changeAttachments (session: Session, live: LiveResource,
  { from, to }: FieldChange): Promise<void> {
  const before = (from ?? []) as readonly string[]
  const after = to as readonly string[]
  const firstIndex = live.primaryEni === undefined ? 0 : 1
  const stays = (name: string): boolean => before.indexOf(name) === after.indexOf(name)
  for (const name of before.filter((one) => !stays(one))) {
    await detach(session, session.id('eni', live.vpc, name))
  }
  for (const [index, name] of after.entries()) {
    if (stays(name)) continue
    await session.ec2.call('AttachNetworkInterface', {
      InstanceId: live.id,
      NetworkInterfaceId: session.id('eni', live.vpc, name),
      DeviceIndex: firstIndex + index
    })
  }
}

/** Type and user data need a stopped instance; it runs again when the file says so. */
async function restart (session: Session, { id }: LiveResource, changes: readonly FieldChange[],
  { fields }: Resource): Promise<void> {
  const { context, ec2, timeoutMs } = session
  const [instance] = await describeInstances(ec2, { InstanceId: [id] })
  // AWS stops none that has just been launched.
  if (instance?.State?.Name === 'pending') {
    await waitForInstances(context, ec2, [id], 'running', timeoutMs)
  }
  if (instance?.State?.Name !== 'stopped') {
    await ec2.call('StopInstances', { InstanceId: [id] })
    await waitForInstances(context, ec2, [id], 'stopped', timeoutMs)
  }
  for (const { field, to } of changes) {
    const attribute: Fields = field === 'type'
      ? { InstanceType: { Value: to } }
      : { UserData: { Value: Buffer.from(String(to)).toString('base64') } }
    if (field === 'state') continue
    await ec2.call('ModifyInstanceAttribute', { InstanceId: id, ...attribute })
  }
  if (fields['state'] === 'running') await ec2.call('StartInstances', { InstanceId: [id] })
}
