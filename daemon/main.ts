/**
 * vpcd: wiring only. Everything is made here, handed what it needs, and started in order:
 *
 *     machine checked ─▶ lab claimed ─▶ store ─▶ AWS endpoint ─▶ underlay, agents ─▶ admin socket
 *
 * The admin socket comes last: who can talk to it finds a lab that is up. On SIGTERM and SIGINT the
 * daemon stops and leaves instances, devices and flow state as they are; kill -9 does no more harm
 * than that, and the next start finds its way from what is there. `--teardown` removes a lab.
 *
 * Exit codes: 0 done, 1 failed, 2 used wrongly or a prerequisite is missing.
 */
import { chmodSync, rmSync } from 'node:fs'
import { createAdminServer } from './api/admin/server.ts'
import { ACTIONS } from './api/ec2/actions/registry.ts'
import { ActionRunner } from './api/ec2/runner.ts'
import { createEc2Service } from './api/ec2/service.ts'
import { createEndpoint } from './api/endpoint.ts'
import { openKeyRing } from './api/key_ring.ts'
import { systemClock } from './base/clock.ts'
import { VpclabError } from './base/errors.ts'
import { systemRandom } from './base/random.ts'
import { USAGE, parseFlags } from './flags.ts'
import { Lab } from './host/lab.ts'
import { hostRecords, readConfig, resolveConfig, writeConfig } from './host/lab_config.ts'
import type { LabConfig } from './host/lab_config.ts'
import {
  STATE_DIRECTORY_VARIABLE, adminSocketPath, credentialsPath, storePath
} from './host/paths.ts'
import { claimLab, releaseLab } from './host/pid_file.ts'
import { checkMachine, checkRoot } from './host/preflight.ts'
import { teardownLab } from './host/teardown.ts'
import { put } from './model/snapshot.ts'
import type { Change } from './model/snapshot.ts'
import { createLog } from './observe/log.ts'
import type { Log } from './observe/log.ts'
import { Replica } from './store/replica.ts'
import { SqliteEngine } from './store/sqlite_engine.ts'

const EXIT_FAILED = 1
const EXIT_USAGE = 2

/** Errors that a person mends before trying again: exit code 2. */
const USAGE_CODES: readonly string[] =
  ['VPCLAB_ERR_NOT_ROOT', 'VPCLAB_ERR_PREREQUISITE', 'VPCLAB_ERR_KERNEL', 'VPCLAB_ERR_CONFIG']

async function main (args: readonly string[]): Promise<void> {
  const flags = parseFlags(args)
  const { lab, stateDirectory } = flags
  if (stateDirectory !== null) process.env[STATE_DIRECTORY_VARIABLE] = stateDirectory
  if (flags.mode === 'help') {
    process.stdout.write(USAGE)
    return
  }
  if (flags.mode === 'teardown') {
    const result = await teardownLab(lab)
    process.stdout.write(JSON.stringify({ lab, ...result }) + '\n')
    return
  }
  if (flags.config.hosts !== '0') checkRoot()
  const saved = readConfig(lab)
  const config = resolveConfig(flags.config, saved)
  if (config.hosts.length > 0) await checkMachine(lab)
  claimLab(lab)
  try {
    await run(lab, config, createLog({ lab, level: flags.logLevel }))
  } catch (error) {
    releaseLab(lab)
    // A lab that has never been up leaves nothing behind.
    if (saved === null) await teardownLab(lab)
    throw error
  }
}

/** Resolves when the lab is up; from then on signals and the admin socket decide. */
async function run (lab: string, config: LabConfig, log: Log): Promise<void> {
  // A socket that a killed daemon left must not pass for a lab that is up.
  rmSync(adminSocketPath(lab), { force: true })
  writeConfig(lab, config)
  const engine = new SqliteEngine(storePath(lab), systemClock)
  const replica = await Replica.open(engine)
  await replica.transact(() => ({ changes: labRecords(config, replica), result: null }))
  const keyRing = openKeyRing({
    environment: process.env['VPCLAB_ACCESS_KEYS'],
    accessKeysPath: config.accessKeysFile ?? undefined,
    credentialsPath: credentialsPath(lab),
    random: systemRandom
  })
  const theLab = new Lab({ lab, replica, clock: systemClock, log, spinUs: config.spinUs })
  const runner = new ActionRunner(ACTIONS, {
    ledger: replica,
    clock: systemClock,
    random: systemRandom,
    lab: () => ({ appliedRevision: theLab.appliedRevision })
  })
  const endpoint = createEndpoint({
    services: [createEc2Service(runner)],
    keyRing,
    clock: systemClock,
    random: systemRandom,
    log,
    onCall: () => { /* the audit trail */ },
    reset: async () => await theLab.reset()
  })
  const endpointUrl = await listen(endpoint, config)
  const stop = stopper(log, [
    () => endpoint.close(),
    () => admin.close(),
    () => theLab.stop(),
    () => { replica.close() },
    () => engine.close(),
    () => { rmSync(adminSocketPath(lab), { force: true }) },
    () => { releaseLab(lab) }
  ])
  const admin = createAdminServer({ lab: theLab, replica, keyRing, config, endpointUrl, log, stop })
  await theLab.start()
  await admin.listen({ path: adminSocketPath(lab) })
  chmodSync(adminSocketPath(lab), 0o600)
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  log.info({ endpointUrl, hosts: config.hosts.length, revision: replica.snapshot.revision },
    'the lab is up')
}

/** Hosts and quotas as records, where they are not there or differ. */
function labRecords (config: LabConfig, replica: Replica): Change[] {
  const { host: hosts, quotaOverride: quotas } = replica.snapshot.tables
  const changes: Change[] = []
  for (const record of hostRecords(config)) {
    const differs = JSON.stringify(hosts.get(record.id)) !== JSON.stringify(record)
    if (differs) changes.push(put('host', record))
  }
  for (const [id, value] of Object.entries(config.quotas)) {
    if (quotas.get(id)?.value !== value) changes.push(put('quotaOverride', { id, value }))
  }
  return changes
}

/** @returns the endpoint's URL. @throws VpclabError VPCLAB_ERR_CONFIG when the port is taken */
async function listen (
  server: ReturnType<typeof createEndpoint>, config: LabConfig
): Promise<string> {
  try {
    return await server.listen({ host: config.apiAddress, port: config.apiPort })
  } catch (error) {
    throw new VpclabError('VPCLAB_ERR_CONFIG', 'The EC2 endpoint cannot listen on ' +
      `${config.apiAddress} port ${String(config.apiPort)}: ${(error as Error).message}. ` +
      'Choose another one with --api-port', { cause: error })
  }
}

/** Runs the steps once, in order, each whatever became of the one before, and ends the process. */
function stopper (log: Log, steps: readonly (() => unknown)[]): () => void {
  let stopping = false
  const stopAll = async (): Promise<void> => {
    log.info('stopping: instances and devices stay')
    for (const step of steps) {
      try {
        await step()
      } catch (error) {
        log.error({ err: error }, 'a part could not be stopped')
      }
    }
    process.exit(0)
  }
  return () => {
    if (stopping) return
    stopping = true
    void stopAll()
  }
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof VpclabError)) throw error
  process.stderr.write(`vpcd: ${error.code}: ${error.message}\n`)
  process.exit(USAGE_CODES.includes(error.code) ? EXIT_USAGE : EXIT_FAILED)
}
