/**
 * Text of somebody else on a line of ours: control characters in a name must neither move the
 * cursor nor colour the terminal.
 */
export function oneLine (text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
}
