/**
 * `vpcctl lab …`: the lab as a whole.
 *
 *     (nothing) ── up ──▶ running ── stop, kill -9 ──▶ stopped ── up ──▶ running
 *         ◀────────────── down, from any state ──────────────
 *
 * What the lab is made of is decided at its first `up` (daemon/host/lab_config.ts); a later `up`
 * with equal flags, or none, succeeds, one with others is refused. `reset` empties a running lab.
 */
import { resolve } from 'node:path'
import type { HostStatus, LabStatusAnswer, MachineView } from '../../daemon/api/admin/contract.ts'
import {
  type Command, defineCommand, type CommandOption, type Input, TIMEOUT_OPTION, timeoutMs
} from '../command.ts'
import type { Context } from '../context.ts'
import { removeLab, startDaemon, statusOrNull } from '../daemon_process.ts'
import { CtlError } from '../exit_codes.ts'
import { waitForRevision } from '../instances.ts'
import type { Column } from '../print/table.ts'

/** Flags that `vpcd` takes under the same names. */
const DAEMON_OPTIONS: readonly CommandOption[] = [
  {
    flags: '--hosts <hosts>',
    description: 'number of hosts, or name:zone-id,… (default: 2); 0 serves the API alone'
  },
  { flags: '--zones <count>', description: 'zones that the hosts are spread over (default: 2)' },
  {
    flags: '--edges <count>',
    description: 'edges, the doors to the internet (default: 3; 0 without hosts)'
  },
  {
    flags: '--uplink <where>',
    description: 'where the internet ends; real: behind the machine\'s network (default: lab)',
    values: ['lab', 'real']
  },
  { flags: '--region <region>', description: 'Region (default: us-east-1)' },
  { flags: '--api-port <port>', description: 'port of the EC2 API (default: 4566)' },
  { flags: '--api-address <address>', description: 'address of the EC2 API (default: 127.0.0.1)' },
  {
    flags: '--metrics-port <port>',
    description: 'port of Prometheus metrics on 127.0.0.1, or off (default: off)'
  },
  { flags: '--underlay <family>', description: 'default: ipv4', values: ['ipv4', 'ipv6'] },
  { flags: '--underlay-mtu <bytes>', description: 'MTU between the hosts (default: 9216)' },
  {
    flags: '--underlay-encryption <state>', values: ['on', 'off'],
    description: 'whether what crosses between hosts is encrypted (default: off, and on with ' +
      '--machine)'
  },
  { flags: '--agent-ca <file>', description: 'authority of the hosts\' certificates' },
  { flags: '--agent-cert <file>', description: 'certificate with the names of the hosts' },
  { flags: '--agent-key <file>', description: 'its private key' },
  {
    flags: '--store <store>',
    description: 'where the records are: sqlite, a file of the lab, or etcd://host:port ' +
      '(default: sqlite)'
  },
  {
    flags: '--machine <name=address>',
    description: 'this machine in a lab of several, and where the others reach it; needs an etcd'
  },
  {
    flags: '--spin-us <microseconds>',
    description: 'busy polling after the last packet, 0 for never'
  },
  {
    flags: '--flow-capacity <count>',
    description: 'conversations that a host remembers (default: 262144)'
  },
  {
    flags: '--flow-log-interval <seconds>',
    description: 'what a line of a flow log may span, 1 to 60 (default: 60)'
  },
  {
    flags: '--default-vpc <state>', values: ['on', 'off'],
    description: 'a default VPC in each account of a new lab (default: on)'
  },
  { flags: '--access-keys <file>', description: 'lines of access key:secret:account id' },
  {
    flags: '--quota-profile <profile>',
    description: 'quotas as first described, or as AWS has them today (default: seed)',
    values: ['seed', 'current']
  },
  { flags: '--quota <name=value>', description: 'a quota of the lab', repeats: true }
]

/** Options that name files. */
const PATH_OPTIONS: ReadonlySet<string> =
  new Set(['accessKeys', 'agentCa', 'agentCert', 'agentKey'])

