/**
 * The daemon of a lab, second half: what answers calls. Everything is made here, handed what it
 * needs, and started in order:
 *
 *     trail, history ─▶ AWS endpoint ─▶ metrics ─▶ admin socket
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
import { createConfigService } from './api/config/service.ts'
import { ACTIONS } from './api/ec2/actions/registry.ts'
import { ActionRunner } from './api/ec2/runner.ts'
import { createEc2Service } from './api/ec2/service.ts'
import { createEndpoint } from './api/endpoint.ts'
import { createLogsService } from './api/logs/service.ts'
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
import type { PrivateKeys } from './certificates/private_keys.ts'
import { systemClock } from './base/clock.ts'
import { VpclabError } from './base/errors.ts'
import { systemRandom } from './base/random.ts'
import { BucketWriter } from './flow_logs/bucket_writer.ts'
import { FlowLogs } from './flow_logs/flow_logs.ts'
import { LogGroups } from './flow_logs/log_groups.ts'
import type { Cluster, Lab } from './host/lab.ts'
import type { LabConfig } from './host/lab_config.ts'
import type { OpenStore } from './host/open_store.ts'
import {
  adminSocketPath, auditDirectory, bgpDirectory, bucketsDirectory, flowLogsDirectory, historyPath,
  namespaceName, namespacePath
} from './host/paths.ts'
import { releaseLab } from './host/pid_file.ts'
import { readConsole } from './host/vm_process.ts'
import type { Log } from './observe/log.ts'
import type { Replica } from './store/replica.ts'
import type { StoreEngine } from './store/store.ts'

const SYSTEM = { clock: systemClock, random: systemRandom }

/** What the first half has made. */
export interface LabParts {
  readonly lab: string
  readonly config: LabConfig
  readonly log: Log
  readonly store: OpenStore
  readonly replica: Replica
  readonly cluster: Cluster | null
  readonly keyRing: KeyRing
  readonly keys: PrivateKeys
  readonly theLab: Lab
}

/** Resolves when the lab is up. @throws VpclabError VPCLAB_ERR_CONFIG when a port is taken */
export async function serveLab (parts: LabParts): Promise<void> {
  const { lab, config, log, store, replica, cluster, keyRing, keys, theLab } = parts
  const { trail, recorder, history, closePast } = await openPast(lab, store.engine, log)
  const certificates = openCertificates(keys, config, replica, log)
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
  await flowLogs.start()
  whileLeading(cluster, () => { stacks.engine.start() }, () => { void stacks.engine.stop() })
  await admin.listen({ path: adminSocketPath(lab) })
  chmodSync(adminSocketPath(lab), 0o600)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop)
  log.info({ endpointUrl, metricsUrl, hosts: config.hosts.length,
    revision: replica.snapshot.revision }, 'the lab is up')
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
function openCertificates (
  keys: PrivateKeys, config: LabConfig, replica: Replica, log: Log
): {
  readonly services: readonly Service[]
  readonly stop: () => Promise<void>
} {
  const authorities =
    new Authorities({ keys, ledger: replica, clock: systemClock, random: systemRandom })
  const isWithEdges = config.machine === null || config.edges > 0
  const endpoints = isWithEdges ? new EndpointCertificates(authorities, replica, log) : null
  return {
    services: [createAcmPcaService(authorities), createAcmService(authorities)],
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
