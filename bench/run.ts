/**
 * Benchmarks by name: `npm run bench -- <name> [--json] [options]`. A bench stands for one claim.
 * It is a file that exports `run(args)`, prints for people to standard error, and with `--json` its
 * result to standard output.
 *
 * To add a bench: one file, one line in BENCHES.
 */

export interface Bench {
  readonly claim: string
  /** Loads the file. */
  load(): Promise<{ run(args: readonly string[]): Promise<void> }>
}

const BENCHES: Readonly<Record<string, Bench>> = {
  tunnel: {
    claim: 'throughput and latency between instances against kernel VXLAN, nebula and wireguard-go',
    load: () => import('./tunnel.ts')
  },
  pipeline: {
    claim: 'nanoseconds per packet of the fast path and of the slow path, in memory',
    load: () => import('./pipeline.ts')
  },
  policy: {
    claim: 'what security groups, network ACLs and flow logs cost: throughput, flows, rule changes',
    load: () => import('./policy.ts')
  },
  edge: {
    claim: 'what the way through an edge costs: throughput against two hosts without it',
    load: () => import('./edge.ts')
  },
  esp: {
    claim: 'what sealing and opening ESP costs: Mbit/s of one core, by cipher',
    load: () => import('./esp.ts')
  },
  vpn: {
    claim: 'what an IPsec tunnel carries, against plain veth and strongSwan in user space',
    load: () => import('./vpn.ts')
  },
  api: {
    claim: 'API calls per second on the embedded store, and cold start of the SDK',
    load: () => import('./api.ts')
  },
  peering: {
    claim: 'how long 1,000 VPCs that are peered in pairs take through the API',
    load: () => import('./peering.ts')
  },
  scale: {
    claim: 'what size costs: moved ENIs, mappings, VPCs, a restart, writes a second',
    load: () => import('./scale.ts')
  },
  cli: {
    claim: 'how long vpcctl takes: its help, and a list from a running daemon',
    load: () => import('./cli.ts')
  },
  memory: {
    claim: 'resident memory that an agent with 100 ENIs adds to the daemon',
    load: () => import('./memory.ts')
  }
}

const EXIT_USAGE = 2

async function main (args: readonly string[]): Promise<void> {
  const [name = '', ...rest] = args
  const bench = BENCHES[name]
  if (bench === undefined) {
    const known = Object.entries(BENCHES).map(([key, { claim }]) => `  ${key.padEnd(9)} ${claim}`)
    console.error(`vpclab: "${name}" is no bench. The benches are:\n${known.join('\n')}`)
    process.exitCode = EXIT_USAGE
    return
  }
  await (await bench.load()).run(rest)
}

await main(process.argv.slice(2))
