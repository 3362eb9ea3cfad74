/**
 * The processes that live in network namespaces, found in one pass over /proc for any number of
 * namespaces: /proc/PID/ns/net and /run/netns/NAME lead to the same inode.
 *
 * To stop an instance is to cut its power: SIGKILL, and again for what was forked meanwhile.
 */
import { readdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { VpclabError } from '../base/errors.ts'
import { namespaceLink, networkNamespaceOf } from './process_facts.ts'

/** Rounds of killing before giving up on processes that fork faster than they die. */
export const KILL_ROUNDS_MAX = 50
/** Pause between two rounds, for the kernel to reap. */
const KILL_ROUND_MS = 10

/** @returns process ids, never the caller's own, of everything in any of the namespaces */
export function processesIn (namespaces: readonly string[]): number[] {
  const links = new Set<string>()
  for (const namespace of namespaces) {
    const link = namespaceLink(namespace)
    if (link !== null) links.add(link)
  }
  if (links.size === 0) return []
  const found: number[] = []
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    if (links.has(networkNamespaceOf(pid))) found.push(pid)
  }
  return found
}

/**
 * Kills every process in the namespaces and waits until none is left.
 * @returns how many were killed
 * @throws VpclabError VPCLAB_ERR_TIMEOUT when some do not die
 */
export async function killProcessesIn (namespaces: readonly string[]): Promise<number> {
  const killed = new Set<number>()
  for (let round = 0; round < KILL_ROUNDS_MAX; round++) {
    const pids = processesIn(namespaces)
    if (pids.length === 0) return killed.size
    for (const pid of pids) {
      killed.add(pid)
      try {
        process.kill(pid, 'SIGKILL')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    }
    await delay(KILL_ROUND_MS)
  }
  throw new VpclabError('VPCLAB_ERR_TIMEOUT',
    `Processes of ${namespaces.join(', ')} survive SIGKILL: ${processesIn(namespaces).join(', ')}`)
}
