/**
 * In a lab of several machines: the way from this machine's underlay to the others', which the
 * machine routes.
 *
 *     <lab>-underlay          the namespace that vpcd runs in
 *     br0 ── machine ═ veth ═ <device> 100.127.<n>.254/24 ── routes ── device of --machine
 *                                      100.127.<64 + n>.254/24   100.127.<m>.0/24 via machine m
 *
 * The machine forwards between the two devices, from and to addresses of the lab, and nothing else
 * for their sake: a table of nftables of the lab's own says so. What was changed on the machine
 * stands in a file, and `removeMachineLink` puts it back.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { VpclabError } from '../base/errors.ts'
import { runCommand, runIp, runIpBatch } from './command.ts'
import { LOOK, parseNamespaceView } from './namespace_view.ts'
import type { LinkView, NamespaceView } from './namespace_view.ts'
import {
  deviceOfLab, hasDevice, isForwarding, setForwarding, undoForwarding
} from './machine_forwarding.ts'
import { machineLinkPath, underlayNamespace } from './paths.ts'
import { BRIDGE_DEVICE, MACHINE_PORT, UNDERLAY_CIDR, machineNetworks } from './topology_plan.ts'

/** Begins every address of the underlay. */
const UNDERLAY_START = UNDERLAY_CIDR.replace('0.0/16', '')

/** A machine of the lab, as the routes need it. */
export interface LinkedMachine {
  readonly number: number
  readonly address: string
}

/** What was done to the machine, to be undone. */
interface Changes {
  readonly table: string
  readonly device: string
  /** Device of the machine's address, where its forwarding was off; null: it was on. */
  readonly wasOff: string | null
}

/**
 * The device that has the machine's address.
 * @throws VpclabError VPCLAB_ERR_CONFIG when none has, or its MTU is below the underlay's
 */
function requireMachineDevice (
  { links }: NamespaceView, address: string, underlayMtu: number): LinkView {
  const link = links.find(({ addresses }) => addresses.some((one) => one.address === address))
  if (link === undefined) {
    throw new VpclabError('VPCLAB_ERR_CONFIG', 'No device of this machine has the address ' +
      `${address} of --machine: name one that other machines reach`)
  }
  if (link.mtu < underlayMtu) {
    throw new VpclabError('VPCLAB_ERR_CONFIG', `The device ${link.name} of ${address} has an ` +
      `MTU of ${String(link.mtu)}: give --underlay-mtu ${String(link.mtu)} on every machine`)
  }
  return link
}

/**
 * Joins the underlay to the machine's network, and adds the routes that are missing.
 * @returns how many lines of `ip` ran
 * @throws VpclabError VPCLAB_ERR_COMMAND, VPCLAB_ERR_CONFIG
 */
export async function ensureMachineLink (
  lab: string, own: LinkedMachine, others: readonly LinkedMachine[], underlayMtu: number
): Promise<number> {
  const device = deviceOfLab('vpm', lab)
  const view = await viewMachine()
  const { name: out } = requireMachineDevice(view, own.address, underlayMtu)
  const isConnected = hasDevice(device)
  if (!isConnected) {
    refuseOtherLab(view)
    await connect(lab, own, device, out, underlayMtu)
  }
  const lines = planRoutes(others, view)
  if (lines.length > 0) await runIpBatch(null, lines)
  return (isConnected ? 0 : 1) + lines.length
}

/** Two labs of several machines would have the same addresses here. */
function refuseOtherLab ({ links }: NamespaceView): void {
  const other = links.find(({ addresses }) =>
    addresses.some(({ address }) => address.startsWith(UNDERLAY_START)))
  if (other === undefined) return
  throw new VpclabError('VPCLAB_ERR_CONFIG', `The device ${other.name} of this machine belongs ` +
    'to another lab of several machines: a machine can be in one')
}

async function connect (
  lab: string, own: LinkedMachine, device: string, out: string, mtu: number): Promise<void> {
  const wasOff = isForwarding(out) ? null : out
  const changes: Changes = { table: `vpclab_${lab}_machines`, device, wasOff }
  writeFileSync(machineLinkPath(lab), JSON.stringify(changes), { mode: 0o600 })
  const underlay = underlayNamespace(lab)
  await runIp('link', 'add', device, 'mtu', String(mtu), 'type', 'veth', 'peer', 'name',
    MACHINE_PORT, 'mtu', String(mtu), 'netns', underlay)
  await runIpBatch(underlay, [
    `link set ${MACHINE_PORT} addrgenmode none`, `link set ${MACHINE_PORT} master ${BRIDGE_DEVICE}`,
    `link set ${MACHINE_PORT} up`
  ])
  await runIpBatch(null, [
    ...machineNetworks(own.number).map(({ gateway }) => `addr add ${gateway}/24 dev ${device}`),
    `link set ${device} up`
  ])
  // The rules first: nothing is forwarded that they do not let through.
  await runCommand('nft', [rules(changes, out)])
  setForwarding(device, true)
  if (wasOff !== null) setForwarding(wasOff, true)
}

function rules ({ table, device, wasOff }: Changes, out: string): string {
  const both = `{ "${device}", "${out}" }`
  const inner = `ip saddr ${UNDERLAY_CIDR} ip daddr ${UNDERLAY_CIDR}`
  return `add table inet ${table}
    add chain inet ${table} pass { type filter hook forward priority filter; }
    add rule inet ${table} pass iifname ${both} oifname ${both} ${inner} accept
    add rule inet ${table} pass iifname "${device}" drop
    add rule inet ${table} pass oifname "${device}" drop
    ${wasOff === null ? '' : `add rule inet ${table} pass iifname "${out}" drop`}`
}

/** Lines that bring the routes to the other machines' networks in line. */
export function planRoutes (
  others: readonly LinkedMachine[], { routes }: NamespaceView): string[] {
  return others.flatMap(({ number, address }) => machineNetworks(number)
    .filter(({ cidr }) =>
      !routes.some((route) => route.destination === cidr && route.gateway === address))
    .map(({ cidr }) => `route replace ${cidr} via ${address}`))
}

/** Harmless for a lab without one. */
export async function removeMachineLink (lab: string): Promise<void> {
  const path = machineLinkPath(lab)
  if (!existsSync(path)) return
  const { table, device, wasOff } = JSON.parse(readFileSync(path, 'utf8')) as Changes
  const lines = (await viewMachine()).routes
    .filter(({ destination, gateway }) => gateway !== '' && destination.startsWith(UNDERLAY_START))
    .map(({ destination }) => `route del ${destination}`)
  if (lines.length > 0) await runIpBatch(null, lines)
  await undoForwarding(table, device, wasOff)
  rmSync(path, { force: true })
}

/** The namespace that vpcd runs in. */
async function viewMachine (): Promise<NamespaceView> {
  return parseNamespaceView(await runIpBatch(null, LOOK, ['-j']))
}