const HOST_COLUMNS: readonly Column<HostStatus>[] = [
  { header: 'host', value: (host) => host.name },
  { header: 'zone', value: (host) => host.zoneId },
  { header: 'namespace', value: (host) => host.namespace, hides: true },
  { header: 'underlay', value: (host) => host.underlayAddress },
  {
    header: 'revision',
    value: (host) => String(host.appliedRevision),
    align: 'right', hides: true
  },
  { header: 'enis', value: (host) => String(host.ports), align: 'right' },
  { header: 'flows', value: (host) => String(host.flows), align: 'right', hides: true },
  { header: 'wire', value: (host) => host.wireMode }
]

export const labCommands: readonly Command[] = [
  defineCommand({
    name: 'up',
    summary: 'Start the lab and wait until its hosts are ready',
    action: 'vpcd on this machine',
    options: [...DAEMON_OPTIONS, TIMEOUT_OPTION],
    examples: [
      'vpcctl lab up',
      'vpcctl lab up --hosts 4 --zones 2 --underlay-mtu 1500',
      'vpcctl --lab second lab up --api-port 4567'
    ],
    run: up
  }),
  defineCommand({
    name: 'status',
    summary: 'Show the hosts of the lab',
    action: 'GET /status (admin API)',
    note: 'Zones stand here by id, which is the same for every account; "vpcctl zone list"\n' +
      'shows the name of each, by which subnets and instances are listed.',
    examples: ['vpcctl lab status', 'vpcctl lab status --json'],
    async run (context) { printStatus(context, await context.admin.status()) }
  }),
  defineCommand({
    name: 'reset',
    summary: 'Remove every resource, keep the hosts',
    action: 'POST /reset (admin API)',
    examples: ['vpcctl lab reset'],
    async run (context) {
      const answer = await context.output.progress(`Emptying the lab "${context.lab}"`,
        () => context.admin.reset())
      context.output.done(
        `Removed ${String(answer.removed)} resources of the lab "${context.lab}".`, answer)
    }
  }),
  defineCommand({
    name: 'stop',
    summary: 'Stop the daemon; instances and devices stay, "lab up" goes on with them',
    action: 'POST /stop (admin API)',
    examples: ['vpcctl lab stop'],
    async run (context) {
      await context.admin.stop()
      context.output.done(`Stopped the daemon of the lab "${context.lab}".`, { lab: context.lab })
    }
  }),
  defineCommand({
    name: 'down',
    summary: 'Remove the lab: daemon, instances, devices, namespaces and files',
    action: 'vpcd --teardown on this machine',
    examples: ['vpcctl lab down', 'vpcctl --lab second lab down'],
    async run (context) {
      const removed = await context.output.progress(`Removing the lab "${context.lab}"`,
        () => removeLab(context.lab))
      context.output.done(removed.labFound
        ? `The lab "${context.lab}" is gone.`
        : `There is no lab "${context.lab}"; nothing was removed.`, removed)
    }
  })
]

async function up (context: Context, input: Input): Promise<void> {
  const flags = daemonFlags(input)
  const running = await statusOrNull(context)
  if (running !== null) {
    await checkSameLab(context, input)
    await waitForRevision(context, running.revision, timeoutMs(input))
    context.output.note(`The lab "${context.lab}" is up already.`)
    printStatus(context, await context.admin.status())
    return
  }
  printStatus(context, await startDaemon(context, flags, timeoutMs(input)))
}

/** What was typed, in `vpcd`'s words. */
function daemonFlags (input: Input): string[] {
  return DAEMON_OPTIONS.flatMap(({ flags, repeats }) => {
    const flag = flags.slice(0, flags.indexOf(' '))
    const name = optionName(flag)
    const values = repeats === true
      ? input.list(name)
      : [PATH_OPTIONS.has(name) ? pathOf(input, name) : input.text(name)]
    return values.flatMap((value) => value === undefined ? [] : [flag, value])
  })
}

