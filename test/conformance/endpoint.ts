/**
 * The EC2 endpoint alone, in this process: the real server, store and rules, and no host. For tests
 * and benches of the API, which need no root.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { createAcmService } from '../../daemon/api/acm/service.ts'
import { createAcmPcaService } from '../../daemon/api/acm_pca/service.ts'
import { CallRecorder } from '../../daemon/api/cloudtrail/event.ts'
import { createCloudTrailService } from '../../daemon/api/cloudtrail/service.ts'
import { createConfigService } from '../../daemon/api/config/service.ts'
import { createStacks } from '../../daemon/api/cloudformation/stacks.ts'
import { ACTIONS } from '../../daemon/api/ec2/actions/registry.ts'
import type { AccessKey } from '../../daemon/api/key_ring.ts'
import { KeyRing } from '../../daemon/api/key_ring.ts'
import { ActionRunner } from '../../daemon/api/ec2/runner.ts'
import { createEc2Service } from '../../daemon/api/ec2/service.ts'
import { createEndpoint } from '../../daemon/api/endpoint.ts'
import { MetricHistory } from '../../daemon/api/cloudwatch/metric_history.ts'
import { createCloudWatchService } from '../../daemon/api/cloudwatch/service.ts'
import { createLogsService } from '../../daemon/api/logs/service.ts'
import { createRoute53Service } from '../../daemon/api/route53/service.ts'
import { createStsService } from '../../daemon/api/sts/service.ts'
import { ChangeHistory } from '../../daemon/audit/change_history.ts'
import { AuditTrail } from '../../daemon/audit/trail.ts'
import type { Clock } from '../../daemon/base/clock.ts'
import { systemClock } from '../../daemon/base/clock.ts'
import { systemRandom } from '../../daemon/base/random.ts'
import { Authorities } from '../../daemon/certificates/authorities.ts'
import { EndpointCertificates } from '../../daemon/certificates/endpoints.ts'
import { PrivateKeys } from '../../daemon/certificates/private_keys.ts'
import { LogGroups } from '../../daemon/flow_logs/log_groups.ts'
import type { Host } from '../../daemon/model/lab.ts'
import type { QuotaName, QuotaProfile } from '../../daemon/model/quota.ts'
import { quotaOverrides } from '../../daemon/model/quota.ts'
import type { Snapshot } from '../../daemon/model/snapshot.ts'
import { put } from '../../daemon/model/snapshot.ts'
import { Replica } from '../../daemon/store/replica.ts'
import { SqliteEngine } from '../../daemon/store/sqlite_engine.ts'

/** Two accounts, so that a test can look at one from the other. */
export const ALICE: AccessKey = {
  accessKeyId: 'AKIDALICE', secretAccessKey: 'alice/secret+key', accountId: '111111111111'
}
export const BOB: AccessKey = {
  accessKeyId: 'AKIDBOB', secretAccessKey: 'bob', accountId: '222222222222'
}

export interface Endpoint {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  /** Where the store, the audit trail and the change history are. */
  readonly directory: string
  /** What the store holds, to show that a refused call changed nothing. */
  readonly snapshot: Snapshot
  close(): Promise<void>
}

export interface EndpointOptions {
  /** `seed` by default. */
  readonly quotaProfile?: QuotaProfile
  readonly quotas?: Partial<Readonly<Record<QuotaName, number>>>
  /** For what depends on time; the system's by default. */
  readonly clock?: Clock
  /** Zones of hosts that are there in name only: instances are placed and never leave `pending`. */
  readonly hostZoneIds?: readonly string[]
  /** What CloudWatch knows; nothing by default. */
  readonly metricHistory?: MetricHistory
}

/**
 * Starts an endpoint on a free port of loopback, with a store of its own in a temporary
 * directory.
 */
export async function openEndpoint (options: EndpointOptions = {}): Promise<Endpoint> {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-api-'))
  const clock = options.clock ?? systemClock
  const engine = new SqliteEngine(join(directory, 'store.sqlite'), clock)
  const replica = await Replica.open(engine)
  const quotas = [...quotaOverrides(options.quotaProfile ?? 'seed', options.quotas ?? {})]
  const hosts = (options.hostZoneIds ?? []).map(hostOf)
  await replica.transact(() => ({
    changes: [
      ...quotas.map(([id, value]) => put('quotaOverride', { id, value })),
      ...hosts.map((host) => put('host', host))
    ],
    result: null
  }))
  const log = pino({ level: 'error' }, pino.destination(2))
  const trail = new AuditTrail({ directory: join(directory, 'audit'), log })
  const recorder = new CallRecorder({ trail, clock: systemClock, random: systemRandom })
  const history =
    await ChangeHistory.open(join(directory, 'history.sqlite'), { engine, clock, log })
  const runner = new ActionRunner(ACTIONS, {
    ledger: replica, clock, random: systemRandom,
    lab: () => ({ appliedRevision: replica.snapshot.revision }),
    onInvoke: recorder.record
  })
  const stacks = createStacks({
    ledger: replica, clock, random: systemRandom, log, runner,
    onCommit: (listener) => replica.onCommit(listener),
    waitApplied: () => Promise.resolve()
  })
  stacks.engine.start()
  const logGroups = new LogGroups(join(directory, 'log_groups.sqlite'))
  const authorities = new Authorities({
    keys: new PrivateKeys(join(directory, 'private_keys')), ledger: replica, clock,
    random: systemRandom
  })
  const endpoints = new EndpointCertificates(authorities, replica, log)
  const server = createEndpoint({
    services: [
      createEc2Service(runner),
      stacks.service,
      createCloudTrailService(trail),
      createConfigService({ history, trail, actions: ACTIONS }),
      createLogsService(logGroups),
      createCloudWatchService(options.metricHistory ?? new MetricHistory()),
      createStsService(),
      createRoute53Service({
        ledger: replica, clock, random: systemRandom,
        appliedRevision: () => replica.snapshot.revision
      }),
      createAcmPcaService(authorities),
      createAcmService(authorities)
    ], clock, random: systemRandom,
    keyRing: new KeyRing([ALICE, BOB]),
    log,
    onCall: recorder.record,
    reset: async () => await replica.resetRecords()
  })
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  return {
    url,
    directory,
    snapshot: replica.snapshot,
    close: async () => {
      await server.close()
      await stacks.engine.stop()
      await endpoints.stop()
      replica.close()
      history.close()
      trail.close()
      logGroups.close()
      await engine.close()
      rmSync(directory, { recursive: true })
    }
  }
}

function hostOf (zoneId: string, index: number): Host {
  const number = String(index + 1)
  return {
    id: `host-${number}`, region: 'us-east-1', zoneId, underlayAddress: `100.127.0.${number}`,
    underlayMtu: 9216, roles: ['compute'], instanceSlots: 100
  }
}
