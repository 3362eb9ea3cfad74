/**
 * Loads the addon. The types below are what `native/addon*.c` export;
 * the files beside this one wrap them, check arguments and word errors, and nobody else loads it.
 *
 * The addon keeps no global state, so that every thread that loads it has its own.
 */
import { createRequire } from 'node:module'
import { VpclabError } from '../base/errors.ts'

export interface NativeNic {
  openTun(namespacePath: string, deviceName: string, mustExist: 0 | 1): number
  openTap(namespacePath: string, deviceName: string, addresses: ArrayBuffer): number
  closeTun(port: number): void
  openUnderlay(namespacePath: string, address: string, udpPort: number): void
  setPeer(peer: number, address: string, udpPort: number): void
  setPerPacket(on: 0 | 1): void
  setKey(id: number, peer: number, transmits: 0 | 1, key: ArrayBuffer): void
  endKey(id: number): void
  /** FEATURE_* bits. */
  features(): number
  burst(txCount: number, timeoutMs: number): number
  transmit(txCount: number): void
  gatherRun(run: number, at: number, bytesMax: number): number
  /** Port, errno name, port, errno name ... */
  takeFailures(): readonly (number | string)[]
  close(): void
}

export interface NativeEsp {
  /** Layouts: INSTALL_* of native/addon_esp.c. */
  install(words: ArrayBuffer, bytes: ArrayBuffer, hardBytes: number, hardPackets: number): void
  remove(index: number): void
  setPerPacket(on: 0 | 1): void
  seal(count: number, nowMs: number): number
  open(count: number, nowMs: number): number
  used(): number
  recycle(used: number): void
  takeMappings(list: ArrayBuffer): number
  close(): void
}

export interface Addon {
  readonly Nic: new (
    arena: ArrayBuffer, receiveBytes: number, rx: ArrayBuffer, tx: ArrayBuffer,
    counters: ArrayBuffer, spinUs: number, doorbellFd: number, wireStatistics: ArrayBuffer | null
  ) => NativeNic
  readonly Esp: new (
    arena: ArrayBuffer, outAt: number, outBytes: number, jobs: ArrayBuffer, results: ArrayBuffer,
    statistics: ArrayBuffer
  ) => NativeEsp
  createDoorbell(): number
  closeDescriptor(fd: number): void
  mapSharedFile(path: string, bytes: number): ArrayBuffer
  openInNamespace(namespacePath: string, path: string): number
  openSocket(namespacePath: string, isStream: 0 | 1, address: string, port: number): number
  setHopLimit(fd: number, isIpv6: 0 | 1, hops: number): void
  receiveDatagrams(fd: number, arena: ArrayBuffer, cells: ArrayBuffer): number
  sendDatagrams(fd: number, arena: ArrayBuffer, cells: ArrayBuffer, count: number): number
  /** Exit code or -1, signal, PROGRAM_*, output, errors. */
  runProgram(
    words: readonly string[], input: string, timeoutMs: number, outputBytesMax: number
  ): Promise<readonly [number, number, number, string, string]>
}

export const FEATURE_TUN_TSO = 1
export const FEATURE_TUN_USO = 2
export const FEATURE_UDP_GSO = 4
export const FEATURE_UDP_GRO = 8

export const PROGRAM_ENDED = 0
export const PROGRAM_TIMED_OUT = 1

/** Where `make -C daemon/tun/native` puts it, relative to this file. */
const ADDON_PATH = './native/build/nic.node'

/**
 * @returns the addon, loaded once per thread
 * @throws VpclabError VPCLAB_ERR_ADDON when it is not built, or for another machine
 */
export function loadAddon (): Addon {
  try {
    return createRequire(import.meta.url)(ADDON_PATH) as Addon
  } catch (error) {
    throw new VpclabError('VPCLAB_ERR_ADDON',
      `Cannot load the NIC addon "daemon/tun/native/build/nic.node": ${messageOf(error)}: ` +
      'run vpclab-setup, which builds it',
      { cause: error })
  }
}

/**
 * Words the failure of a system call inside the addon.
 * @param doing what was tried, with its values: `Cannot open TUN device "eth0" in "/run/netns/a"`
 */
export function systemCallError (doing: string, error: unknown): VpclabError {
  const name = error instanceof Error && 'code' in error ? String(error.code) : 'no errno'
  return new VpclabError(
    'VPCLAB_ERR_SYSCALL', `${doing}: ${messageOf(error)}: ${name}`, { cause: error })
}

function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
