/**
 * A resource of any kind by its id or its Name tag, for commands that do not care which kind it is.
 * An id is not looked up: what it named may be gone.
 */
import type { Context } from './context.ts'
import { CtlError } from './exit_codes.ts'
import { escapeFilter } from './resolve.ts'

const ID = /^[a-z]+(-[a-z]+)*-([0-9a-f]{8}|[0-9a-f]{17})$/

/** @throws CtlError NameNotFound, NameAmbiguous */
export async function resolveAny (context: Context, reference: string): Promise<string> {
  if (ID.test(reference)) return reference
  const ec2 = await context.ec2()
  const tags = await ec2.all('DescribeTags', {
    Filter: [
      { Name: 'key', Value: ['Name'] }, { Name: 'value', Value: [escapeFilter(reference)] }
    ]
  }, (page) => page.Tags)
  const ids = tags.flatMap(({ ResourceId: id }) => id === undefined ? [] : [id])
  const [id] = ids
  if (id === undefined) {
    throw new CtlError('NameNotFound', `Nothing has the Name tag "${reference}". What is gone is ` +
      'known by its id alone: "vpcctl audit list --event DeleteRouteTable" shows ids')
  }
  if (ids.length > 1) {
    throw new CtlError('NameAmbiguous', `${String(ids.length)} resources have the Name tag ` +
      `"${reference}": use one of their ids: ${ids.join(', ')}`)
  }
  return id
}
