/**
 * `vpcctl instance …`: the life of an instance through the EC2 API. What happens inside one
 * (`exec`, `shell`, `logs`) stands in instance_inside.ts.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Instance } from '@aws-sdk/client-ec2'
import {
  type Command, defineCommand, type Input, TAG_OPTIONS, TIMEOUT_OPTION, timeoutMs
} from '../command.ts'
import type { Context } from '../context.ts'
import type { Ec2Client } from '../ec2_client.ts'
import type { QueryInput } from '../ec2_query.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import {
  describeInstances, DEVICE_TAG, INSTANCE_COLUMNS, waitForApplied, waitForInstances
} from '../instances.ts'
import {
  INSTANCE, inVpc, NETWORK_INTERFACE, resolveId, resolveIds, SECURITY_GROUP, SUBNET,
  tagSpecification
} from '../resolve.ts'
import { imageOfDirectory, isDirectory } from './image.ts'
import { instanceAttributeCommands } from './instance_attribute.ts'
import { instanceOptionCommands } from './instance_options.ts'
import { insideCommands } from './instance_inside.ts'

/** The built-in image: the root file system of the machine itself. */
const IMAGE_DEFAULT = 'ami-00000000000000001'

/** Where scripts/vm_image puts what it makes. */
const VM_IMAGE_DIRECTORY = '/var/lib/vpclab-images/vm'
const INSTANCES_ARGUMENT = { syntax: '<instance...>', description: 'ids or Name tags' }
const NO_WAIT_OPTION = {
  flags: '--no-wait', description: 'return at once, not when the state is reached'
}

export const instanceCommands: readonly Command[] = [
  defineCommand({
    name: 'run',
    summary: 'Start new instances and wait until they run',
    action: 'RunInstances',
    arguments: [{
      syntax: '[subnet]', description: 'id or Name tag; the default VPC without it and --eni'
    }],
    options: [
      { flags: '--count <count>', description: 'how many (default: 1)' },
      {
        flags: '--type <type>',
        description: 'instance type: how many ENIs and addresses (default: m5.large)'
      },
      {
        flags: '--image <image>',
        description: 'image id or name, or a directory with a root file system or a VM'
      },
      {
        flags: '--kind <kind>',
        description: 'vm: a virtual machine; without --image, of the one scripts/vm_image makes',
        values: ['vm']
      },
      {
        flags: '--device <device>',
        description: 'what its ENIs are inside: tun, IP alone (default), or tap, Ethernet',
        values: ['tun', 'tap']
      },
      {
        flags: '--host <host>',
        description: 'host of the lab, host-1; any of the zone when left out'
      },
      { flags: '--private-ip <address>', description: 'primary private IPv4 address' },
      {
        flags: '--public-ip <on|off>',
        description: 'a public IPv4 address while it runs (default: as the subnet says)'
      },
      { flags: '--ipv6-count <count>', description: 'IPv6 addresses' },
      { flags: '--group <group>', description: 'security group: id or name', repeats: true },
      {
        flags: '--eni <eni>',
        description: 'an existing ENI: the first is eth0, the next eth1 …',
        repeats: true
      },
      {
        flags: '--user-data <script>',
        description: 'a script that runs inside at first boot, or @file'
      },
      NO_WAIT_OPTION,
      TIMEOUT_OPTION,
      ...TAG_OPTIONS
    ],
    examples: [
      'vpcctl instance run front --name a',
      'vpcctl instance run front --name b --host host-2 --ipv6-count 1',
      'vpcctl instance run front --name web --user-data @server.sh',
      'vpcctl instance run front --name deb --image /srv/images/debian',
      'vpcctl instance run front --name ether --device tap',
      'vpcctl instance run front --name machine --kind vm',
      'vpcctl instance run --name first',
      'vpcctl instance run front --name open --public-ip on'
    ],
    run: runInstances
  }),
  defineCommand({
    name: 'list',
    summary: 'List instances',
    action: 'DescribeInstances',
    options: [
      { flags: '--vpc <vpc>', description: 'of one VPC: id or Name tag' },
      { flags: '--all', description: 'terminated ones too' }
    ],
    examples: ['vpcctl instance list', 'vpcctl instance list --vpc web --all'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const instances = await describeInstances(ec2, await inVpc(ec2, input.text('vpc')))
      const shown = input.flag('all')
        ? instances
        : instances.filter((instance) => instance.State?.Name !== 'terminated')
      context.output.rows(shown, INSTANCE_COLUMNS, ({ InstanceId }) => InstanceId)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show everything about an instance',
    action: 'DescribeInstances',
    arguments: [{ syntax: '<instance>', description: 'id or Name tag' }],
    examples: ['vpcctl instance show a'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, INSTANCE, input.argument('instance'))
      const [instance] = await describeInstances(ec2, { InstanceId: [id] })
      context.output.tree(instance ?? {}, id)
    }
  }),
  lifeCycleCommand('start', 'Start stopped instances', 'StartInstances', 'running'),
  lifeCycleCommand('stop', 'Stop running instances; they keep their addresses',
    'StopInstances', 'stopped'),
  defineCommand({
    name: 'reboot',
    summary: 'Reboot instances',
    action: 'RebootInstances',
    arguments: [INSTANCES_ARGUMENT],
    examples: ['vpcctl instance reboot a'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const ids = await resolveIds(ec2, INSTANCE, input.rest('instance'))
      await ec2.call('RebootInstances', { InstanceId: ids })
      context.output.done(`Rebooting ${ids.join(', ')}.`, { InstanceIds: ids })
    }
  }),
  lifeCycleCommand('terminate', 'Terminate instances for good', 'TerminateInstances', 'terminated'),
  ...instanceAttributeCommands,
  ...instanceOptionCommands,
  ...insideCommands
]

