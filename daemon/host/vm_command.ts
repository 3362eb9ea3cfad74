/**
 * The command line of a virtual machine. Pure.
 * https://www.qemu.org/docs/master/system/invocation.html
 *
 * qemu takes the first accelerator that works: KVM where the machine has /dev/kvm and lets us use
 * it, else the emulation (TCG), which is some ten times slower.
 */
import { join } from 'node:path'
import type { VmGuest } from '../model/instance_guest.ts'
import { VM_INITRD, VM_KERNEL } from './instance_image.ts'
import type { DesiredInterface } from './instance_plan.ts'
import { instanceLogPath, vmConsolePath, vmControlPath } from './paths.ts'
import { cardIndices, vmDevice } from './vm_plan.ts'

/** Memory of a guest, MiB: enough for a small Linux, whatever its instance type says. */
const MEMORY_MIB = 256
const KERNEL_ARGUMENTS = 'console=ttyS0 panic=-1'

/** Which ENI is which network card of the guest. */
export interface Card { readonly deviceIndex: number, readonly macAddress: string }

export interface VmOptions {
  readonly lab: string
  readonly instanceId: string
  readonly guest: VmGuest
  readonly interfaces: readonly DesiredInterface[]
  /** ENIs that the instance's type allows. */
  readonly cardsMax: number
}

export function cardId (deviceIndex: number): string { return `eth${String(deviceIndex)}` }
function networkId (deviceIndex: number): string { return `net${String(deviceIndex)}` }

/** By which a process is known to be the instance's. */
export function nameArgument (instanceId: string): string { return `guest=${instanceId}` }

export function qemuArguments (
  { lab, instanceId, guest, interfaces, cardsMax }: VmOptions, cards: readonly Card[]
): string[] {
  const console = vmConsolePath(lab, instanceId)
  return [
    '-name', nameArgument(instanceId), '-nodefaults', '-no-user-config', '-display', 'none',
    '-machine', 'pc', '-accel', 'kvm', '-accel', 'tcg', '-cpu', 'max',
    '-m', String(MEMORY_MIB), '-sandbox', 'on,obsolete=deny,spawn=deny', '-runas', 'nobody',
    '-kernel', join(guest.directory, VM_KERNEL), '-initrd', join(guest.directory, VM_INITRD),
    '-append', KERNEL_ARGUMENTS,
    '-chardev', `socket,id=console,path=${console},server=on,wait=off,` +
      `logfile=${instanceLogPath(lab, instanceId)},logappend=on`,
    '-serial', 'chardev:console',
    '-device', 'virtio-rng-pci',
    ...cardIndices(interfaces, cardsMax).flatMap((index) => ['-netdev',
      `tap,id=${networkId(index)},ifname=${vmDevice(index)},script=no,downscript=no,vnet_hdr=on`]),
    ...cards.flatMap((card) => ['-device', Object.entries(cardDevice(card))
      .map(([name, value]) => name === 'driver' ? value : `${name}=${value}`).join(',')]),
    '-qmp', `unix:${vmControlPath(lab, instanceId)},server=on,wait=off`
  ]
}

/** A card as qemu wants it described; the driver first. */
export function cardDevice ({ deviceIndex, macAddress }: Card): Record<string, string> {
  return {
    driver: 'virtio-net-pci', id: cardId(deviceIndex), netdev: networkId(deviceIndex),
    mac: macAddress, romfile: ''
  }
}
