/** A lab file from the disk or from standard input. */
import { readFileSync, statSync } from 'node:fs'
import { CtlError, EXIT_USAGE } from '../exit_codes.ts'
import { LAB_FILE_BYTES_MAX, parseLabFile, type ReadFile } from './source.ts'

const STANDARD_INPUT = 0

/**
 * @param path a file, or `-` for standard input
 * @throws CtlError BadLabFile, VPCLAB_ERR_CONFIG when it cannot be read
 */
export function readLabFile (path: string): ReadFile {
  const text = readText(path)
  if (Buffer.byteLength(text) > LAB_FILE_BYTES_MAX) {
    throw new CtlError('BadLabFile', `${path} is larger than the ${String(LAB_FILE_BYTES_MAX)} ` +
      'bytes that a lab file may have', EXIT_USAGE)
  }
  return parseLabFile(text, path === '-' ? 'standard input' : path)
}

function readText (path: string): string {
  try {
    if (path === '-') return readFileSync(STANDARD_INPUT, 'utf8')
    if (statSync(path).isDirectory()) throw new Error('it is a directory')
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new CtlError('VPCLAB_ERR_CONFIG',
      `The lab file ${path} cannot be read: ${(error as Error).message}`)
  }
}
