/**
 * `--uplink real`: what the lab's internet has no host for goes out by the machine's own network.
 *
 *     <lab>-internet-router                    the namespace that vpcd runs in
 *     world0 100.126.x.y/30 ═══ veth ═══ <device> ── masquerade ── device of the default route
 *       masquerade
 *
 * IPv4 alone. The machine forwards for this device, out by that of its default route, and only
 * answers back: a table of nftables of the lab's own says so, and where forwarding was off it stays
 * off for everybody else. What was changed stands in a file, and `removeRealUplink` puts it back.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { VpclabError } from '../base/errors.ts'
import { runCommand, runIp, runIpBatch } from './command.ts'
import {
  deviceOfLab, hasDevice, isForwarding, setForwarding, undoForwarding
} from './machine_forwarding.ts'
import { realUplinkPath, routerNamespace } from './paths.ts'

const ROUTER_DEVICE = 'world0'

/** What was done to the machine, to be undone. */
interface Changes {
  readonly table: string
  /** Device of the default route, whose forwarding was off; null when it was on. */
  readonly wasOff: string | null
}

interface Ends {
  readonly device: string
  readonly machineAddress: string
  readonly routerAddress: string
}

/** A /30 of 100.126.0.0/16 and a device's name, the same for a lab each time. */
function endsOf (lab: string): Ends {
  const digest = createHash('sha256').update(lab).digest()
  const block = `100.126.${String(digest.readUInt8(0))}.`
  const base = digest.readUInt8(1) & 0xfc
  return {
    device: deviceOfLab('vpc', lab),
    machineAddress: `${block}${String(base + 1)}`,
    routerAddress: `${block}${String(base + 2)}`
  }
}

/**
 * Joins the lab's router to the machine's network, unless that is done.
 * @throws VpclabError VPCLAB_ERR_COMMAND; VPCLAB_ERR_CONFIG on a machine without a default route
 */
export async function ensureRealUplink (lab: string): Promise<void> {
  const router = routerNamespace(lab)
  const { device, machineAddress, routerAddress } = endsOf(lab)
  if (existsSync(realUplinkPath(lab)) && hasDevice(device)) return
  const out = await defaultDevice()
  const table = `vpclab_${lab}`
  const wasOff = isForwarding(out) ? null : out
  const changes: Changes = { table, wasOff }
  writeFileSync(realUplinkPath(lab), JSON.stringify(changes), { mode: 0o600 })
  await runIp('link', 'add', device, 'type', 'veth', 'peer', 'name', ROUTER_DEVICE, 'netns', router)
  await runIp('addr', 'add', `${machineAddress}/30`, 'dev', device)
  await runIp('link', 'set', device, 'up')
  await runIpBatch(router, [
    `addr add ${routerAddress}/30 dev ${ROUTER_DEVICE}`, `link set ${ROUTER_DEVICE} up`,
    `route replace default via ${machineAddress}`
  ])
  // The rules first: nothing is forwarded that they do not let through.
  await runNft(null, machineRules(table, device, out, routerAddress, wasOff !== null))
  await runNft(router, `add table ip uplink
    add chain ip uplink leave { type nat hook postrouting priority srcnat; }
    add rule ip uplink leave oifname "${ROUTER_DEVICE}" masquerade`)
  setForwarding(device, true)
  if (wasOff !== null) setForwarding(wasOff, true)
}

/** Harmless for a lab without one. */
export async function removeRealUplink (lab: string): Promise<void> {
  const path = realUplinkPath(lab)
  if (!existsSync(path)) return
  const { table, wasOff } = JSON.parse(readFileSync(path, 'utf8')) as Changes
  await undoForwarding(table, endsOf(lab).device, wasOff)
  rmSync(path, { force: true })
}

function machineRules (
  table: string, device: string, out: string, routerAddress: string, closeOthers: boolean
): string {
  return `add table inet ${table}
    add chain inet ${table} leave { type nat hook postrouting priority srcnat; }
    add rule inet ${table} leave ip saddr ${routerAddress} oifname "${out}" masquerade
    add chain inet ${table} pass { type filter hook forward priority filter; }
    add rule inet ${table} pass iifname "${device}" oifname "${out}" accept
    add rule inet ${table} pass oifname "${device}" ct state established,related accept
    add rule inet ${table} pass iifname "${device}" drop
    add rule inet ${table} pass oifname "${device}" drop
    ${closeOthers ? `add rule inet ${table} pass iifname "${out}" drop` : ''}`
}

async function defaultDevice (): Promise<string> {
  const text = await runIp('-4', '-o', 'route', 'show', 'default')
  const device = /\bdev (\S+)/.exec(text)?.[1]
  if (device !== undefined) return device
  throw new VpclabError('VPCLAB_ERR_CONFIG', '--uplink real needs a default route of the ' +
    'machine, and it has none for IPv4: leave the flag out, or join the machine to a network')
}

async function runNft (namespace: string | null, rules: string): Promise<void> {
  if (namespace === null) await runCommand('nft', [rules])
  else await runCommand('ip', ['netns', 'exec', namespace, 'nft', rules])
}
