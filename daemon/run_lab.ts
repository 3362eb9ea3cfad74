/**
 * The daemon of a lab: wiring only. Everything is made here, handed what it needs, and started in
 * order:
 *
 *     store, trail, history ─▶ AWS endpoint ─▶ underlay, agents ─▶ admin socket
 *
 * The admin socket comes last: who can talk to it finds a lab that is up. On SIGTERM and SIGINT the
 * daemon stops and leaves instances, devices and flow state as they are; kill -9 does no more harm
 * than that, and the next start finds its way from what is there.
 */
import { chmodSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createAcmService } from './api/acm/service.ts'
import { createAcmPcaService } from './api/acm_pca/service.ts'
import { createAdminServer } from './api/admin/server.ts'
import { createStacks } from './api/cloudformation/stacks.ts'
import { CallRecorder } from './api/cloudtrail/event.ts'
import { createCloudTrailService } from './api/cloudtrail/service.ts'
import { MetricHistory } from './api/cloudwatch/metric_history.ts'
import { startSampling } from './api/cloudwatch/sampler.ts'
import { createCloudWatchService } from './api/cloudwatch/service.ts'
import { planContext } from './api/commit.ts'
import { createConfigService } from './api/config/service.ts'
import { ACTIONS } from './api/ec2/actions/registry.ts'
import { ActionRunner } from './api/ec2/runner.ts'
import { createEc2Service } from './api/ec2/service.ts'
import { createEndpoint } from './api/endpoint.ts'
import { createLogsService } from './api/logs/service.ts'
import { openKeyRing } from './api/key_ring.ts'
import type { KeyRing } from './api/key_ring.ts'
import { CallMetrics } from './api/metrics/call_metrics.ts'
import { createMetricsServer, METRICS_ADDRESS, METRICS_PATH } from './api/metrics/server.ts'
import { createRoute53Service } from './api/route53/service.ts'
import type { Service } from './api/service.ts'
import { createStsService } from './api/sts/service.ts'
import { ChangeHistory } from './audit/change_history.ts'
import { AuditTrail } from './audit/trail.ts'
import { BirdEngine } from './bgp/bird_engine.ts'
import { BgpController } from './bgp/controller.ts'
import { Authorities } from './certificates/authorities.ts'
import { EndpointCertificates } from './certificates/endpoints.ts'
import { PrivateKeys } from './certificates/private_keys.ts'
import { systemClock } from './base/clock.ts'
import { VpclabError } from './base/errors.ts'
import { systemRandom } from './base/random.ts'
import { BucketWriter } from './flow_logs/bucket_writer.ts'
import { FlowLogs } from './flow_logs/flow_logs.ts'
import { LogGroups } from './flow_logs/log_groups.ts'
import { identities } from './host/agent_certificates.ts'
import { Lab } from './host/lab.ts'
import type { Cluster } from './host/lab.ts'
import { hostRecords, writeConfig } from './host/lab_config.ts'
import type { LabConfig } from './host/lab_config.ts'
import { RESOLV_CONF_VARIABLE, machineResolvers } from './host/machine_resolvers.ts'
import { openStore } from './host/open_store.ts'
import {
  adminSocketPath, auditDirectory, bgpDirectory, bucketsDirectory, credentialsPath,
  flowLogsDirectory, historyPath, namespaceName, namespacePath, privateKeysDirectory
} from './host/paths.ts'
import { releaseLab } from './host/pid_file.ts'
import { readConsole } from './host/vm_process.ts'
import { checkBeside, planJoin } from './model/lab.ts'
import { defaultVpcOf, planCreateDefaultVpc } from './model/default_vpc.ts'
import { isQuotaName, quotaOverrides } from './model/quota.ts'
import { AccountView, put, remove } from './model/snapshot.ts'
import type { Change } from './model/snapshot.ts'
import type { Log } from './observe/log.ts'
import type { Members } from './store/members.ts'
import { Replica } from './store/replica.ts'
import type { StoreEngine } from './store/store.ts'

const SYSTEM = { clock: systemClock, random: systemRandom }

