/**
 * The namespace that is an instance: made, brought in line, and removed. What has to be inside is
 * planned in instance_plan.ts; this file looks, and runs the lines. A batch that ran to its end has
 * done what it says; one that did not is followed by a fresh look.
 */
import { existsSync } from 'node:fs'
import { VpclabError } from '../base/errors.ts'
import { runIp, runIpBatch } from './command.ts'
import { OWN_STYLE, planInstance } from './instance_plan.ts'
import type { DesiredInterface, DeviceStyle } from './instance_plan.ts'
import { killProcessesIn } from './namespace_processes.ts'
import { EMPTY_NAMESPACE, viewNamespace } from './namespace_view.ts'
import { namespacePath } from './paths.ts'
import { ensureNamespace } from './topology.ts'
import { planVm } from './vm_plan.ts'

/** An instance takes no addresses or routes from anybody on the wire. */
const INSTANCE_SETTINGS = [
  'net.ipv6.conf.all.accept_ra=0', 'net.ipv6.conf.default.accept_ra=0',
  'net.ipv6.conf.all.accept_redirects=0', 'net.ipv6.conf.default.accept_redirects=0',
  'net.ipv6.conf.all.disable_ipv6=0', 'net.ipv6.conf.default.disable_ipv6=0',
  'net.ipv4.ip_forward=0'
]
/** The kernel beside a virtual machine says nothing by itself. */
const VM_SETTINGS =
  ['net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1']
/** Attempts while something else changes the namespace at the same time. */
export const CONVERGE_ROUNDS_MAX = 4

/** Whose namespace an instance lives in. */
export interface Home {
  readonly style: DeviceStyle
  /** From what is inside to what must be. */
  readonly plan: typeof planInstance
  /** Sees to it that the namespace is there and sound. @returns whether it is a fresh, empty one */
  readonly ensure: (namespace: string) => Promise<boolean>
}

/** A namespace of the lab, made when it is missing. */
export const OWN_HOME: Home = {
  style: OWN_STYLE,
  plan: planInstance,
  ensure: (namespace) => ensureNamespace(namespace, INSTANCE_SETTINGS)
}

/** The same for a virtual machine. @param cardsMax ENIs that its type allows */
export function vmHome (cardsMax: number): Home {
  return {
    style: OWN_STYLE,
    plan: (desired, view) => planVm(desired, view, cardsMax),
    ensure: (namespace) => ensureNamespace(namespace, VM_SETTINGS)
  }
}

export interface ConvergeResult {
  readonly namespaceCreated: boolean
  /** Devices that were made: their TUNs have to be opened (again). */
  readonly createdDevices: ReadonlySet<string>
  /** Lines of `ip` that ran; 0 when all was as it must be. */
  readonly lineCount: number
}

/**
 * Makes the namespace hold exactly the desired interfaces (and whatever is not ours).
 * @param home default: a namespace of the lab
 * @throws VpclabError VPCLAB_ERR_COMMAND when the kernel refuses a line even on a fresh look
 */
export async function convergeInstance (
  namespace: string, desired: readonly DesiredInterface[], home: Home = OWN_HOME
): Promise<ConvergeResult> {
  const sourceRouted = desired.some((eni) => eni.sourceRouted)
  const createdDevices = new Set<string>()
  let namespaceCreated = false
  let lineCount = 0
  let refusal: unknown
  for (let round = 0; round < CONVERGE_ROUNDS_MAX; round++) {
    try {
      const fresh = (refusal !== undefined || !existsSync(namespacePath(namespace))) &&
        await home.ensure(namespace)
      namespaceCreated ||= fresh
      const view = fresh ? EMPTY_NAMESPACE : await viewNamespace(namespace, sourceRouted)
      if (view === null) continue
      const plan = home.plan(desired, view, home.style)
      for (const device of plan.createdDevices) createdDevices.add(device)
      lineCount += plan.lines.length + plan.ipv6Lines.length
      if (plan.lines.length > 0) await runIpBatch(namespace, plan.lines)
      if (plan.ipv6Lines.length > 0) await runIpBatch(namespace, plan.ipv6Lines, ['-6'])
      return { namespaceCreated, createdDevices, lineCount }
    } catch (error) {
      if (!(error instanceof VpclabError)) throw error
      refusal = error
    }
  }
  if (refusal instanceof VpclabError) throw refusal
  throw new VpclabError('VPCLAB_ERR_COMMAND',
    `Namespace ${namespace} goes away as often as it is made`)
}

/** Kills what runs in the namespace and removes it, devices and all. Harmless when it is gone. */
export async function removeInstance (namespace: string): Promise<void> {
  await killProcessesIn([namespace])
  if (existsSync(namespacePath(namespace))) await runIp('netns', 'del', namespace)
}
