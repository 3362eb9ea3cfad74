/**
 * Whose daemon runs a lab, or one machine's part of it: a key under a lease, which ends when its
 * daemon has been silent for LEASE_SECONDS. Every transaction is guarded by it (etcd_engine.ts), so
 * a daemon that was cut off and comes back after another has taken over writes nothing any more.
 *
 *     machine A  vpcd ── owner = A, prolonged ──▶ etcd       A dies: the lease ends
 *     machine B  vpcd ── refused: A runs it ─── … ──▶ owner = B
 *
 * In a lab of several machines each has a key of its own, so that there are as many daemons as
 * machines, and no two for one (members.ts).
 *
 * On its own machine a daemon takes over at once: that the one before has ended is what the lab's
 * lock file there says.
 */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Clock } from '../../base/clock.ts'
import { VpclabError } from '../../base/errors.ts'
import type { Random } from '../../base/random.ts'
import { ASK_MS_MAX, persist } from './client.ts'
import type { EtcdClient, Txn, TxnWrite } from './client.ts'
import type { EtcdTarget } from './target.ts'

/** How long a silent daemon keeps its lab from others. */
export const LEASE_SECONDS = 10
const KEEP_MS = LEASE_SECONDS * 1000 / 4
const LEASE_ID_BYTES = 6

/** The key that says who owns a lab, and what it holds while this daemon does. */
export interface Ownership {
  readonly key: string
  readonly value: string
}

export interface Machine {
  readonly machine: string
  /** Tells machines of one name apart, and labs of one machine that would have the same keys. */
  readonly machineId: string
}

/** What the key's value says. */
interface Owner extends Machine {
  readonly pid: number
  readonly lease: number
}

export interface EtcdOwnerOptions {
  readonly target: EtcdTarget
  readonly clock: Clock
  readonly random: Random
  /** The name of one of the lab's machines; null: the lab is this one's alone. */
  readonly part?: string | null
  readonly machine: Machine
  /** The way to etcd, which whoever has made it closes. */
  readonly client: EtcdClient
}

export class EtcdOwner implements Ownership {
  readonly key: string
  readonly value: string
  /** Called when the lease had ended and is there again: what else was under it is gone. */
  onRenewed: () => void = () => undefined
  readonly #client: EtcdClient
  readonly #lease: number
  readonly #timer: NodeJS.Timeout
  #isKeeping = false
  /** The lease has ended, and the key is not known to be there again. */
  #isLost = false

  private constructor (client: EtcdClient, ownership: Ownership, lease: number) {
    this.#client = client
    this.key = ownership.key
    this.value = ownership.value
    this.#lease = lease
    // One that is too late, or fails, shows when the next transaction is refused.
    this.#timer = setInterval(() => { this.#keep().catch(() => undefined) }, KEEP_MS)
    this.#timer.unref()
  }

  get lease (): number { return this.#lease }

  /**
   * @throws VpclabError VPCLAB_ERR_LAB_RUNNING when a daemon of another machine owns it,
   *   VPCLAB_ERR_STORE when etcd does not answer
   */
  static async claim (options: EtcdOwnerOptions): Promise<EtcdOwner> {
    const { target, clock, random, client, part = null, machine } = options
    const key = part === null ? `${target.prefix}owner` : machineOwnerKey(target, part)
    const lease = Buffer.from(random.bytes(LEASE_ID_BYTES)).readUIntBE(0, LEASE_ID_BYTES)
    const owner: Owner = { ...machine, pid: process.pid, lease }
    const value = JSON.stringify(owner)
    await client.grantLease(lease, LEASE_SECONDS)
    const put = putOf({ key, value }, lease)
    // One whose answer is lost may be asked again: it then takes over from itself.
    const ask = async (txn: Txn): ReturnType<EtcdClient['txn']> =>
      await persist(clock, ASK_MS_MAX, async () => await client.txn(txn))
    let { succeeded, read } =
      await ask({ guards: [{ key, version: 0 }], writes: [put], orRead: key })
    if (!succeeded && read !== null && isOf(machine, read)) {
      ({ succeeded, read } =
        await ask({ guards: [{ key, value: read }], writes: [put], orRead: key }))
    }
    if (!succeeded) throw notOwner({ key, value }, read)
    return new EtcdOwner(client, { key, value }, lease)
  }

  /** Prolongs the lease; one that has ended is made anew unless another owns the lab now. */
  async #keep (): Promise<void> {
    if (this.#isKeeping) return
    this.#isKeeping = true
    try {
      // A lease asks for no right. Who may not even read its own key shall be lost to the others.
      await this.#client.range(this.key)
      if (await this.#client.keepLease(this.#lease) === 0) {
        this.#isLost = true
        await this.#client.grantLease(this.#lease, LEASE_SECONDS)
      }
      if (!this.#isLost) return
      const { succeeded, read } = await this.#client.txn({
        guards: [{ key: this.key, version: 0 }], writes: [putOf(this, this.#lease)],
        orRead: this.key
      })
      // A put whose answer was lost is found there.
      if (!succeeded && read !== this.value) return
      this.#isLost = false
      this.onRenewed()
    } finally {
      this.#isKeeping = false
    }
  }

  /** Others may own the lab from now on. */
  async release (): Promise<void> {
    clearInterval(this.#timer)
    await this.#client.revokeLease(this.#lease).catch(() => undefined)
  }
}

/** The key of whose daemon runs a machine's part of a lab. */
export function machineOwnerKey ({ prefix }: EtcdTarget, name: string): string {
  return `${prefix}machines/owner/${name}`
}

/** @param read what the key holds instead; null: nobody owns the lab */
export function notOwner ({ key }: Ownership, read: string | null): VpclabError {
  if (read === null) {
    return new VpclabError('VPCLAB_ERR_STORE', 'etcd has not heard of this daemon for ' +
      `${String(LEASE_SECONDS)} s: it takes writes again when "${key}" is there again`)
  }
  const { machine, pid } = JSON.parse(read) as Owner
  return new VpclabError('VPCLAB_ERR_LAB_RUNNING', `The daemon ${String(pid)} of the machine ` +
    `"${machine}" runs the lab ("${key}" in etcd): end that one, or wait ` +
    `${String(LEASE_SECONDS)} s after its end`)
}

function putOf ({ key, value }: Ownership, lease: number): TxnWrite {
  return { kind: 'put', key, value, lease }
}

function isOf ({ machineId }: Machine, value: string): boolean {
  return (JSON.parse(value) as Owner).machineId === machineId
}

/** This machine's machine-id(5), or its name where it has none, and the lab's name. */
export function thisMachine (lab: string): Machine {
  const machine = hostname()
  let id = machine
  try {
    id = readFileSync('/etc/machine-id', 'utf8').trim()
  } catch {
    // Its name has to do.
  }
  return { machine, machineId: `${id}/${lab}` }
}
