/**
 * What the routes of the admin API share: what they are given, and how they refuse. A group of
 * routes is one file under `routes/` and one line in server.ts.
 */
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import type { AuditTrail } from '../../audit/trail.ts'
import type { Lab } from '../../host/lab.ts'
import type { LabConfig } from '../../host/lab_config.ts'
import type { Log } from '../../observe/log.ts'
import type { Replica } from '../../store/replica.ts'
import type { StoreEngine } from '../../store/store.ts'
import type { KeyRing } from '../key_ring.ts'

export interface AdminServerOptions {
  readonly lab: Lab
  readonly replica: Replica
  readonly engine: Pick<StoreEngine, 'unreachableSinceMs' | 'unreachableReason'>
  readonly trail: AuditTrail
  readonly keyRing: KeyRing
  readonly config: LabConfig
  readonly endpointUrl: string
  readonly metricsUrl: string | null
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Stops the daemon, soon. */
  readonly stop: () => void
}

/** Adds a group of routes to the server. */
export type AddRoutes = (server: FastifyInstance, options: AdminServerOptions) => void

/** A refusal with a status of its own. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string
  constructor (status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** A query string. */
export interface Query { readonly [name: string]: string | undefined }

/**
 * A whole number of the query string.
 * @throws Refusal InvalidParameterValue
 */
export function numberOf (query: Query, name: string, otherwise: number, max: number): number {
  const text = query[name]
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!/^\d+$/.test(text) || value > max) {
    throw new Refusal(400, 'InvalidParameterValue',
      `The value "${text}" of ${name} is not a whole number up to ${String(max)}`)
  }
  return value
}
