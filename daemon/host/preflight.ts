/**
 * Whether this machine can run a lab with hosts: looked at before anything is made, so that a
 * refusal is one clear sentence and leaves nothing behind.
 *
 * Each check is a real one in a namespace of its own, which is removed whatever happens: what a
 * kernel's configuration promises and what a container lets one do are different things. Once a lab
 * has namespaces they are not repeated.
 */
import { accessSync, constants, existsSync } from 'node:fs'
import { join } from 'node:path'
import { VpclabError } from '../base/errors.ts'
import { runIp, runIpBatch } from './command.ts'
import { namespaceName, namespacePath, underlayNamespace } from './paths.ts'

/** Program → Debian package that brings it. */
const PROGRAMS: Readonly<Record<string, string>> = {
  ip: 'iproute2', sysctl: 'procps', setpriv: 'util-linux'
}

/** A kernel object and the line of `ip` that makes one. */
const KERNEL_CHECKS: readonly { readonly what: string, readonly lines: readonly string[] }[] = [
  { what: 'veth devices (CONFIG_VETH)', lines: ['link add check0 type veth peer name check1'] },
  { what: 'bridges (CONFIG_BRIDGE)', lines: ['link add check2 type bridge'] },
  { what: 'TUN devices with a virtio-net header (CONFIG_TUN)',
    lines: ['tuntap add dev check3 mode tun vnet_hdr'] },
  { what: 'IPv6 (CONFIG_IPV6, and net.ipv6.conf.all.disable_ipv6=0)',
    lines: ['link set check3 up', 'addr add fd7f::1/128 dev check3 nodad'] }
]

const TUN_DEVICE = '/dev/net/tun'
const PREFLIGHT_NAMESPACE = 'preflight'

/** @throws VpclabError VPCLAB_ERR_NOT_ROOT */
export function checkRoot (): void {
  if (process.getuid?.() === 0) return
  throw new VpclabError('VPCLAB_ERR_NOT_ROOT',
    'A lab with hosts needs root for namespaces and TUN devices: ' +
    'run it with sudo, or with --hosts 0 for the API alone')
}

/** @throws VpclabError VPCLAB_ERR_NOT_ROOT, VPCLAB_ERR_PREREQUISITE, VPCLAB_ERR_KERNEL */
export async function checkMachine (lab: string): Promise<void> {
  checkRoot()
  for (const program of Object.keys(PROGRAMS)) checkProgram(program)
  checkTunDevice()
  // A lab that stands has proved the rest, and its instances wait for the daemon.
  if (existsSync(namespacePath(underlayNamespace(lab)))) return
  const namespace = namespaceName(lab, PREFLIGHT_NAMESPACE)
  if (existsSync(namespacePath(namespace))) await runIp('netns', 'del', namespace)
  try {
    await kernelDoes('network namespaces (CONFIG_NET_NS, and CAP_SYS_ADMIN)',
      async () => await runIp('netns', 'add', namespace))
    for (const { what, lines } of KERNEL_CHECKS) {
      await kernelDoes(what, async () => await runIpBatch(namespace, lines))
    }
  } finally {
    if (existsSync(namespacePath(namespace))) await runIp('netns', 'del', namespace)
  }
}

function checkProgram (program: string): void {
  const directories = (process.env['PATH'] ?? '').split(':')
  if (directories.some((directory) => existsSync(join(directory, program)))) return
  throw new VpclabError('VPCLAB_ERR_PREREQUISITE', `The program ${program} is not installed: ` +
    `install the Debian package ${PROGRAMS[program] ?? program}, or run vpclab-setup`)
}

function checkTunDevice (): void {
  try {
    accessSync(TUN_DEVICE, constants.R_OK | constants.W_OK)
  } catch (error) {
    throw new VpclabError('VPCLAB_ERR_KERNEL',
      `${TUN_DEVICE} is missing or cannot be opened: load the module tun, or ` +
      'give the container the device', { cause: error })
  }
}

async function kernelDoes (what: string, attempt: () => Promise<unknown>): Promise<void> {
  try {
    await attempt()
  } catch (error) {
    if (!(error instanceof VpclabError)) throw error
    throw new VpclabError('VPCLAB_ERR_KERNEL',
      `This kernel does not let vpclab make ${what}: ${error.message}`, { cause: error })
  }
}
