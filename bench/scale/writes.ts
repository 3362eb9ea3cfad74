/** Transactions a second of one daemon: CreateVpc planned, committed and followed, one by one. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { planContext } from '../../daemon/api/commit.ts'
import { systemClock } from '../../daemon/base/clock.ts'
import { systemRandom } from '../../daemon/base/random.ts'
import { AccountView, put } from '../../daemon/model/snapshot.ts'
import { planCreateVpc } from '../../daemon/model/vpc.ts'
import { EtcdClient } from '../../daemon/store/etcd/client.ts'
import { EtcdEngine } from '../../daemon/store/etcd/etcd_engine.ts'
import { parseEtcdTarget } from '../../daemon/store/etcd/target.ts'
import { Replica } from '../../daemon/store/replica.ts'
import { SqliteEngine } from '../../daemon/store/sqlite_engine.ts'
import type { StoreEngine } from '../../daemon/store/store.ts'
import { Etcd } from '../../test/harness/etcd.ts'

const WARM_UP = 100
const WRITES = 1000
const QUOTA = { id: 'vpcs-per-region', value: 10_000 }

export async function measureWrites (): Promise<{ sqlite: number, etcd: number }> {
  return { sqlite: await overSqlite(), etcd: await overEtcd() }
}

async function overSqlite (): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-bench-scale-'))
  try {
    return await writesPerSecond(new SqliteEngine(join(directory, 'store.sqlite'), systemClock))
  } finally {
    rmSync(directory, { recursive: true })
  }
}

async function overEtcd (): Promise<number> {
  await using etcd = await Etcd.start()
  const target = parseEtcdTarget(`etcd://127.0.0.1:${String(etcd.port)}`, 'bench')
  const client = new EtcdClient(target, systemClock)
  try {
    return await writesPerSecond(
      await EtcdEngine.open({ target, client, clock: systemClock, random: systemRandom }))
  } finally {
    client.close()
  }
}

async function writesPerSecond (engine: StoreEngine): Promise<number> {
  const replica = await Replica.open(engine)
  try {
    const view = new AccountView(replica.snapshot, '111111111111', 'us-east-1')
    await replica.transact(() => ({ changes: [put('quotaOverride', QUOTA)], result: null }))
    const write = async (count: number): Promise<number> => {
      const startMs = performance.now()
      for (let done = 0; done < count; done++) {
        await replica.transact(() => planCreateVpc(view, {
          cidrBlock: '10.0.0.0/16', amazonProvidedIpv6CidrBlock: false,
          instanceTenancy: 'default', tags: {}
        }, planContext(systemClock, systemRandom)))
      }
      return count / ((performance.now() - startMs) / 1000)
    }
    await write(WARM_UP)
    return await write(WRITES)
  } finally {
    replica.close()
    await engine.close()
  }
}
