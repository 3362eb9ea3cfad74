/**
 * Bench `memory`: what an agent with 100 ENIs adds to the daemon's resident memory, after each of
 * the instances has talked to another, so that flow tables and buffers are touched.
 *
 *     API alone (no host)   API, store, the SDK's schemas
 *     one agent             the same, with control and data plane of one host; the difference is
 *                           the agent's, mapped flow state included
 *
 *     npm run bench -- memory [--json]
 */
import { readFileSync } from 'node:fs'
import { Lab } from '../test/harness/lab.ts'

const ENIS = 100
const KIB_PER_MB = 1000 * 1000 / 1024

export async function run (args: readonly string[]): Promise<void> {
  const apiMB = await inLab('0', (lab) => Promise.resolve(residentMB(lab)))
  const daemonMB = await inLab('host-1:use1-az1', async (lab) => {
    const subnet = await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.0.0/20')
    const instances = await lab.instances(subnet, { count: ENIS })
    for (const [index, instance] of instances.entries()) {
      await instance.ping(instances[(index + 1) % ENIS]!.ipv4, 1)
    }
    return residentMB(lab)
  })
  const result = { enis: ENIS, apiMB, daemonMB, agentMB: daemonMB - apiMB }
  console.error(`daemon without a host ${String(apiMB)} MB, with one and ${String(ENIS)} ENIs ` +
    `${String(daemonMB)} MB: the agent takes ${String(result.agentMB)} MB`)
  if (args.includes('--json')) console.log(JSON.stringify(result))
}

async function inLab (hosts: string, body: (lab: Lab) => Promise<number>): Promise<number> {
  const lab = await Lab.start({ hosts })
  try {
    return await body(lab)
  } finally {
    await lab.down()
  }
}

function residentMB (lab: Lab): number {
  const status = readFileSync(`/proc/${String(lab.daemonPid)}/status`, 'utf8')
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? NaN) / KIB_PER_MB)
}
