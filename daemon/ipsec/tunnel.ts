/**
 * A VPN tunnel as IKE is told of it: from the tunnel options of AWS (API reference of EC2,
 * VpnTunnelOptionsSpecification) to charon's own terms, as VICI's load-conn and load-shared take
 * them. Pure.
 *
 * charon prefers what stands first in its own list, whatever the peer's order is; lists are written
 * from the lowest value up, as AWS picks.
 */
import { assert } from '../base/assert.ts'
import type { ViciMessage } from './vici/message.ts'

export type EncryptionAlgorithm = 'AES128' | 'AES256' | 'AES128-GCM-16' | 'AES256-GCM-16'
export type IntegrityAlgorithm = 'SHA1' | 'SHA2-256' | 'SHA2-384' | 'SHA2-512'

/** What a phase offers and accepts. */
export interface PhaseOptions {
  readonly encryption: readonly EncryptionAlgorithm[]
  readonly integrity: readonly IntegrityAlgorithm[]
  /** Numbers of Diffie-Hellman groups. */
  readonly dhGroups: readonly number[]
  readonly lifetimeSeconds: number
}

export type TunnelAuthentication =
  | { readonly kind: 'psk', readonly secret: string }
  /** PEM texts. */
  | {
    readonly kind: 'certificate'
    readonly certificate: string
    readonly privateKey: string
    /** Authority that has issued the peer's certificate. */
    readonly issuer: string
    /** Those above it, up to the root. */
    readonly chain: readonly string[]
    /** What these have revoked. */
    readonly revocationLists: readonly string[]
  }

export interface TunnelConfig {
  /** Unique among the tunnels of an engine: `vpn-0123456789abcdef0-1`. */
  readonly name: string
  /** Rises when the tunnel is to begin anew. */
  readonly generation: number
  /** Number of the tunnel, 1..2^32 - 1: the if_id of its SAs. */
  readonly tunnel: number
  /** Outside address of AWS's side. */
  readonly localAddress: string
  /** Of the customer gateway; null: wherever it is. */
  readonly remoteAddress: string | null
  readonly localId: string
  /** null: whatever the peer says, provided that it knows the key. */
  readonly remoteId: string | null
  readonly authentication: TunnelAuthentication
  readonly ikeVersions: readonly ('ikev1' | 'ikev2')[]
  readonly phase1: PhaseOptions
  readonly phase2: PhaseOptions
  readonly rekeyMarginSeconds: number
  readonly rekeyFuzzPercentage: number
  readonly replayWindow: number
  readonly dpdTimeoutSeconds: number
  readonly dpdTimeoutAction: 'clear' | 'none' | 'restart'
  readonly startupAction: 'add' | 'start'
  /** CIDR blocks: AWS's side and the customer's. */
  readonly localSelectors: readonly string[]
  readonly remoteSelectors: readonly string[]
}

const ENCRYPTION: Readonly<Record<EncryptionAlgorithm, string>> = {
  'AES128': 'aes128', 'AES256': 'aes256', 'AES128-GCM-16': 'aes128gcm16',
  'AES256-GCM-16': 'aes256gcm16'
}
const INTEGRITY: Readonly<Record<IntegrityAlgorithm, string>> = {
  'SHA1': 'sha1', 'SHA2-256': 'sha256', 'SHA2-384': 'sha384', 'SHA2-512': 'sha512'
}
/** IANA, "Transform Type 4 - Key Exchange Method". */
const DH_GROUPS: Readonly<Record<number, string>> = {
  2: 'modp1024',
  5: 'modp1536',
  14: 'modp2048',
  15: 'modp3072',
  16: 'modp4096',
  17: 'modp6144',
  18: 'modp8192',
  19: 'ecp256',
  20: 'ecp384',
  21: 'ecp521',
  22: 'modp1024s160',
  23: 'modp2048s224',
  24: 'modp2048s256'
}
/** How often an idle peer is asked whether it lives; the answer has the rest of the timeout. */
const DPD_DELAY_SECONDS = 10
/** Name of a tunnel's one child. */
export const CHILD_NAME = 'tunnel'

const names = <Key extends string> (
  table: Readonly<Record<Key, string>>, chosen: readonly Key[]): string[] =>
  (Object.keys(table) as Key[]).filter((key) => chosen.includes(key)).map((key) => table[key])

const groupNames = (groups: readonly number[]): string[] =>
  groups.toSorted((a, b) => a - b).map((group) => {
    const name = DH_GROUPS[group]
    assert(name !== undefined, `Diffie-Hellman group ${String(group)} has no name`)
    return name
  })

const isAead = (name: string): boolean => name.includes('gcm')

/** Proposals of IKE: algorithms with a hash for integrity, and those with one for keys alone. */
export function ikeProposals (phase: PhaseOptions): string[] {
  const hashes = names(INTEGRITY, phase.integrity)
  const groups = groupNames(phase.dhGroups)
  return proposals(phase, hashes, hashes.map((hash) => `prf${hash}`), groups)
}

