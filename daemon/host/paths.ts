/**
 * Names of everything a lab leaves on the machine: namespaces, devices, files. All begin with the
 * lab's name, so that several labs live side by side and a teardown finds all of one and none of
 * another.
 *
 *     namespace  <lab>-underlay   the underlay: one bridge, a veth to each host
 *                <lab>-internet   hosts on the internet; <lab>-internet-router, before them
 *                <lab>-<host>     a physical host (`vpclab-host-1`)
 *                <lab>-<instance> an instance (`vpclab-i-0123456789abcdef0`)
 *                <lab>-<gateway>  where the tunnels of a virtual private gateway end
 *                <lab>-<edge>-ike where the outside addresses of an edge's tunnels are
 *     files      /var/lib/vpclab/<lab>/   store, audit trail, change history, configuration,
 *                                         credentials, logs, user data
 *                /run/vpclab/<lab>/       pid file, admin socket, what each instance has booted
 *                /run/vpclab/<lab>/guests/    which namespaces are not the lab's own
 *                /run/vpclab-bgp/<lab>/       BGP speakers of virtual private gateways
 *                /run/vpclab-ipsec/<lab>/     charon of each edge with VPN tunnels
 *                /dev/shm/vpclab-<lab>-<host>.flows, and .counters-0 … of an edge
 *
 * `VPCLAB_STATE_DIR` names another place for the first two; so does running without root, which an
 * API without hosts can. Daemon and command line find each other as long as both see the same.
 */
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Environment variable; `vpcd --state-dir` sets it. */
export const STATE_DIRECTORY_VARIABLE = 'VPCLAB_STATE_DIR'

/** A lab's name: it becomes part of namespace names (NAME_MAX) and socket paths (108 bytes). */
export const LAB_NAME_PATTERN = /^[a-z][a-z0-9]{0,19}$/
export const LAB_NAME_DEFAULT = 'vpclab'

export const NAMESPACE_DIRECTORY = '/run/netns'

export function underlayNamespace (lab: string): string { return `${lab}-underlay` }
/** Where hosts on the internet are: programs run in here are on the internet. */
export function internetNamespace (lab: string): string { return `${lab}-internet` }
export function routerNamespace (lab: string): string { return `${lab}-internet-router` }
/** @param name a host's name or an instance's id */
export function namespaceName (lab: string, name: string): string { return `${lab}-${name}` }
export function namespacePath (name: string): string { return join(NAMESPACE_DIRECTORY, name) }

export function stateDirectory (lab: string): string {
  return join(ownDirectory() ?? '/var/lib/vpclab', lab)
}
export function runDirectory (lab: string): string {
  const own = ownDirectory()
  return own === null ? `/run/vpclab/${lab}` : join(own, lab, 'run')
}
function ownDirectory (): string | null {
  const named = process.env[STATE_DIRECTORY_VARIABLE]
  if (named !== undefined && named !== '') return named
  return process.getuid?.() === 0 ? null : join(homedir(), '.local', 'state', 'vpclab')
}

function stateFile (lab: string, name: string): string { return join(stateDirectory(lab), name) }
export function storePath (lab: string): string { return stateFile(lab, 'store.sqlite') }
export function credentialsPath (lab: string): string { return stateFile(lab, 'credentials') }
/** Directory of the audit trail: JSON lines and their index. */
export function auditDirectory (lab: string): string { return stateFile(lab, 'audit') }
export function historyPath (lab: string): string { return stateFile(lab, 'history.sqlite') }
/** Directory of flow logs on their way, and of the log groups. */
export function flowLogsDirectory (lab: string): string { return stateFile(lab, 'flow_logs') }
/** Private keys of certificate authorities and certificates. */
export function privateKeysDirectory (lab: string): string { return stateFile(lab, 'private_keys') }
/** Certificates by which the hosts know each other. */
export function agentsDirectory (lab: string): string { return stateFile(lab, 'agents') }
/** What stands for S3: a directory for each bucket. */
export function bucketsDirectory (lab: string): string { return stateFile(lab, 'buckets') }
export function logPath (lab: string): string { return stateFile(lab, 'vpcd.log') }
export function configPath (lab: string): string { return stateFile(lab, 'lab.json') }
export function instanceLogPath (lab: string, instanceId: string): string {
  return stateFile(lab, `instances/${instanceId}.log`)
}
export function userDataPath (lab: string, instanceId: string): string {
  return stateFile(lab, `instances/${instanceId}.user-data`)
}

