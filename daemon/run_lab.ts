/**
 * The daemon of a lab, first half: the store, then what carries packets.
 *
 *     store ─▶ underlay, agents ─▶ serve_lab.ts
 *
 * Packets come first: instances outlive the daemon, and what they send waits for the next one. What
 * only calls need, most of the program, is loaded when the data planes run.
 */
import { rmSync } from 'node:fs'
import { planContext } from './api/commit.ts'
import { openKeyRing } from './api/key_ring.ts'
import type { KeyRing } from './api/key_ring.ts'
import { PrivateKeys } from './certificates/private_keys.ts'
import { systemClock } from './base/clock.ts'
import { systemRandom } from './base/random.ts'
import { identities } from './host/agent_certificates.ts'
import { ThreadReserve } from './host/dataplane_carrier.ts'
import { Lab } from './host/lab.ts'
import type { Cluster } from './host/lab.ts'
import { hostRecords, writeConfig } from './host/lab_config.ts'
import type { LabConfig } from './host/lab_config.ts'
import { RESOLV_CONF_VARIABLE, machineResolvers } from './host/machine_resolvers.ts'
import { openStore } from './host/open_store.ts'
import { adminSocketPath, credentialsPath, privateKeysDirectory } from './host/paths.ts'
import { checkBeside, planJoin } from './model/lab.ts'
import { defaultVpcOf, planCreateDefaultVpc } from './model/default_vpc.ts'
import { isQuotaName, quotaOverrides } from './model/quota.ts'
import { AccountView, put, remove } from './model/snapshot.ts'
import type { Change } from './model/snapshot.ts'
import type { Log } from './observe/log.ts'
import type { Members } from './store/members.ts'
import { Replica } from './store/replica.ts'

const SYSTEM = { clock: systemClock, random: systemRandom }

/** Resolves when the lab is up; from then on signals and the admin socket decide. */
export async function runLab (lab: string, config: LabConfig, log: Log): Promise<void> {
  // A socket that a killed daemon left must not pass for a lab that is up.
  rmSync(adminSocketPath(lab), { force: true })
  const threads = new ThreadReserve(config.hosts.length)
  writeConfig(lab, config)
  const store = await openStore({ ...SYSTEM, lab, config, log })
  const replica = await Replica.open(store.engine)
  const isNew = replica.snapshot.revision === 0
  const cluster = await joinLab(config, replica, store.members)
  const keyRing = openKeys(lab, config)
  const fill = async (): Promise<number> => await makeDefaultVpcs(config, replica, keyRing)
  if (isNew) await fill()
  const keys = new PrivateKeys(privateKeysDirectory(lab))
  const theLab = openLab(lab, config, { replica, log, fill, keys, cluster, threads })
  await theLab.start()
  try {
    const { serveLab } = await import('./serve_lab.ts')
    await serveLab({ lab, config, log, store, replica, cluster, keyRing, keys, theLab })
  } catch (error) {
    await theLab.stop()
    throw error
  }
}

function openLab (
  lab: string, config: LabConfig,
  parts: {
    readonly replica: Replica
    readonly log: Log
    readonly fill: () => Promise<number>
    readonly keys: PrivateKeys
    readonly cluster: Cluster | null
    readonly threads: ThreadReserve
  }
): Lab {
  const { spinUs, flowCapacity, uplink } = config
  const { keys, ...rest } = parts
  const forwarders =
    uplink === 'real' ? machineResolvers(process.env[RESOLV_CONF_VARIABLE]) : []
  return new Lab({
    lab, clock: systemClock, random: systemRandom, uplink, forwarders, spinUs, flowCapacity,
    keyOf: (certificateId) => keys.read(certificateId), identityOf: identities(lab, config),
    ...rest
  })
}

/**
 * Brings what the lab is made of into its records.
 * @returns this machine and the others, in a lab of several; else null
 * @throws VpclabError VPCLAB_ERR_CONFIG when it cannot be a part of the lab
 */
async function joinLab (
  config: LabConfig, replica: Replica, members: Members | null): Promise<Cluster | null> {
  const { result: joined } = await replica.transact(() => {
    const { machine } = config
    if (machine === null) return { changes: labRecords(config, replica, 0), result: null }
    const join = planJoin(replica.snapshot, { id: machine.name, address: machine.address })
    return {
      changes: [...join.changes, ...labRecords(config, replica, join.result.number)],
      result: join.result
    }
  })
  return joined === null || members === null ? null : { machine: joined, members }
}

/** Hosts and quotas as records, where they are not there or differ. */
function labRecords (config: LabConfig, replica: Replica, machineNumber: number): Change[] {
  const { host: hosts, quotaOverride: quotas } = replica.snapshot.tables
  const own = hostRecords(config, machineNumber)
  checkBeside(own, [...hosts.values()])
  const changes: Change[] = []
  for (const record of own) {
    const differs = JSON.stringify(hosts.get(record.id)) !== JSON.stringify(record)
    if (differs) changes.push(put('host', record))
  }
  // In a lab of several machines the first one has said which quotas there are.
  if (config.machine !== null && replica.snapshot.revision > 0) return changes
  const overrides = quotaOverrides(config.quotaProfile, config.quotas)
  for (const [id, value] of overrides) {
    if (quotas.get(id)?.value !== value) changes.push(put('quotaOverride', { id, value }))
  }
  for (const { id } of quotas.values()) {
    if (!isQuotaName(id) || !overrides.has(id)) changes.push(remove('quotaOverride', id))
  }
  return changes
}

/** @returns the revision of the last one; 0 when there was nothing to make */
async function makeDefaultVpcs (
  { defaultVpc, region }: LabConfig, replica: Replica, keyRing: KeyRing): Promise<number> {
  let last = 0
  if (!defaultVpc) return last
  const context = planContext(systemClock, systemRandom)
  for (const accountId of keyRing.accountIds) {
    const view = new AccountView(replica.snapshot, accountId, region)
    if (defaultVpcOf(view) !== undefined) continue
    last = (await replica.transact(() => planCreateDefaultVpc(view, context))).revision
  }
  return last
}

function openKeys (lab: string, { accessKeysFile }: LabConfig): KeyRing {
  return openKeyRing({
    environment: process.env['VPCLAB_ACCESS_KEYS'],
    accessKeysPath: accessKeysFile ?? undefined,
    credentialsPath: credentialsPath(lab),
    random: systemRandom
  })
}
