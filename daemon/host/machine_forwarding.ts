/**
 * What a lab changes on the machine so that it forwards for it: a device of the lab's own, the
 * kernel's setting of two devices, a table of nftables. Whoever changes notes in a file what is to
 * be put back (real_uplink.ts, machine_link.ts).
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { runCommand, runIp } from './command.ts'

/** A device's name, the same for a lab each time. @param prefix three letters */
export function deviceOfLab (prefix: string, lab: string): string {
  return prefix + createHash('sha256').update(lab).digest('hex').slice(0, 8)
}

/** Whether the machine has the device. */
export function hasDevice (device: string): boolean { return existsSync(settings(device)) }

/** Whether what comes in by the device is forwarded. */
export function isForwarding (device: string): boolean {
  return readFileSync(`${settings(device)}/forwarding`, 'utf8').trim() !== '0'
}

export function setForwarding (device: string, isOn: boolean): void {
  writeFileSync(`${settings(device)}/forwarding`, isOn ? '1' : '0')
}

/** Kernel settings of a device; there while the device is. */
function settings (device: string): string { return `/proc/sys/net/ipv4/conf/${device}` }

/**
 * Puts back what was changed. Harmless when that was done.
 * @param wasOff a device that did not forward; null: all did
 */
export async function undoForwarding (
  table: string, device: string, wasOff: string | null): Promise<void> {
  if (wasOff !== null) setForwarding(wasOff, false)
  // Adding first makes the deletion succeed whether or not the table is there.
  await runCommand('nft', [`add table inet ${table}\ndelete table inet ${table}`])
  if (hasDevice(device)) await runIp('link', 'del', device)
}
