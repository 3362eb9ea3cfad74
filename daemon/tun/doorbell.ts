/**
 * The doorbell: how another thread ends the sleep of a NIC. It is an eventfd that the NIC watches
 * beside its devices (NicOptions.doorbellFd); ringing is one write. Rings that come before the
 * NIC looks are one ring: the doorbell says "look", the message itself waits elsewhere (a
 * MessagePort).
 *
 *     control   port.postMessage(update); ringDoorbell(fd)
 *     worker    burst() returns early; the loop asks the port, as it does between any two bursts
 *
 * A descriptor is a number and belongs to the process, so that it may be passed to any thread.
 */
import { writeSync } from 'node:fs'
import { loadAddon, systemCallError } from './addon.ts'

/** @returns a descriptor, to be given to closeDoorbell after the NIC is closed */
export function createDoorbell (): number {
  const addon = loadAddon()
  try {
    return addon.createDoorbell()
  } catch (error) {
    throw systemCallError('Cannot create a doorbell', error)
  }
}

/** Never blocks. */
export function ringDoorbell (fd: number): void {
  try {
    // Eight bytes in host order, which the eventfd adds to its count.
    writeSync(fd, new BigUint64Array([1n]))
  } catch (error) {
    throw systemCallError(`Cannot ring doorbell ${String(fd)}`, error)
  }
}

export function closeDoorbell (fd: number): void {
  const addon = loadAddon()
  try {
    addon.closeDescriptor(fd)
  } catch (error) {
    throw systemCallError(`Cannot close doorbell ${String(fd)}`, error)
  }
}
