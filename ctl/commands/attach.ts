/**
 * `vpcctl attach` and `vpcctl detach`: a network namespace or container that somebody else made, as
 * an instance on a subnet. The container's engine is asked for its process here, since the daemon
 * need not be where the engine can be reached.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import type { AttachRequest } from '../../daemon/api/admin/contract.ts'
import {
  type Command, defineCommand, type Input, TAG_OPTIONS, TIMEOUT_OPTION, timeoutMs
} from '../command.ts'
import type { Context } from '../context.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import {
  describeInstances, INSTANCE_COLUMNS, waitForApplied, waitForInstances
} from '../instances.ts'
import {
  INSTANCE, NETWORK_INTERFACE, resolveId, resolveIds, SECURITY_GROUP, SUBNET
} from '../resolve.ts'

/** Container engines, in the order in which they are asked for a name. */
const ENGINES = ['podman', 'docker'] as const
/** Where `ip netns` keeps namespaces by name. */
const NAMED_NAMESPACES = '/run/netns'

export const attachCommand: Command = defineCommand({
  name: 'attach',
  summary: 'Hang a network namespace or a container on a subnet',
  action: 'POST /attach (admin API)',
  arguments: [{ syntax: '[subnet]', description: 'id or Name tag; left out with --eni' }],
  options: [
    { flags: '--netns <netns>', description: 'name as in "ip netns list", or a path' },
    { flags: '--container <container>', description: 'podman or docker container: name or id' },
    { flags: '--eni <eni>', description: 'an existing ENI instead of a new one' },
    { flags: '--address <address>', description: 'primary private IPv4 address' },
    { flags: '--ipv6', description: 'an IPv6 address too' },
    { flags: '--group <group>', description: 'security group: id or name', repeats: true },
    {
      flags: '--host <host>', description: 'host of the lab, host-1; any of the zone when left out'
    },
    { flags: '--no-default-route', description: 'only routes to the VPC\'s own blocks' },
    TIMEOUT_OPTION,
    ...TAG_OPTIONS
  ],
  note: 'The guest is an instance to every other command. Its processes stay its own:\n' +
    'detaching it, terminating the instance and taking the lab down remove the ENI from it\n' +
    'and end nothing.\n' +
    'Where the namespace has a default route already, that one stays, and the VPC\'s own blocks\n' +
    'are routed through the ENI.',
  examples: [
    'vpcctl attach front --container web',
    'vpcctl attach front --netns blue --name blue --address 10.0.1.50'
  ],
  async run (context, input) {
    const found = await locateNamespace(input)
    const answer = await context.admin.attach(await requestOf(context, input, found))
    const { instance, device, defaultRoute, otherDefaultRoute } = answer
    context.output.note(`Waiting for ${instance} to run ...`)
    const ec2 = await context.ec2()
    await waitForInstances(context, ec2, [instance], 'running', timeoutMs(input))
    await waitForApplied(context, timeoutMs(input))
    context.output.note(`The ENI is ${device} inside. ` + (defaultRoute
      ? 'The default route leads through it.'
      : 'Only the blocks of the VPC are routed through it' + (otherDefaultRoute === null
        ? '.'
        : `: the default route through ${otherDefaultRoute} stays.`)))
    const instances = await describeInstances(ec2, { InstanceId: [instance] })
    context.output.rows(instances, INSTANCE_COLUMNS, ({ InstanceId }) => InstanceId)
  }
})

export const detachCommand: Command = defineCommand({
  name: 'detach',
  summary: 'Take an attached namespace or container off its subnet',
  action: 'POST /detach (admin API)',
  arguments: [{ syntax: '<instance>', description: 'id or Name tag of the attached guest' }],
  options: [TIMEOUT_OPTION],
  note: 'The ENI goes, unless it was there before the guest. The guest itself goes on.',
  examples: ['vpcctl detach web'],
  async run (context, input) {
    const ec2 = await context.ec2()
    const id = await resolveId(ec2, INSTANCE, input.argument('instance'))
    const { label } = await context.admin.detach({ instance: id })
    await waitForInstances(context, ec2, [id], 'terminated', timeoutMs(input))
    context.output.done(`Detached the ${label}, which was ${id}.`, { InstanceId: id })
  }
})

interface Located { readonly path: string, readonly label: string }

async function locateNamespace (input: Input): Promise<Located> {
  const netns = input.text('netns')
  const container = input.text('container')
  if ((netns === undefined) === (container === undefined)) {
    throw usageError('either --netns or --container is needed')
  }
  if (container !== undefined) return await containerNamespace(container)
  const name = netns ?? ''
  const path = name.includes('/') ? resolve(name) : `${NAMED_NAMESPACES}/${name}`
  if (!existsSync(path)) {
    throw new CtlError('VPCLAB_ERR_CONFIG',
      `There is no network namespace ${path}: "ip netns list" has those with a name`)
  }
  return { path, label: `namespace ${name}` }
}

/**
 * The namespace of a container's first process.
 * @throws CtlError VPCLAB_ERR_CONFIG when no engine has a running container of that name
 */
async function containerNamespace (container: string): Promise<Located> {
  const complaints: string[] = []
  for (const engine of ENGINES) {
    try {
      const { stdout } = await promisify(execFile)(engine,
        ['inspect', '--type', 'container', '--format', '{{.State.Pid}}', container])
      const pid = Number(stdout.trim())
      if (Number.isInteger(pid) && pid > 0) {
        return { path: `/proc/${String(pid)}/ns/net`, label: `container ${container}` }
      }
      complaints.push(`${engine} has it, but it does not run`)
    } catch (error) {
      complaints.push(complaintOf(engine, error as NodeJS.ErrnoException & { stderr?: string }))
    }
  }
  throw new CtlError('VPCLAB_ERR_CONFIG',
    `No running container "${container}": ${complaints.join('; ')}`)
}

function complaintOf (
  engine: string, { code, message, stderr }: NodeJS.ErrnoException & { stderr?: string }
): string {
  if (code === 'ENOENT') return `${engine} is not installed`
  const [line] = (stderr ?? '').trim().split('\n').slice(-1)
  return `${engine}: ${line === undefined || line === '' ? message : line}`
}

async function requestOf (
  context: Context, input: Input, { path, label }: Located
): Promise<AttachRequest> {
  const subnet = input.optionalArgument('subnet')
  const eni = input.text('eni')
  if ((subnet === undefined) === (eni === undefined)) {
    throw usageError('either [subnet] or --eni is needed')
  }
  const ec2 = await context.ec2()
  const address = input.text('address')
  const host = input.text('host')
  return {
    path,
    label,
    ...subnet === undefined ? {} : { subnet: await resolveId(ec2, SUBNET, subnet) },
    ...eni === undefined ? {} : { eni: await resolveId(ec2, NETWORK_INTERFACE, eni) },
    ...address === undefined ? {} : { address },
    ...host === undefined ? {} : { host },
    ...input.flag('ipv6') ? { ipv6Count: 1 } : {},
    groups: await resolveIds(ec2, SECURITY_GROUP, input.list('group')),
    tags: input.tags(),
    defaultRoute: input.flag('defaultRoute')
  }
}
