/**
 * Breaks a text at its spaces into lines of at most `width` columns, each begun with `indent`; a
 * word that is longer stays whole. WIDTH_UNLIMITED gives one line.
 * @returns lines without a newline at the end
 */
export function wrapText (text: string, width: number, indent = ''): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && indent.length + longer.length > width) {
      lines.push(indent + line)
      line = word
    } else line = longer
  }
  return [...lines, indent + line].join('\n')
}
