/**
 * Memory that outlives the process: a file under /dev/shm (RAM, no disk), mapped shared. What a
 * process has written there stands there after `kill -9`, and its successor maps the same bytes.
 *
 * The kernel writes nothing back and orders nothing: the layout inside, its version, and how a
 * reader tells a half-written entry are the user's business. Two mappings of a file, in two
 * threads or two processes, see each other's writes.
 */
import { assert } from '../base/assert.ts'
import { loadAddon, systemCallError } from './addon.ts'

/** Longest mapping, bytes: a typo must not fill the machine's memory. */
const SHARED_FILE_BYTES_MAX = 2 ** 34

/**
 * Maps a file, creating it (mode 0600) if absent. It is made exactly `bytes` long: longer with
 * zeros, shorter by cutting, so that a layout of another size does not survive whole.
 *
 * The mapping ends when the buffer is garbage or its thread ends; the file stays until somebody
 * unlinks it, and its memory until both are gone. The buffer must not be transferred to another
 * thread: map the file there again.
 *
 * @param path absolute; a symbolic link is refused
 * @throws VpclabError VPCLAB_ERR_SYSCALL
 */
export function mapSharedFile (path: string, bytes: number): ArrayBuffer {
  assert(Number.isInteger(bytes) && bytes > 0 && bytes <= SHARED_FILE_BYTES_MAX,
    `length ${String(bytes)} of shared file is 1..${String(SHARED_FILE_BYTES_MAX)}`)
  const addon = loadAddon()
  try {
    return addon.mapSharedFile(path, bytes)
  } catch (error) {
    throw systemCallError(`Cannot map ${String(bytes)} bytes of "${path}"`, error)
  }
}