function runFile (lab: string, name: string): string { return join(runDirectory(lab), name) }
export function pidPath (lab: string): string { return runFile(lab, 'vpcd.pid') }
export function adminSocketPath (lab: string): string { return runFile(lab, 'admin.sock') }
/** What a lab has changed on the machine for its uplink. */
export function realUplinkPath (lab: string): string { return runFile(lab, 'uplink.json') }
/** What a lab has changed on the machine to reach its other machines. */
export function machineLinkPath (lab: string): string { return runFile(lab, 'machine_link.json') }
/** What the Wireshark dissector reads names from; `vpcctl` writes it (ctl/names_file.ts). */
export function namesPath (lab: string): string { return runFile(lab, 'names.tsv') }
/** What the running instance has booted; it goes with the namespaces when the machine restarts. */
export function bootPath (lab: string, instanceId: string): string {
  return runFile(lab, `instances/${instanceId}.json`)
}

/** What is known of the process of a virtual machine. */
export function vmPath (lab: string, instanceId: string): string {
  return runFile(lab, `instances/${instanceId}.vm.json`)
}
/** Socket on which qemu takes commands (QMP). */
export function vmControlPath (lab: string, instanceId: string): string {
  return runFile(lab, `instances/${instanceId}.qmp`)
}
/** Socket that is the serial line of a virtual machine. */
export function vmConsolePath (lab: string, instanceId: string): string {
  return runFile(lab, `instances/${instanceId}.console`)
}

/** Process 1 of an instance that has a root file system of its own. */
export function initPidPath (lab: string, instanceId: string): string {
  return runFile(lab, `instances/${instanceId}.pid`)
}
export const LAYER_SUFFIX = '.layer'
/** What an instance with a root file system of its own has written, beside the image. */
export function layerDirectory (lab: string, instanceId: string): string {
  return stateFile(lab, `instances/${instanceId}${LAYER_SUFFIX}`)
}

/**
 * One file per attached guest. Where no variable moves it: /run/netns, which it is about, is the
 * machine's too.
 */
export function guestDirectory (lab: string): string { return `/run/vpclab/${lab}/guests` }

/**
 * Files of BGP speakers, a directory per gateway: not moved by the variable, and apart from the
 * rest. Speakers have a user of their own, whom nothing else of the lab is for.
 */
export function bgpDirectory (lab: string): string { return `/run/vpclab-bgp/${lab}` }

/** Where the outside addresses of an edge's VPN tunnels are, and IKE is spoken. */
export function ikeNamespace (lab: string, edge: string): string { return `${lab}-${edge}-ike` }
/**
 * Sockets, keys and log of an edge's charon: not moved by the variable, for a socket's path has 108
 * bytes at most. @param edge empty: the folder of all edges
 */
export function ipsecDirectory (lab: string, edge: string): string {
  return join(`/run/vpclab-ipsec/${lab}`, edge)
}
/** What each SA of an edge has carried. */
export function espFilePath (lab: string, edge: string): string {
  return sharedFilePath(lab, edge, 'esp')
}

/** What passed encrypted between a host and each other one. */
export function wireFilePath (lab: string, host: string): string {
  return sharedFilePath(lab, host, 'wire')
}

/** Memory of a host besides its flows, where its data plane is a process. */
export function sharedFilePath (lab: string, host: string, name: string): string {
  return `/dev/shm/vpclab-${lab}-${host}.${name}`
}
export function natFilePath (lab: string, host: string): string {
  return `/dev/shm/vpclab-${lab}-${host}.nat`
}

export function flowFilePath (lab: string, host: string): string {
  return `/dev/shm/vpclab-${lab}-${host}.flows`
}
