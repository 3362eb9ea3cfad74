/**
 * What /proc tells of a process that somebody noted down: its number may have been given to another
 * one since, and a zombie has one, too.
 */
import { readFileSync, readlinkSync, statSync } from 'node:fs'
import { namespacePath } from './paths.ts'

/** Program and arguments; none when there is no such process, or it has ended. */
export function commandWordsOf (pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

/** `net:[inode]`, or empty for a process that has ended or is a kernel thread. */
export function networkNamespaceOf (pid: number): string {
  try {
    return readlinkSync(`/proc/${String(pid)}/ns/net`)
  } catch {
    return ''
  }
}

/** What networkNamespaceOf() answers for processes in a named namespace; null: there is none. */
export function namespaceLink (namespace: string): string | null {
  const stat = statSync(namespacePath(namespace), { throwIfNoEntry: false })
  return stat === undefined ? null : `net:[${String(stat.ino)}]`
}

/** Whether the process lives in the namespace that has the name now. */
export function livesIn (pid: number, namespace: string): boolean {
  return networkNamespaceOf(pid) === namespaceLink(namespace)
}
