/**
 * What a lab that is down has left on the machine: namespaces, devices, processes, files. All of a
 * lab's names begin with its own (daemon/host/paths.ts), so looking for that finds everything.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { NAMESPACE_DIRECTORY, runDirectory, stateDirectory } from '../../daemon/host/paths.ts'
import { command } from './command.ts'

/** @returns one line per thing found; empty when nothing is left */
export async function leftovers (lab: string): Promise<string[]> {
  const links = JSON.parse(await command('ip', '-j', 'link', 'show')) as { ifname: string }[]
  const namespaces = existsSync(NAMESPACE_DIRECTORY) ? readdirSync(NAMESPACE_DIRECTORY) : []
  return [
    ...namespaces.filter((name) => name.startsWith(`${lab}-`)).map((name) => `namespace ${name}`),
    ...links.filter((link) => link.ifname.startsWith(lab)).map((link) => `device ${link.ifname}`),
    ...processesOf(lab).map((line) => `process ${line}`),
    ...[runDirectory(lab), stateDirectory(lab)].filter((path) => existsSync(path))
      .map((path) => `file ${path}`),
    ...readdirSync('/dev/shm').filter((name) => name.startsWith(`vpclab-${lab}-`))
      .map((name) => `file /dev/shm/${name}`)
  ]
}

/** Processes whose command line or environment names the lab. */
function processesOf (lab: string): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    if (Number(pid) === process.pid) return []
    const commandLine = readProc(pid, 'cmdline').replaceAll('\0', ' ').trim()
    const named = commandLine.split(' ').some((word) => word === lab || word.startsWith(`${lab}-`))
    return named ? [`${pid} ${commandLine}`] : []
  })
}

/** A process may end while it is looked at: then it is not there. */
function readProc (pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
