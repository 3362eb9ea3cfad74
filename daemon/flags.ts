/**
 * The command line of vpcd: its flags, as text. What they mean, and which may be left out at a
 * later start, is host/lab_config.ts's business.
 */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { VpclabError } from './base/errors.ts'
import type { LabFlags } from './host/lab_config.ts'
import { LAB_NAME_DEFAULT, LAB_NAME_PATTERN } from './host/paths.ts'
import { LOG_LEVELS } from './observe/log.ts'
import type { LogLevel } from './observe/log.ts'

export const USAGE = `usage: vpcd [--lab NAME] [flags]      run a lab's daemon in the foreground
       vpcd [--lab NAME] --teardown   remove everything of a lab

What the lab is made of; kept from its first start on:
  --lab NAME             name of the lab (default ${LAB_NAME_DEFAULT})
  --hosts N | name:zone,…  hosts, over the zones in turn, or each with its zone (default 2; 0: the
                         API alone)
  --zones N              Availability Zones that N hosts stand in (default 2)
  --edges N              edges, the doors to the internet (default 3; 0 without hosts, and on
                         machines of a lab of several)
  --machine NAME=ADDRESS this machine's name in a lab of several, and where the others reach it;
                         needs an etcd (docs/cluster.md). Hosts are then called NAME-1, NAME-2 …
  --region NAME          default us-east-1
  --underlay ipv4|ipv6   address family between the hosts (default ipv4)
  --underlay-mtu BYTES   default 9216
  --store sqlite|etcd://HOST[:PORT][,HOST[:PORT]…][/PREFIX][?ca=FILE[&cert=FILE&key=FILE]]
                         where the records are: in a file of the lab (sqlite, the default), or in
                         an etcd, from which another machine can go on with the lab
  --underlay-encryption on|off
                         whether what crosses between hosts is encrypted (default off; on in a lab
                         of several machines)
  --agent-ca FILE --agent-cert FILE --agent-key FILE
                         certificates by which the hosts of several machines know each other: the
                         host's name is a DNS name in its own (default: the lab's own authority)
How it is served:
  --api-port PORT        EC2 endpoint (default 4566; 0 takes a free one)
  --api-address ADDRESS  default 127.0.0.1
  --uplink lab|real      where the lab's internet ends; real: behind the machine's own network,
                         masqueraded, IPv4 alone (default lab); names that the lab does not know
                         are asked of the resolvers in /etc/resolv.conf, or in the file that
                         VPCLAB_RESOLV_CONF names
  --metrics-port PORT    Prometheus metrics on 127.0.0.1 (default off; 0 takes a free one)
  --default-vpc on|off   a default VPC in each account of a new lab (default on, or as
                         VPCLAB_DEFAULT_VPC says)
  --access-keys FILE     lines of id:secret:account; also VPCLAB_ACCESS_KEYS
  --quota-profile NAME   quotas as the features were described (seed, the default), or as AWS has
                         them today (current)
  --quota NAME=VALUE     overrides a quota; any number of times
  --instance-slots N     instances per host
  --spin-us N            how long a data plane spins before it sleeps, µs (default 100; 0 never)
  --flow-capacity N      conversations that a host remembers (default 262144, at most 4194302)
  --flow-log-interval S  seconds that a line of a flow log may span (default 60, as on AWS)
  --state-dir DIRECTORY  for store, logs and sockets (default /var/lib/vpclab and /run/vpclab)
  --log-level LEVEL      ${LOG_LEVELS.join(', ')} (default info)
Exit codes: 0 done, 1 failed, 2 used wrongly or a prerequisite is missing.
`

const OPTIONS = {
  'lab': { type: 'string', default: LAB_NAME_DEFAULT },
  'hosts': { type: 'string' },
  'zones': { type: 'string' },
  'edges': { type: 'string' },
  'machine': { type: 'string' },
  'uplink': { type: 'string' },
  'region': { type: 'string' },
  'underlay': { type: 'string' },
  'underlay-mtu': { type: 'string' },
  'underlay-encryption': { type: 'string' },
  'agent-ca': { type: 'string' },
  'agent-cert': { type: 'string' },
  'agent-key': { type: 'string' },
  'store': { type: 'string' },
  'api-port': { type: 'string' },
  'api-address': { type: 'string' },
  'metrics-port': { type: 'string' },
  'default-vpc': { type: 'string' },
  'access-keys': { type: 'string' },
  'quota-profile': { type: 'string' },
  'quota': { type: 'string', multiple: true },
  'instance-slots': { type: 'string' },
  'spin-us': { type: 'string' },
  'flow-capacity': { type: 'string' },
  'flow-log-interval': { type: 'string' },
  'state-dir': { type: 'string' },
  'log-level': { type: 'string', default: 'info' },
  'teardown': { type: 'boolean', default: false },
  'help': { type: 'boolean', default: false }
} as const

export interface DaemonFlags {
  readonly mode: 'run' | 'teardown' | 'help'
  readonly lab: string
  /** Absolute; null for the usual places. */
  readonly stateDirectory: string | null
  readonly logLevel: LogLevel
  readonly config: LabFlags
}

/** @throws VpclabError VPCLAB_ERR_CONFIG for an unknown flag, a bad lab name or log level */
export function parseFlags (args: readonly string[]): DaemonFlags {
  const values = parse(args)
  if (!LAB_NAME_PATTERN.test(values.lab)) {
    throw new VpclabError('VPCLAB_ERR_CONFIG', `The lab's name "${values.lab}" is not valid: ` +
      'it takes a letter and up to 19 lower-case letters and digits')
  }
  const logLevel = LOG_LEVELS.find((name) => name === values['log-level'])
  if (logLevel === undefined) {
    throw new VpclabError('VPCLAB_ERR_CONFIG',
      `The value "${values['log-level']}" of --log-level is not one of ${LOG_LEVELS.join(', ')}`)
  }
  return {
    mode: values.help ? 'help' : values.teardown ? 'teardown' : 'run',
    lab: values.lab,
    stateDirectory: values['state-dir'] === undefined ? null : resolve(values['state-dir']),
    logLevel,
    config: {
      region: values.region,
      hosts: values.hosts,
      zones: values.zones,
      edges: values.edges,
      machine: values.machine,
      uplink: values.uplink,
      store: values.store,
      underlay: values.underlay,
      underlayMtu: values['underlay-mtu'],
      underlayEncryption: values['underlay-encryption'],
      agentCa: values['agent-ca'],
      agentCert: values['agent-cert'],
      agentKey: values['agent-key'],
      instanceSlots: values['instance-slots'],
      apiAddress: values['api-address'],
      apiPort: values['api-port'],
      metricsPort: values['metrics-port'],
      spinUs: values['spin-us'],
      flowCapacity: values['flow-capacity'],
      flowLogInterval: values['flow-log-interval'],
      defaultVpc: values['default-vpc'] ?? process.env['VPCLAB_DEFAULT_VPC'],
      accessKeys: values['access-keys'],
      quotaProfile: values['quota-profile'],
      quotas: values.quota
    }
  }
}

function parse (args: readonly string[]): ReturnType<typeof parseOptions>['values'] {
  try {
    return parseOptions(args).values
  } catch (error) {
    throw new VpclabError('VPCLAB_ERR_CONFIG',
      `${(error as Error).message}. See vpcd --help`, { cause: error })
  }
}

function parseOptions (args: readonly string[]) {
  return parseArgs({ args: [...args], strict: true, options: OPTIONS })
}
