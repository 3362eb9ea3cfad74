/**
 * Makes and mends the internet of a lab (drawn in internet_plan.ts). May be called at any time: it
 * looks, and adds what is missing. Devices of edges are persistent, so that a data plane that
 * starts again finds its own.
 */
import { runCommand, runIpBatch } from './command.ts'
import {
  INTERNET_SETTINGS, planInternet, ROUTER_RULES, ROUTER_SETTINGS
} from './internet_plan.ts'
import { internetNamespace, routerNamespace } from './paths.ts'
import { ensureNamespace, requireView } from './topology.ts'

/**
 * @param edges names of the lab's edges; without any there is no internet
 * @returns how many lines of `ip` ran; 0 when nothing was missing
 * @throws VpclabError VPCLAB_ERR_COMMAND
 */
export async function ensureInternet (lab: string, edges: readonly string[]): Promise<number> {
  if (edges.length === 0) return 0
  const router = routerNamespace(lab)
  const hosts = internetNamespace(lab)
  await ensureNamespace(hosts, INTERNET_SETTINGS)
  if (await ensureNamespace(router, ROUTER_SETTINGS)) {
    await runCommand('ip', ['netns', 'exec', router, 'nft', ROUTER_RULES])
  }
  const plan =
    planInternet(hosts, edges, await requireView(router), await requireView(hosts))
  if (plan.routerLines.length > 0) await runIpBatch(router, plan.routerLines)
  if (plan.hostLines.length > 0) await runIpBatch(hosts, plan.hostLines)
  return plan.routerLines.length + plan.hostLines.length
}
