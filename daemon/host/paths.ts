/**
 * Names of everything a lab leaves on the machine: namespaces, devices, files. All begin with the
 * lab's name, so that several labs live side by side and a teardown finds all of one and none of
 * another.
 *
 *     namespace  <lab>-underlay   the underlay: one bridge, a veth to each host
 *                <lab>-<host>     a physical host (`vpclab-host-1`)
 *                <lab>-<instance> an instance (`vpclab-i-0123456789abcdef0`)
 *     files      /var/lib/vpclab/<lab>/   store, configuration, credentials, logs, user data
 *                /run/vpclab/<lab>/       pid file, admin socket, what each instance has booted
 *                /dev/shm/vpclab-<lab>-<host>.flows
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
/** What the running instance has booted; it goes with the namespaces when the machine restarts. */
export function bootPath (lab: string, instanceId: string): string {
  return runFile(lab, `instances/${instanceId}.json`)
}

export function flowFilePath (lab: string, host: string): string {
  return `/dev/shm/vpclab-${lab}-${host}.flows`
}
