/**
 * The lab itself, as the file has it: started with the file's hosts when it is down; compared with
 * them when it is up, since a lab's hosts are its for life.
 */
import type { LabConfig, LabFlags } from '../../daemon/host/lab_config.ts'
import type { Context } from '../context.ts'
import { startDaemon } from '../daemon_process.ts'
import { CtlError, EXIT_USAGE } from '../exit_codes.ts'
import type { LabFile } from './schema.ts'

/** @throws CtlError VPCLAB_ERR_LAB_DOWN for a file without hosts */
export async function startLab (context: Context, file: LabFile, apiPort: string | undefined,
  timeoutMs: number): Promise<void> {
  if (file.hosts === undefined) {
    throw new CtlError('VPCLAB_ERR_LAB_DOWN', `The lab "${context.lab}" is down, and the file ` +
      `"${file.name}" has no "hosts" to start it with: use "vpcctl lab up"`)
  }
  const { hosts, edges, region, underlayMtu } = flagsOf(file)
  const flags = [
    ['--hosts', hosts], ['--edges', edges], ['--region', region],
    ['--underlay-mtu', underlayMtu], ['--api-port', apiPort]
  ].flatMap(([flag = '', value]) => value === undefined ? [] : [flag, value])
  context.output.note(`Starting the lab "${context.lab}" ...`)
  await startDaemon(context, flags, timeoutMs)
}

/**
 * @throws CtlError BadLabFile when the lab that runs is made of other hosts, or when no lab can be
 *   made as the file says
 */
export async function checkHosts (context: Context, file: LabFile): Promise<void> {
  const { readConfig, resolveConfig } = await import('../../daemon/host/lab_config.ts')
  const running = readConfig(context.lab)
  if (running === null) return
  const flags = flagsOf(file)
  let wanted: LabConfig
  try {
    wanted = resolveConfig({ ...flags, region: flags.region ?? running.region }, null)
  } catch (error) {
    throw new CtlError('BadLabFile', `No lab can be as the file "${file.name}" says. ` +
      (error as Error).message, EXIT_USAGE)
  }
  const differing = ([
    ['hosts', flags.hosts, hostsText(wanted), hostsText(running)],
    ['edges', flags.edges, String(wanted.edges), String(running.edges)],
    ['region', flags.region, wanted.region, running.region],
    ['underlay-mtu', flags.underlayMtu, String(wanted.underlayMtu), String(running.underlayMtu)]
  ] as const).filter(([, given, now, then]) => given !== undefined && now !== then)
  if (differing.length === 0) return
  const said = differing.map(([field, , now, then]) =>
    `It was made with ${field} ${then}, not ${now}: write ${then} in the file, or leave ` +
    `"${field}" out`)
  throw new CtlError('BadLabFile', `The file "${file.name}" wants another lab than ` +
    `"${context.lab}", which runs. ${said.join('. ')}; or remove the lab with ` +
    '"vpcctl lab down" first. Nothing was changed')
}

function hostsText ({ hosts }: LabConfig): string {
  return hosts.map(({ name, zoneId }) => `${name}:${zoneId}`).join(', ') || 'none'
}

/** The file's hosts in the words of vpcd's flags. */
function flagsOf (file: LabFile): LabFlags {
  const { hosts } = file
  return {
    hosts: hosts === undefined || typeof hosts === 'number'
      ? hosts === undefined ? undefined : String(hosts)
      : Object.entries(hosts).map(([name, zone]) => `${name}:${String(zone)}`).join(','),
    edges: file.edges === undefined ? undefined : String(file.edges),
    region: file.region,
    underlayMtu: file['underlay-mtu'] === undefined ? undefined : String(file['underlay-mtu'])
  }
}