/** Proposals of ESP; the groups are for perfect forward secrecy. */
export function espProposals (phase: PhaseOptions): string[] {
  return proposals(phase, names(INTEGRITY, phase.integrity), [], groupNames(phase.dhGroups))
}

function proposals (
  phase: PhaseOptions, integrity: readonly string[], prfs: readonly string[],
  groups: readonly string[]
): string[] {
  const ciphers = names(ENCRYPTION, phase.encryption)
  const plain = ciphers.filter((name) => !isAead(name))
  const aead = ciphers.filter(isAead)
  return [
    ...(plain.length > 0 ? [[...plain, ...integrity, ...groups].join('-')] : []),
    ...(aead.length > 0 ? [[...aead, ...prfs, ...groups].join('-')] : [])
  ]
}

function version (config: TunnelConfig): string {
  if (config.ikeVersions.length !== 1) return '0'
  return config.ikeVersions[0] === 'ikev1' ? '1' : '2'
}

/** Times of rekeying: between margin and margin × (1 + fuzz) before the end of the life. */
function rekeyTimes (config: TunnelConfig, lifetimeSeconds: number): Record<string, string> {
  const marginSeconds = Math.min(config.rekeyMarginSeconds, Math.trunc(lifetimeSeconds / 2))
  const fuzzSeconds = Math.trunc(marginSeconds * config.rekeyFuzzPercentage / 100)
  return {
    rekey_time: `${String(lifetimeSeconds - marginSeconds)}s`,
    rand_time: `${String(Math.min(fuzzSeconds, lifetimeSeconds - marginSeconds - 1))}s`
  }
}

function child (config: TunnelConfig): ViciMessage {
  const life = config.phase2.lifetimeSeconds
  return {
    mode: 'tunnel',
    local_ts: config.localSelectors,
    remote_ts: config.remoteSelectors,
    esp_proposals: espProposals(config.phase2),
    if_id_in: String(config.tunnel),
    if_id_out: String(config.tunnel),
    replay_window: String(config.replayWindow),
    life_time: `${String(life)}s`,
    ...rekeyTimes(config, life),
    dpd_action: config.dpdTimeoutAction === 'restart' ? 'restart' : 'clear',
    start_action: config.startupAction === 'start' ? 'start' : 'none',
    close_action: config.startupAction === 'start' ? 'start' : 'none'
  }
}

/** Argument of `load-conn`. */
export function connectionMessage (config: TunnelConfig): ViciMessage {
  const { authentication } = config
  const isPsk = authentication.kind === 'psk'
  const local = isPsk
    ? { auth: 'psk', id: config.localId }
    : { auth: 'pubkey', id: config.localId, certs: [authentication.certificate] }
  const remote = isPsk
    ? { auth: 'psk', id: config.remoteId ?? '%any' }
    : { auth: 'pubkey', id: config.remoteId ?? '%any', cacerts: [authentication.issuer] }
  const checksPeer = config.dpdTimeoutAction !== 'none'
  return {
    [config.name]: {
      version: version(config),
      local_addrs: [config.localAddress],
      remote_addrs: [config.remoteAddress ?? '%any'],
      proposals: ikeProposals(config.phase1),
      mobike: 'no',
      fragmentation: 'yes',
      unique: 'replace',
      keyingtries: config.startupAction === 'start' ? '0' : '1',
      dpd_delay: checksPeer ? `${String(DPD_DELAY_SECONDS)}s` : '0s',
      dpd_timeout: `${String(config.dpdTimeoutSeconds)}s`,
      ...rekeyTimes(config, config.phase1.lifetimeSeconds),
      over_time: `${String(config.rekeyMarginSeconds)}s`,
      local,
      remote,
      children: { [CHILD_NAME]: child(config) }
    }
  }
}

/**
 * Arguments of `load-cert`, for what is known of authorities: trusted ones, and what they have
 * revoked. charon keeps them for all tunnels; a tunnel's peer must lead to the tunnel's issuer.
 */
export function certificateMessages ({ authentication }: TunnelConfig): ViciMessage[] {
  if (authentication.kind === 'psk') return []
  return [
    ...authentication.chain.map((data) => ({ type: 'X509', flag: 'CA', data })),
    ...authentication.revocationLists.map((data) => ({ type: 'X509_CRL', flag: 'NONE', data }))
  ]
}

/**
 * Argument of `load-shared`; null when there is no shared key. The key belongs to the outside
 * address, which one tunnel has: a peer behind NAT may call itself anything. A peer that does not
 * say whom it calls (IDr is optional, RFC 7296 section 2.15) is found by its own address, where no
 * other tunnel has that one: charon takes any key that fits, and it would be another customer's.
 */
export function sharedKeyMessage (
  config: TunnelConfig, others: Iterable<TunnelConfig> = []): ViciMessage | null {
  if (config.authentication.kind !== 'psk') return null
  const isAlone = [...others].every((other) =>
    other.name === config.name || other.remoteAddress !== config.remoteAddress)
  return {
    id: config.name,
    type: 'IKE',
    data: config.authentication.secret,
    owners: [config.localId, config.remoteId ?? (isAlone ? config.remoteAddress : null)]
      .filter((id) => id !== null)
  }
}
