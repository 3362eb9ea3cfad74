/**
 * Bench `peering`: 1,000 VPCs that are peered in pairs, made through the API in less than a minute.
 *
 *     npm run bench -- peering [--json]
 *
 *     peeredVpcsSeconds    from the first CreateVpc to the last route, CALLERS at a time
 */
import { measurePeeringScale } from './peering_scale.ts'
import { significant } from './statistics.ts'

export async function run (args: readonly string[]): Promise<void> {
  const { vpcs, peerings, seconds } = await measurePeeringScale()
  console.error(`${String(vpcs)} VPCs with ${String(peerings)} peerings and their routes: ` +
    `${String(significant(seconds))} s`)
  if (args.includes('--json')) {
    console.log(JSON.stringify({ peeredVpcsSeconds: significant(seconds) }))
  }
}
