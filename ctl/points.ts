/** Places of the data plane by name: hosts, and resources of some kinds. */
import type { Context } from './context.ts'
import { CtlError } from './exit_codes.ts'
import { type Nameable, NameNotFound, resolveId } from './resolve.ts'

/**
 * @param reference a host, or an id or Name tag of one of `kinds`
 * @throws CtlError NameNotFound, NameAmbiguous
 */
export async function resolvePoint (
  context: Context, kinds: readonly Nameable[], reference: string
): Promise<string> {
  if (kinds.some(({ idPrefix }) => reference.startsWith(idPrefix))) return reference
  const { hosts } = await context.admin.status()
  if (hosts.some(({ name }) => name === reference)) return reference
  const ec2 = await context.ec2()
  const ids = await Promise.all(kinds.map(async (kind) => {
    try {
      return await resolveId(ec2, kind, reference)
    } catch (error) {
      if (error instanceof NameNotFound) return null
      throw error
    }
  }))
  const [id, other] = ids.filter((found) => found !== null)
  if (id === undefined) {
    const words = kinds.map(({ word }) => word)
    throw new CtlError('NameNotFound', `No ${words.slice(0, -1).join(', ')} or ` +
      `${words.at(-1) ?? ''} has the Name tag "${reference}", and no host: the hosts are ` +
      hosts.map(({ name }) => name).join(', '))
  }
  if (other !== undefined) {
    throw new CtlError('NameAmbiguous',
      `"${reference}" names ${id} and ${other}: use the id of the one that is meant`)
  }
  return id
}
