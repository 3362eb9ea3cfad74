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

/** A file to be mapped: how memory is named to another process. */
export interface SharedFile {
  /** Absolute, under /dev/shm. */
  readonly path: string
  readonly bytes: number
}

/** Memory that control and a worker share: as it is for a thread, by its file for a process. */
export type SharedMemory = SharedArrayBuffer | SharedFile

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

/** What one thread has been told of: a file is mapped once, however often it is named. */
export class SharedMemories {
  readonly #mapped = new Map<string, ArrayBufferLike>()

  /** The memory itself. @throws VpclabError VPCLAB_ERR_SYSCALL */
  open (memory: SharedMemory): ArrayBufferLike {
    if (memory instanceof SharedArrayBuffer) return memory
    const known = this.#mapped.get(memory.path)
    if (known !== undefined) return known
    const buffer = mapSharedFile(memory.path, memory.bytes)
    this.#mapped.set(memory.path, buffer)
    return buffer
  }
}

/** Whether both name the same memory. */
export function isSameMemory (one: SharedMemory, other: SharedMemory): boolean {
  if (one instanceof SharedArrayBuffer || other instanceof SharedArrayBuffer) return one === other
  return one.path === other.path
}

/** Memory as control has it, and as a worker is told of it. */
export interface SharedRegion {
  readonly buffer: ArrayBufferLike
  readonly memory: SharedMemory
}

/** Memory for a worker that is a thread of this process. */
export function threadRegion (bytes: number): SharedRegion {
  const buffer = new SharedArrayBuffer(bytes)
  return { buffer, memory: buffer }
}

/** Memory for a worker in another process. Precondition: nobody else uses a file of that name. */
export function fileRegion (path: string, bytes: number): SharedRegion {
  const memory = { path, bytes }
  return { buffer: mapSharedFile(path, bytes), memory }
}
