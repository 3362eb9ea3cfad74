/**
 * The algorithms that a sample offers: one choice of those that a tunnel accepts, the best first.
 * AWS's side takes what is offered when it is among its own, so one proposal is enough and says to
 * the reader what will be used.
 */
import type { TunnelOptions } from '../model/vpn_tunnel.ts'

export interface Proposal {
  readonly encryption: string
  /** With GCM: of the pseudo-random function alone. */
  readonly integrity: string
  readonly dhGroup: number
}

export type IkeVersion = 'ikev1' | 'ikev2'

const ENCRYPTION = ['AES256-GCM-16', 'AES128-GCM-16', 'AES256', 'AES128']
const INTEGRITY = ['SHA2-256', 'SHA2-384', 'SHA2-512', 'SHA1']
const DH_GROUPS = [20, 19, 21, 14, 15, 16, 17, 18, 24, 23, 22, 5, 2]

export function isGcm ({ encryption }: Proposal): boolean { return encryption.includes('GCM') }

/** IKEv1 has no combined modes. */
export function phase1Proposal (options: TunnelOptions, ikeVersion: IkeVersion): Proposal {
  const usable = options.phase1EncryptionAlgorithms.filter((name) =>
    ikeVersion === 'ikev2' || !name.includes('GCM'))
  return {
    encryption: first(ENCRYPTION, usable),
    integrity: first(INTEGRITY, options.phase1IntegrityAlgorithms),
    dhGroup: first(DH_GROUPS, options.phase1DHGroupNumbers)
  }
}

export function phase2Proposal (options: TunnelOptions): Proposal {
  return {
    encryption: first(ENCRYPTION, options.phase2EncryptionAlgorithms),
    integrity: first(INTEGRITY, options.phase2IntegrityAlgorithms),
    dhGroup: first(DH_GROUPS, options.phase2DHGroupNumbers)
  }
}

function first<T> (preferred: readonly T[], usable: readonly T[]): T {
  return preferred.find((one) => usable.includes(one)) ?? preferred.at(-1) as T
}
