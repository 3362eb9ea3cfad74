/**
 * One object for a person: `name  value` lines, nested objects and lists indented beneath their
 * name. What `vpcctl <noun> show` prints; `--json` prints the same object.
 *
 *     VpcId       vpc-0123456789abcdef0
 *     Tags
 *       - Key    Name
 *         Value  web
 */

const INDENT = '  '

/** Lines without a newline at the end. */
export function formatTree (value: unknown): string {
  return treeLines(value).join('\n')
}

function treeLines (value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(listItemLines)
  if (typeof value !== 'object' || value === null) return [String(value)]
  const members = Object.entries(value).filter(([, member]) => !isEmpty(member))
  const nameWidth = Math.max(0, ...members
    .filter(([, member]) => typeof member !== 'object').map(([name]) => name.length))
  return members.flatMap(([name, member]) => typeof member === 'object'
    ? [name, ...treeLines(member).map((line) => INDENT + line)]
    : [`${name.padEnd(nameWidth)}  ${String(member)}`])
}

function listItemLines (item: unknown): string[] {
  return treeLines(item).map((line, index) => (index === 0 ? '- ' : INDENT) + line)
}

function isEmpty (value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true
  return typeof value === 'object' && Object.keys(value).length === 0
}
