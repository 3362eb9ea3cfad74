/**
 * Looks at a directory that is to be the image of instances. Nothing in it is run or followed out
 * of it: a link is resolved as it will be inside, where the directory is the root.
 */
import { lstatSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { ImageKind } from '../model/image.ts'

/** Links followed for one name, as the kernel does (MAXSYMLINKS). */
const LINKS_MAX = 40
/** What every instance of an image needs: user data and `vpcctl instance shell` run in it. */
const SHELL = '/bin/sh'

/** What a virtual machine boots, within the directory of its image. */
export const VM_KERNEL = 'vmlinuz'
export const VM_INITRD = 'initrd.img'

/** What a directory holds: the two files of a virtual machine, or what should be a root. */
export function imageKindOf (directory: string): ImageKind {
  const isThere = (name: string): boolean =>
    statSync(join(directory, name), { throwIfNoEntry: false })?.isFile() === true
  return isThere(VM_KERNEL) && isThere(VM_INITRD) ? 'vm' : 'root'
}

/** What keeps a directory from being a root file system, as the end of a sentence; or null. */
export function imageDirectoryFault (directory: string): string | null {
  if (directory === '/') return 'is the root of the machine, which the image "host" already is'
  const stat = statSync(directory, { throwIfNoEntry: false })
  if (stat === undefined) return 'does not exist'
  if (!stat.isDirectory()) return 'is no directory'
  const shell = resolveInside(directory, SHELL)
  const found = shell === null ? undefined : lstatSync(join(directory, shell))
  if (found?.isFile() !== true) return `has no ${SHELL}`
  if ((found.mode & 0o111) === 0) return `has a ${SHELL} that cannot be executed`
  return null
}

/** Where a path leads when `root` is the root directory; null when it leads nowhere. */
export function resolveInside (root: string, path: string): string | null {
  let resolved = '/'
  const names = path.split('/').filter((name) => name !== '')
  for (let links = 0; names.length > 0;) {
    const name = names.shift() ?? ''
    if (name === '.' || name === '') continue
    const next = join(resolved, name) // of "..": never above the root
    const stat = lstatSync(join(root, next), { throwIfNoEntry: false })
    if (stat === undefined) return null
    if (stat.isSymbolicLink()) {
      if (++links > LINKS_MAX) return null
      const target = readlinkSync(join(root, next))
      if (target.startsWith('/')) resolved = '/'
      names.unshift(...target.split('/'))
    } else resolved = next
  }
  return resolved
}
