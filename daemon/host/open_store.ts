/** Opens the store that a lab is configured with. */
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { Log } from '../observe/log.ts'
import { parseEtcdTarget } from '../store/etcd/target.ts'
import { SqliteEngine } from '../store/sqlite_engine.ts'
import type { Members } from '../store/members.ts'
import type { StoreEngine } from '../store/store.ts'
import { STORE_SQLITE } from './lab_config.ts'
import type { LabConfig } from './lab_config.ts'
import { storePath } from './paths.ts'

export interface StoreOptions {
  readonly lab: string
  readonly config: Pick<LabConfig, 'store' | 'machine'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export interface OpenStore {
  readonly engine: StoreEngine
  /** The other machines' daemons; null: there are none. */
  readonly members: Members | null
  readonly close: () => Promise<void>
}

/**
 * @throws VpclabError VPCLAB_ERR_STORE, VPCLAB_ERR_CONFIG, and VPCLAB_ERR_LAB_RUNNING when a daemon
 *   of another machine runs the lab
 */
export async function openStore (options: StoreOptions): Promise<OpenStore> {
  const { clock, random, log, config: { store, machine } } = options
  if (store === STORE_SQLITE) {
    const engine = new SqliteEngine(storePath(options.lab), clock)
    return { engine, members: null, close: async () => { await engine.close() } }
  }
  const target = parseEtcdTarget(store, options.lab)
  const { EtcdClient } = await import('../store/etcd/client.ts')
  const { EtcdEngine } = await import('../store/etcd/etcd_engine.ts')
  const { EtcdOwner, thisMachine } = await import('../store/etcd/owner.ts')
  const { EtcdMembers } = await import('../store/etcd/members.ts')
  // One way for all three: a member that fails one of them is left by all.
  const client = new EtcdClient(target, clock)
  const closing: (() => unknown)[] = [() => { client.close() }]
  const close = async (): Promise<void> => {
    for (const end of closing.toReversed()) await end()
  }
  try {
    const owner = await EtcdOwner.claim({
      target, clock, random, client, part: machine?.name ?? null,
      machine: thisMachine(options.lab)
    })
    closing.push(async () => { await owner.release() })
    const members = machine === null ? null
      : await EtcdMembers.join({ target, clock, client, owner, name: machine.name })
    closing.push(() => members?.close())
    const engine = await EtcdEngine.open({
      target, clock, random, client, owner,
      onConnection: (reason) => {
        if (reason === null) log.info('etcd is in reach again')
        else log.warn({ reason }, 'etcd is out of reach: writes are refused, reads grow old')
      }
    })
    closing.push(async () => { await engine.close() })
    return { engine, members, close }
  } catch (error) {
    await close()
    throw error
  }
}