/** Resolves when the lab is up; from then on signals and the admin socket decide. */
export async function runLab (lab: string, config: LabConfig, log: Log): Promise<void> {
  // A socket that a killed daemon left must not pass for a lab that is up.
  rmSync(adminSocketPath(lab), { force: true })
  writeConfig(lab, config)
  const store = await openStore({ ...SYSTEM, lab, config, log })
  const replica = await Replica.open(store.engine)
  const isNew = replica.snapshot.revision === 0
  const cluster = await joinLab(config, replica, store.members)
  const keyRing = openKeys(lab, config)
  const fill = async (): Promise<number> => await makeDefaultVpcs(config, replica, keyRing)
  if (isNew) await fill()
  const { trail, recorder, history, closePast } = await openPast(lab, store.engine, log)
  const certificates = openCertificates(lab, config, replica, log)
  const theLab = openLab(lab, config, { replica, log, fill, certificates, cluster })
  const flowLogs = openFlowLogs(lab, config, { theLab, replica, log })
  const cloudWatch = openCloudWatch(theLab, replica)
  const bgp = openBgp(lab, config, { replica, log })
  const calls = new CallMetrics()
  const runner = createRunner(replica, theLab, recorder)
  const stacks = openStacks(replica, theLab, runner, log)
  const endpoint = createEndpoint({
    services: [
      createEc2Service(runner),
      stacks.service,
      createCloudTrailService(trail),
      createConfigService({ history, trail, actions: ACTIONS }),
      createLogsService(flowLogs.logGroups),
      cloudWatch.service,
      createStsService(), createRoute53(replica, theLab), ...certificates.services
    ],
    ...SYSTEM, keyRing, log,
    unreachableSinceMs: () => store.engine.unreachableSinceMs,
    onCall: (call, durationMs) => {
      recorder.record(call)
      calls.observe(call, durationMs)
    },
    reset: async () => await theLab.reset()
  })
  const endpointUrl = await listen(endpoint, config.apiAddress, config.apiPort, '--api-port')
  const metrics = createMetricsServer(
    { lab: theLab, replica, clock: systemClock, region: config.region, calls })
  const metricsUrl = await listenMetrics(metrics, config.metricsPort)
  const stop = stopper(log, [
    () => endpoint.close(),
    () => metrics.close(),
    cloudWatch.stopSampling,
    () => stacks.engine.stop(),
    () => admin.close(),
    () => flowLogs.stop(),
    () => bgp?.stop(),
    () => certificates.stop(),
    () => theLab.stop(),
    () => { replica.close() },
    closePast,
    store.close,
    () => { rmSync(adminSocketPath(lab), { force: true }) },
    () => { releaseLab(lab) }
  ])
  const admin = createAdminServer({
    ...SYSTEM, lab: theLab, replica, engine: store.engine, trail, keyRing, config, endpointUrl,
    metricsUrl, log, stop
  })
  await theLab.start()
  await flowLogs.start()
  whileLeading(cluster, () => { stacks.engine.start() }, () => { void stacks.engine.stop() })
  await admin.listen({ path: adminSocketPath(lab) })
  chmodSync(adminSocketPath(lab), 0o600)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop)
  log.info({ endpointUrl, metricsUrl, hosts: config.hosts.length,
    revision: replica.snapshot.revision }, 'the lab is up')
}

function openLab (
  lab: string, config: LabConfig,
  parts: {
    readonly replica: Replica
    readonly log: Log
    readonly fill: () => Promise<number>
    readonly certificates: { readonly keys: PrivateKeys }
    readonly cluster: Cluster | null
  }
): Lab {
  const { spinUs, flowCapacity, uplink } = config
  const { certificates: { keys }, ...rest } = parts
  const forwarders =
    uplink === 'real' ? machineResolvers(process.env[RESOLV_CONF_VARIABLE]) : []
  return new Lab({
    lab, clock: systemClock, random: systemRandom, uplink, forwarders, spinUs, flowCapacity,
    keyOf: (certificateId) => keys.read(certificateId), identityOf: identities(lab, config),
    ...rest
  })
}

/** Flow logs, and the log groups that they deliver to. */
function openFlowLogs (
  lab: string, config: LabConfig,
  { theLab, replica, log }: { readonly theLab: Lab, readonly replica: Replica, readonly log: Log }
): FlowLogs {
  const directory = flowLogsDirectory(lab)
  const logGroups = new LogGroups(join(directory, 'log_groups.sqlite'))
  const bucketWriter = new BucketWriter({
    directory: bucketsDirectory(lab), spoolDirectory: join(directory, 'spool'), log
  })
  return new FlowLogs({
    agents: () => theLab.agents, replica, clock: systemClock, log, logGroups, bucketWriter,
    windowS: config.flowLogIntervalS, markPath: join(directory, 'open_window')
  })
}

/** Certificate authorities, and the certificates of AWS's side of tunnels. */
function openCertificates (lab: string, config: LabConfig, replica: Replica, log: Log): {
  readonly keys: PrivateKeys
  readonly services: readonly Service[]
  readonly stop: () => Promise<void>
} {
  const keys = new PrivateKeys(privateKeysDirectory(lab))
  const authorities =
    new Authorities({ keys, ledger: replica, clock: systemClock, random: systemRandom })
  const isWithEdges = config.machine === null || config.edges > 0
  const endpoints = isWithEdges ? new EndpointCertificates(authorities, replica, log) : null
  return {
    keys, services: [createAcmPcaService(authorities), createAcmService(authorities)],
    stop: async () => { await endpoints?.stop() }
  }
}