/** Absolute: the daemon works in another directory, and is started again from yet another. */
function pathOf (input: Input, name: string): string | undefined {
  const path = input.text(name)
  return path === undefined ? undefined : resolve(path)
}

/** `--api-port` → `apiPort`, as commander names it. */
function optionName (flag: string): string {
  return flag.slice(2).replace(/-(.)/g, (_match, letter: string) => letter.toUpperCase())
}

/**
 * Whether the flags describe the lab that runs; absent ones always do.
 * @throws CtlError VPCLAB_ERR_LAB_RUNNING, VpclabError VPCLAB_ERR_CONFIG when they do not
 */
async function checkSameLab (context: Context, input: Input): Promise<void> {
  const { readConfig, resolveConfig } = await import('../../daemon/host/lab_config.ts')
  const running = readConfig(context.lab)
  if (running === null) return
  const wanted = resolveConfig({
    region: input.text('region'),
    hosts: input.text('hosts'),
    zones: input.text('zones'),
    edges: input.text('edges'),
    machine: input.text('machine'),
    uplink: input.text('uplink'),
    store: input.text('store'),
    underlay: input.text('underlay'),
    underlayMtu: input.text('underlayMtu'),
    underlayEncryption: input.text('underlayEncryption'),
    agentCa: pathOf(input, 'agentCa'),
    agentCert: pathOf(input, 'agentCert'),
    agentKey: pathOf(input, 'agentKey'),
    instanceSlots: input.text('instanceSlots'),
    apiAddress: input.text('apiAddress'),
    apiPort: input.text('apiPort'),
    metricsPort: input.text('metricsPort'),
    spinUs: input.text('spinUs'),
    flowCapacity: input.text('flowCapacity'),
    defaultVpc: input.text('defaultVpc'),
    flowLogInterval: input.text('flowLogInterval'),
    accessKeys: pathOf(input, 'accessKeys'),
    quotaProfile: input.text('quotaProfile'),
    quotas: input.list('quota')
  }, running)
  const different = Object.entries(wanted).filter(([field, value]) =>
    JSON.stringify(value) !== JSON.stringify(running[field as keyof typeof running]))
  if (different.length === 0) return
  throw new CtlError('VPCLAB_ERR_LAB_RUNNING',
    `The lab "${context.lab}" runs already, with another ` +
    `${different.map(([field]) => field).join(', ')}: "vpcctl lab stop" and then "lab up" ` +
    'takes the new one')
}

function machineLine (
  { name, address, hosts, isThis, isLost, appliedRevision }: MachineView): string {
  const state = isLost ? 'nothing is heard of it'
    : appliedRevision === null ? 'it starts' : `applied ${String(appliedRevision)}`
  const carries = hosts.length === 0 ? 'no hosts' : hosts.join(', ')
  return `machine ${name}${isThis ? ' (this one)' : ''} ${address}: ${carries}; ${state}`
}

function printStatus (context: Context, status: LabStatusAnswer): void {
  const { output } = context
  if (output.form === 'json') {
    output.json(status)
    return
  }
  output.rows(status.hosts, HOST_COLUMNS, (host) => host.name)
  for (const machine of status.machines) output.note(machineLine(machine))
  const instances = Object.entries(status.instances).filter(([, count]) => count > 0)
    .map(([state, count]) => `${String(count)} ${state}`).join(', ')
  const metrics = status.metricsUrl === null ? '' : `metrics ${status.metricsUrl}, `
  output.note(`EC2 API ${status.endpointUrl}, Region ${status.region}, ${metrics}` +
    `process ${String(status.pid)}, ` +
    `revision ${String(status.revision)} (applied ${String(status.appliedRevision)}), ` +
    `instances: ${instances === '' ? 'none' : instances}`)
  if (status.storeUnreachableSince !== null) {
    output.note(`The store is out of reach since ${status.storeUnreachableSince}: nothing can be ` +
      'changed, and what is read is as old. Traffic goes on. ' +
      `The reason: ${status.storeUnreachableReason ?? 'not known'}`)
  }
}
