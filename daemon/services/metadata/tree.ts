/**
 * Directories over paths: what an instance's metadata looks like to whoever walks it. A directory
 * lists its names one per line, those of directories with a slash; it has no listing of its own
 * anywhere, so paths alone make the tree.
 */

/** Leaves below /latest/, by path. */
export type Leaves = ReadonlyMap<string, string>

const VERSION = 'latest'
/** The one category of a tag is its key, which may hold slashes: it is no directory. */
const TAGS = 'meta-data/tags/instance/'

/**
 * @param path of the request, without a query: `/latest/meta-data/placement/`
 * @returns the text of a leaf or a directory; null when there is no such path
 */
export function readTree (leaves: Leaves, path: string): string | null {
  const names = path.split('/').filter((name) => name !== '')
  if (names.length === 0) return VERSION
  if (names[0] !== VERSION) return null
  const below = names.slice(1).join('/')
  const leaf = leaves.get(below)
  if (leaf !== undefined) return leaf
  return listDirectory(leaves, below === '' ? '' : `${below}/`)
}

/** @param directory with a slash at its end; empty for the root */
function listDirectory (leaves: Leaves, directory: string): string | null {
  const names = new Set<string>()
  for (const path of leaves.keys()) {
    if (!path.startsWith(directory)) continue
    const rest = path.slice(directory.length)
    const slash = directory === TAGS ? -1 : rest.indexOf('/')
    names.add(slash < 0 ? rest : rest.slice(0, slash + 1))
  }
  if (names.size === 0) return null
  // The three at the top are listed without a slash, as EC2 does.
  const list = [...names].map((name) => directory === '' ? name.replace(/\/$/, '') : name)
  return list.sort().join('\n')
}
