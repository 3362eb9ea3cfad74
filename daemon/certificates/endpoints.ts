/**
 * Gives AWS's side of every tunnel that needs one its certificate, of the authority that has issued
 * the customer gateway's, and a new one in time. Follows the store:
 *
 *     vpnConnection, customerGateway, certificate… ──▶ what is missing ──▶ Authorities.certify
 *     certificate, certificateAuthority removed ──▶ its key is removed
 */
import type { AppliedChange } from '../model/commit_feed.ts'
import { expiryMs } from '../model/certificate_authority.ts'
import type { CertificateAuthority } from '../model/certificate_authority.ts'
import { put, remove } from '../model/snapshot.ts'
import type { Change, Noun, Snapshot } from '../model/snapshot.ts'
import { authorityOfGateway, endpointCertificate, endpointName } from '../model/vpn_certificate.ts'
import type { VpnConnection } from '../model/vpn_connection.ts'
import { tunnelKey } from '../model/vpn_status.ts'
import type { Log } from '../observe/log.ts'
import type { Replica } from '../store/replica.ts'
import type { Subscription } from '../store/store.ts'
import type { Authorities } from './authorities.ts'

const NOUNS: ReadonlySet<Noun> =
  new Set(['vpnConnection', 'customerGateway', 'certificateAuthority', 'certificate'])
/** AWS's side is renewed this long before its certificate ends. ACM User Guide, renewal. */
const RENEWAL_MS = 60 * 86_400_000
const KEY_ALGORITHM = 'RSA_2048'

/** A tunnel whose AWS's side is to get a certificate. */
interface Wanting {
  readonly connection: VpnConnection
  /** 0 or 1. */
  readonly at: number
  readonly authority: CertificateAuthority
}

/** @returns in order of connection and tunnel */
export function wantingEndpoints (snapshot: Snapshot, nowMs: number): Wanting[] {
  const { vpnConnection, customerGateway } = snapshot.tables
  return [...vpnConnection.values()].flatMap((connection) => {
    const gateway = customerGateway.get(connection.customerGatewayId)
    if (connection.state === 'deleted' || gateway === undefined ||
      gateway.certificateArn === null) return []
    const authority = authorityOfGateway(snapshot, gateway)
    if (typeof authority === 'string' || authority.state !== 'ACTIVE') return []
    return connection.tunnels.flatMap(({ outsideIpAddress }, at) => {
      const has = endpointCertificate(snapshot, connection, outsideIpAddress)
      const isGood = has?.authorityId === authority.id && !has.isToBeRenewed &&
        (expiryMs(has.certificate) - nowMs > RENEWAL_MS || has.createdMs + RENEWAL_MS > nowMs)
      return isGood ? [] : [{ connection, at, authority }]
    })
  })
}

/** What a new certificate takes the place of; the endpoint that had it begins anew. */
function renewalOf (
  { tables }: Snapshot, vpnConnectionId: string, key: string, nowMs: number): Change[] {
  const old = tables.certificate.by('endpointOf', key)
  const connection = tables.vpnConnection.get(vpnConnectionId)
  if (old.length === 0 || connection === undefined) return []
  const tunnels = connection.tunnels.map((tunnel) =>
    tunnelKey(vpnConnectionId, tunnel.outsideIpAddress) === key
      ? { ...tunnel, replacedMs: nowMs } : tunnel)
  return [...old.map(({ id }) => remove('certificate', id)),
    put('vpnConnection', { ...connection, tunnels })]
}

export class EndpointCertificates {
  readonly #authorities: Authorities
  readonly #log: Log
  readonly #subscription: Subscription
  #isDirty = true
  #isStopped = false
  #working: Promise<void> | null = null

  constructor (authorities: Authorities, replica: Replica, log: Log) {
    this.#authorities = authorities
    this.#log = log
    const { certificate, certificateAuthority } = replica.snapshot.tables
    authorities.keys.sweep((id) =>
      certificate.get(id) !== undefined || certificateAuthority.get(id) !== undefined)
    this.#subscription = replica.onCommit((_revision, changes) => { this.#hear(changes) })
    this.#begin()
  }

  async stop (): Promise<void> {
    this.#isStopped = true
    this.#subscription.close()
    await this.#working
  }

  #hear (changes: readonly AppliedChange[]): void {
    for (const { noun, id, record } of changes) {
      const isGone = record === null && (noun === 'certificate' || noun === 'certificateAuthority')
      if (isGone) this.#authorities.keys.remove(id)
    }
    if (!changes.some(({ noun }) => NOUNS.has(noun))) return
    this.#isDirty = true
    this.#begin()
  }

  #begin (): void {
    this.#working ??= this.#work().finally(() => { this.#working = null })
  }

  async #work (): Promise<void> {
    while (this.#isDirty && !this.#isStopped) {
      this.#isDirty = false
      const { snapshot, nowMs } = this.#authorities
      for (const wanting of wantingEndpoints(snapshot, nowMs)) await this.#tryToCertify(wanting)
    }
  }

  async #tryToCertify (wanting: Wanting): Promise<void> {
    try {
      await this.#certify(wanting)
    } catch (error) {
      this.#log.error({ err: error, vpn: wanting.connection.id },
        'AWS\'s side of a tunnel could not be given a certificate')
    }
  }

  async #certify ({ connection: { id, ownerId, region, tunnels }, at, authority }: Wanting):
  Promise<void> {
    const key = tunnelKey(id, tunnels[at]?.outsideIpAddress ?? '')
    const subject = endpointName(id, at)
    const domainName = subject.at(-1)?.[1] ?? ''
    await this.#authorities.certify(authority, {
      caller: { accountId: ownerId, region }, subject, domainName, alternativeNames: [domainName],
      keyAlgorithm: KEY_ALGORITHM, tags: {}, endpointOf: key, idempotencyToken: null
    }, () => renewalOf(this.#authorities.snapshot, id, key, this.#authorities.nowMs))
  }
}