/** BGP over the tunnels of VPN connections, in the namespaces of their gateways. */
function openBgp (lab: string, config: LabConfig,
  { replica, log }: { readonly replica: Replica, readonly log: Log }): BgpController | null {
  if (config.edges === 0) return null
  return new BgpController({
    replica, clock: systemClock, log,
    namespaceOf: (vpnGatewayId) => namespaceName(lab, vpnGatewayId),
    createEngine: (onReport) => new BirdEngine({
      directory: bgpDirectory(lab), clock: systemClock, log, onReport,
      hasNamespace: (name) => existsSync(namespacePath(name))
    })
  })
}

/** What is kept of the past: every call, and every change. */
async function openPast (lab: string, engine: StoreEngine, log: Log): Promise<{
  readonly trail: AuditTrail
  readonly recorder: CallRecorder
  readonly history: ChangeHistory
  readonly closePast: () => void
}> {
  const trail = new AuditTrail({ directory: auditDirectory(lab), log })
  const history = await ChangeHistory.open(historyPath(lab), { engine, clock: systemClock, log })
  return {
    trail, history, recorder: new CallRecorder({ trail, ...SYSTEM }),
    closePast: () => {
      history.close()
      trail.close()
    }
  }
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

/**
 * @param flag that names another port
 * @returns the server's URL
 * @throws VpclabError VPCLAB_ERR_CONFIG when the port is taken
 */
async function listen (
  server: ReturnType<typeof createEndpoint>, host: string, port: number, flag: string
): Promise<string> {
  try {
    return await server.listen({ host, port })
  } catch (error) {
    throw new VpclabError('VPCLAB_ERR_CONFIG', `vpcd cannot listen on ${host} port ` +
      `${String(port)}: ${(error as Error).message}. Choose another one with ${flag}`,
    { cause: error })
  }
}

/** @returns the URL of the metrics; null when they are not wanted */
async function listenMetrics (
  server: ReturnType<typeof createMetricsServer>, port: number | null
): Promise<string | null> {
  if (port === null) return null
  return await listen(server, METRICS_ADDRESS, port, '--metrics-port') + METRICS_PATH
}

/** Whatever is to be done by one daemon: at once in a lab of one machine, else as the leader. */
function whileLeading (cluster: Cluster | null, begin: () => void, end: () => void): void {
  if (cluster === null) {
    begin()
    return
  }
  const { members } = cluster
  let isLeading = false
  const look = (): void => {
    if (members.isLeader === isLeading) return
    isLeading = members.isLeader
    if (isLeading) begin()
    else end()
  }
  members.onChange(look)
  look()
}

function openStacks (
  replica: Replica, lab: Lab, runner: ActionRunner, log: Log): ReturnType<typeof createStacks> {
  return createStacks({
    ledger: replica,
    clock: systemClock,
    random: systemRandom,
    log,
    runner,
    onCommit: (listener) => replica.onCommit(listener),
    waitApplied: async (revision, timeoutMs) => await lab.waitApplied(revision, timeoutMs)
  })
}

function createRoute53 (replica: Replica, lab: Lab): Service {
  return createRoute53Service({
    ledger: replica, clock: systemClock, random: systemRandom,
    appliedRevision: () => lab.appliedRevision
  })
}

/** What passed each minute, and the service that tells it. */
function openCloudWatch (
  lab: Lab, replica: Replica): { readonly service: Service, readonly stopSampling: () => void } {
  const history = new MetricHistory()
  return {
    service: createCloudWatchService(history),
    stopSampling: startSampling({ lab, replica, clock: systemClock, history })
  }
}

function createRunner (replica: Replica, lab: Lab, recorder: CallRecorder): ActionRunner {
  return new ActionRunner(ACTIONS, {
    ledger: replica,
    clock: systemClock,
    random: systemRandom,
    lab: () => ({
      appliedRevision: lab.appliedRevision, consoleOf: (id) => readConsole(lab.name, id)
    }),
    onInvoke: recorder.record
  })
}

function openKeys (lab: string, { accessKeysFile }: LabConfig): KeyRing {
  return openKeyRing({
    environment: process.env['VPCLAB_ACCESS_KEYS'],
    accessKeysPath: accessKeysFile ?? undefined,
    credentialsPath: credentialsPath(lab),
    random: systemRandom
  })
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
