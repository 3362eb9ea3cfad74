/**
 * A drawing as a Mermaid flowchart, which code hosts and editors show in Markdown.
 * https://mermaid.js.org/syntax/flowchart.html, "Entity codes to escape characters".
 *
 *     flowchart LR
 *       subgraph vpc1["web vpc-…<br/>10.0.0.0/16"]
 *         subnet1 --> table1
 */
import type { Box, BoxKind, Drawing, Edge, EdgeKind, Node, NodeKind } from './drawing.ts'

const INDENT = '  '

const STYLES: Readonly<Record<BoxKind | NodeKind, string>> = {
  underlay: 'fill:#ececec,stroke:#8a8a8a,color:#1b1b1b',
  vpc: 'fill:#eef4fb,stroke:#3b6fb0,color:#1b1b1b',
  zone: 'fill:#f7f7f7,stroke:#9a9a9a,color:#1b1b1b,stroke-dasharray:4 3',
  subnet: 'fill:#e6f3e6,stroke:#4c8c4c,color:#1b1b1b',
  connections: 'fill:#f7f2fb,stroke:#7b4aa8,color:#1b1b1b',
  host: 'fill:#ffffff,stroke:#6b6b6b,color:#1b1b1b',
  table: 'fill:#fff8e1,stroke:#b08a2e,color:#1b1b1b',
  gateway: 'fill:#f3e8fb,stroke:#7b4aa8,color:#1b1b1b',
  running: 'fill:#ffffff,stroke:#4c8c4c,color:#1b1b1b',
  idle: 'fill:#f0f0f0,stroke:#9a9a9a,color:#5a5a5a,stroke-dasharray:4 3',
  empty: 'fill:#ffffff00,stroke:#ffffff00,color:#5a5a5a'
}

const ARROWS: Readonly<Record<EdgeKind, string>> = {
  association: '-->', route: '==>', blackhole: '-.->', 'same-instance': '-.-', connection: '---'
}
const BLACKHOLE_STYLE = 'stroke:#c62828,color:#c62828'

/** Lines with a newline at the end. */
export function toMermaid (drawing: Drawing): string {
  const blackholes = drawing.edges.flatMap(({ kind }, index) =>
    kind === 'blackhole' ? [String(index)] : [])
  const lines = [
    `%% ${drawing.title}`,
    'flowchart LR',
    ...drawing.boxes.flatMap(boxLines).map(indented),
    ...drawing.edges.map(edgeLine).map(indented),
    ...Object.entries(STYLES).map(([kind, style]) => `classDef ${kind} ${style}`).map(indented),
    ...classLines(drawing).map(indented),
    ...blackholes.length === 0
      ? []
      : [indented(`linkStyle ${blackholes.join(',')} ${BLACKHOLE_STYLE}`)]
  ]
  return `${lines.join('\n')}\n`
}

function boxLines (box: Box): string[] {
  return [
    `subgraph ${box.id}[${quoted(box.lines)}]`,
    ...box.boxes.flatMap(boxLines).map(indented),
    ...box.nodes.map(({ id, lines }) => indented(`${id}[${quoted(lines)}]`)),
    'end'
  ]
}

function edgeLine ({ from, to, kind, label }: Edge): string {
  return `${from} ${ARROWS[kind]}${label === '' ? '' : `|${quoted([label])}|`} ${to}`
}

/** `class a,b kind`, one line per kind in use. */
function classLines (drawing: Drawing): string[] {
  const all = drawing.boxes.flatMap(withContents)
  return [...Map.groupBy(all, ({ kind }) => kind)]
    .map(([kind, members]) => `class ${members.map(({ id }) => id).join(',')} ${kind}`)
}

function withContents (box: Box): (Box | Node)[] {
  return [box, ...box.nodes, ...box.boxes.flatMap(withContents)]
}

function quoted (lines: readonly string[]): string {
  return `"${lines.map(escaped).join('<br/>')}"`
}

/** Letters, digits and what addresses and ids need stand for themselves; the rest is a code. */
function escaped (text: string): string {
  return text.replace(/[^\p{L}\p{M}\p{N} .,:/_()→-]/gu, (character) =>
    `#${String(character.codePointAt(0))};`)
}

function indented (line: string): string { return INDENT + line }
