/**
 * A drawing in Graphviz's DOT language, and as SVG. https://graphviz.org/doc/info/lang.html;
 * escapes of labels: https://graphviz.org/docs/attr-types/escString/.
 *
 * Every text stands on a light fill of its own and the page is transparent, so that the SVG can be
 * read on a light and on a dark background.
 */
import type { Box, BoxKind, Drawing, Edge, EdgeKind, Node, NodeKind } from './drawing.ts'

const INDENT = '  '
const FONT = 'Helvetica,Arial,sans-serif'
const INK = '#1b1b1b'
const QUIET_INK = '#5a5a5a'

const BOX_STYLES: Readonly<Record<BoxKind, string>> = {
  underlay: 'style="rounded,filled" fillcolor="#ececec" color="#8a8a8a"',
  vpc: 'style="rounded,filled" fillcolor="#eef4fb" color="#3b6fb0"',
  zone: 'style="rounded,filled,dashed" fillcolor="#f7f7f7" color="#9a9a9a"',
  subnet: 'style="rounded,filled" fillcolor="#e6f3e6" color="#4c8c4c"',
  connections: 'style="rounded,filled" fillcolor="#f7f2fb" color="#7b4aa8"'
}

const NODE_STYLES: Readonly<Record<NodeKind, string>> = {
  host: 'style="rounded,filled" fillcolor="#ffffff" color="#6b6b6b"',
  table: 'style="filled" shape=note fillcolor="#fff8e1" color="#b08a2e"',
  gateway: 'style="filled" shape=house fillcolor="#f3e8fb" color="#7b4aa8"',
  running: 'style="rounded,filled" fillcolor="#ffffff" color="#4c8c4c"',
  idle: 'style="rounded,filled,dashed" fillcolor="#f0f0f0" color="#9a9a9a" ' +
    `fontcolor="${QUIET_INK}"`,
  empty: `style="" shape=plaintext fontcolor="${QUIET_INK}"`
}

const EDGE_STYLES: Readonly<Record<EdgeKind, string>> = {
  association: 'color="#7a7a7a" arrowsize=0.7',
  route: 'color="#3b6fb0" penwidth=1.6 constraint=false',
  blackhole: 'color="#c62828" fontcolor="#c62828" style=dashed constraint=false',
  'same-instance': 'color="#7a7a7a" style=dotted dir=none constraint=false',
  connection: 'color="#7b4aa8" penwidth=1.6 dir=none'
}

/** Lines with a newline at the end. */
export function toDot (drawing: Drawing): string {
  const anchors = new Map(drawing.boxes.flatMap(anchorsOf))
  const lines = [
    'digraph lab {',
    `  graph [rankdir=LR compound=true bgcolor="transparent" fontname="${FONT}"`,
    `    fontcolor="${INK}" fontsize=11 nodesep=0.25 ranksep=0.7 labeljust=l`,
    `    tooltip=${quoted([drawing.title], '\\n')}]`,
    `  node [shape=box fontname="${FONT}" fontcolor="${INK}" fontsize=10 margin="0.12,0.07"]`,
    `  edge [fontname="${FONT}" fontcolor="${INK}" fontsize=9]`,
    ...drawing.boxes.flatMap(boxLines).map(indented),
    ...drawing.edges.map((edge) => edgeLine(edge, anchors)).map(indented),
    '}'
  ]
  return `${lines.join('\n')}\n`
}

/** The same, drawn by Graphviz (as WebAssembly, loaded here and only now). */
export async function toSvg (drawing: Drawing): Promise<string> {
  const { instance } = await import('@viz-js/viz')
  const viz = await instance()
  return viz.renderString(toDot(drawing), { format: 'svg', engine: 'dot' })
}

function boxLines (box: Box): string[] {
  return [
    `subgraph cluster_${box.id} {`,
    ...[
      `label=${quoted(box.lines, '\\l')} tooltip=${quoted(box.lines, '\\n')} ` +
        BOX_STYLES[box.kind],
      ...box.boxes.flatMap(boxLines),
      ...box.nodes.map(nodeLine)
    ].map(indented),
    '}'
  ]
}

function nodeLine ({ id, kind, lines }: Node): string {
  const end = kind === 'table' ? '\\l' : '\\n'
  return `${id} [label=${quoted(lines, end)} tooltip=${quoted(lines, '\\n')} ${NODE_STYLES[kind]}]`
}

/** An edge of a box begins at a node inside and is cut off at the border of the box. */
function edgeLine ({ from, to, kind, label }: Edge, anchors: ReadonlyMap<string, string>): string {
  const anchor = anchors.get(from)
  const attributes = [
    EDGE_STYLES[kind],
    ...anchor === undefined ? [] : [`ltail=cluster_${from}`],
    ...label === '' ? [] : [`label=${quoted([label], '')}`]
  ]
  return `${anchor ?? from} -> ${to} [${attributes.join(' ')}]`
}

/** Boxes and the node that stands for each. */
function anchorsOf (box: Box): [string, string][] {
  const inner = box.boxes.flatMap(anchorsOf)
  const anchor = box.nodes[0]?.id ?? inner[0]?.[1]
  return anchor === undefined ? inner : [[box.id, anchor], ...inner]
}

/**
 * A label in quotes. A backslash would begin an escape, an ampersand an HTML entity.
 * @param end what ends each line: `\l` left, `\n` centred
 */
function quoted (lines: readonly string[], end: string): string {
  const escaped = lines.map((line) =>
    line.replaceAll('\\', '\\\\').replaceAll('&', '&amp;').replaceAll('"', '\\"') + end)
  return `"${escaped.join('')}"`
}

function indented (line: string): string { return INDENT + line }