async function runInstances (context: Context, input: Input): Promise<void> {
  if (input.optionalArgument('subnet') !== undefined && input.list('eni').length > 0) {
    throw usageError('either [subnet] or --eni is needed, not both')
  }
  const plain = plainRunInput(input)
  const ec2 = await context.ec2()
  const image = input.text('image') ?? (input.text('kind') === 'vm' ? vmImage() : IMAGE_DEFAULT)
  const ImageId = isDirectory(image) ? await imageOfDirectory(ec2, image) : image
  if (input.text('kind') === 'vm') await checkIsVm(ec2, ImageId)
  const references = await referencesRunInput(ec2, input)
  const reservation = await ec2.call('RunInstances', { ...plain, ...references, ImageId })
  const ids = (reservation.Instances ?? []).flatMap(({ InstanceId }) => InstanceId ?? [])
  if (input.flag('wait')) {
    await waitForInstances(context, ec2, ids, 'running', timeoutMs(input))
    await waitForApplied(context, timeoutMs(input))
  }
  const instances = await describeInstances(ec2, { InstanceId: ids })
  context.output.rows(instances, INSTANCE_COLUMNS, ({ InstanceId }) => InstanceId)
}

/** What needs no look at the lab, checked before the first call. */
function plainRunInput (input: Input): QueryInput {
  const count = input.integer('count', 1, 1000) ?? 1
  const host = input.text('host')
  const userData = input.text('userData')
  const device = input.text('device')
  return {
    InstanceType: input.text('type') ?? 'm5.large',
    MinCount: count,
    MaxCount: count,
    Placement: host === undefined ? undefined : { HostId: host },
    UserData: userData === undefined ? undefined : encodeUserData(userData),
    ...tagSpecification('instance', [
      ...input.tags(), ...device === undefined ? [] : [{ Key: DEVICE_TAG, Value: device }]])
  }
}

/** The directory that scripts/vm_image fills. @throws CtlError when it has not yet */
function vmImage (): string {
  if (existsSync(VM_IMAGE_DIRECTORY)) return VM_IMAGE_DIRECTORY
  throw new CtlError('VPCLAB_ERR_PREREQUISITE', 'There is no image of a virtual machine at ' +
    `${VM_IMAGE_DIRECTORY}: "sudo vpclab-setup --vm" makes it (bin/vpclab-setup in a clone); or ` +
    'name a directory with vmlinuz and initrd.img by --image')
}

/** @throws CtlError when the image starts something else */
async function checkIsVm (ec2: Ec2Client, image: string): Promise<void> {
  const { Images: [found] = [] } = await ec2.call('DescribeImages',
    image.startsWith('ami-')
      ? { ImageId: [image] }
      : { Filter: [{ Name: 'name', Value: [image] }] })
  const directory = found?.ImageLocation
  if (directory !== undefined && existsSync(join(directory, 'vmlinuz'))) return
  throw usageError(`--kind vm wants an image with vmlinuz and initrd.img, and ${image} ` +
    'is none: leave --kind out, or name another --image')
}

/** Subnet, ENIs and groups, which may be given by name. */
async function referencesRunInput (ec2: Ec2Client, input: Input): Promise<QueryInput> {
  const subnet = input.optionalArgument('subnet')
  const [enis, groups] = await Promise.all([
    resolveIds(ec2, NETWORK_INTERFACE, input.list('eni')),
    resolveIds(ec2, SECURITY_GROUP, input.list('group'))])
  const own = {
    SubnetId: subnet === undefined ? undefined : await resolveId(ec2, SUBNET, subnet),
    SecurityGroupId: groups,
    PrivateIpAddress: input.text('privateIp'),
    Ipv6AddressCount: input.integer('ipv6Count', 0, 1000)
  }
  const AssociatePublicIpAddress = input.onOff('publicIp')
  // EC2 takes this one of a network interface alone.
  if (AssociatePublicIpAddress !== undefined && enis.length === 0) {
    return { NetworkInterface: [{ DeviceIndex: 0, AssociatePublicIpAddress, ...own }] }
  }
  return {
    ...own,
    NetworkInterface: enis.map((id, index) => ({ NetworkInterfaceId: id, DeviceIndex: index,
      AssociatePublicIpAddress: index === 0 ? AssociatePublicIpAddress : undefined }))
  }
}

/** Base64 of the script, or of the file that `@path` names. */
function encodeUserData (text: string): string {
  if (!text.startsWith('@')) return Buffer.from(text).toString('base64')
  try {
    return readFileSync(text.slice(1)).toString('base64')
  } catch (error) {
    throw new CtlError('VPCLAB_ERR_CONFIG',
      `The user data file ${text.slice(1)} cannot be read: ${(error as Error).message}`)
  }
}

/** `start`, `stop` and `terminate` differ in the action and in the state they lead to. */
function lifeCycleCommand (name: string, summary: string,
  action: 'StartInstances' | 'StopInstances' | 'TerminateInstances', state: string): Command {
  return {
    name,
    summary,
    action,
    arguments: [INSTANCES_ARGUMENT],
    options: [NO_WAIT_OPTION, TIMEOUT_OPTION],
    examples: [`vpcctl instance ${name} a`, `vpcctl instance ${name} a b --no-wait`],
    async run (context, input) {
      const ec2 = await context.ec2()
      const ids = await resolveIds(ec2, INSTANCE, input.rest('instance'))
      await ec2.call(action, { InstanceId: ids })
      if (input.flag('wait')) {
        await waitForInstances(context, ec2, ids, state, timeoutMs(input))
      }
      const instances: Instance[] = await describeInstances(ec2, { InstanceId: ids })
      context.output.rows(instances, INSTANCE_COLUMNS, ({ InstanceId }) => InstanceId)
    }
  }
}
