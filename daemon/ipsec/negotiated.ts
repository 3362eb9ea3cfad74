/**
 * What the two ends of a tunnel agreed on, from charon's words (`list-sas`) to EC2's
 * (ActiveVpnTunnelStatus). Pure.
 */
import { isList } from './vici/message.ts'
import type { ViciMessage, ViciValue } from './vici/message.ts'

export interface Negotiated {
  readonly ikeVersion: string
  readonly phase1EncryptionAlgorithm: string
  /** With a combined mode: of the pseudo-random function. */
  readonly phase1IntegrityAlgorithm: string
  readonly phase1DHGroup: number
  readonly phase2EncryptionAlgorithm: string
  /** Empty with a combined mode. */
  readonly phase2IntegrityAlgorithm: string
  /** 0: without perfect forward secrecy, or the keys of IKE_AUTH, which has no exchange. */
  readonly phase2DHGroup: number
}

/** IANA, "Transform Type 4 - Key Exchange Method", by strongSwan's names. */
const DH_GROUPS: Readonly<Record<string, number>> = {
  MODP_1024: 2, MODP_1536: 5, MODP_2048: 14, MODP_3072: 15, MODP_4096: 16, MODP_6144: 17,
  MODP_8192: 18, ECP_256: 19, ECP_384: 20, ECP_521: 21, MODP_1024_160: 22, MODP_2048_224: 23,
  MODP_2048_256: 24
}

const text = (value: ViciValue | undefined): string => typeof value === 'string' ? value : ''
const section = (value: ViciValue | undefined): ViciMessage | null =>
  value === undefined || typeof value === 'string' || isList(value) ? null : value

function encryption (sa: ViciMessage): string {
  const size = text(sa['encr-keysize'])
  return text(sa['encr-alg']).startsWith('AES_GCM') ? `AES${size}-GCM-16` : `AES${size}`
}

/** `HMAC_SHA2_256_128`, `PRF_HMAC_SHA1`. */
function integrity (name: string): string {
  const length = /SHA2_(\d+)/.exec(name)?.[1]
  if (length !== undefined) return `SHA2-${length}`
  return name.includes('SHA1') ? 'SHA1' : ''
}

/**
 * @param ikeSa one IKE_SA of `list-sas`
 * @returns null while it has no child that is installed
 */
export function negotiatedOf (ikeSa: ViciMessage): Negotiated | null {
  const child = Object.values(section(ikeSa['child-sas']) ?? {}).map(section)
    .findLast((one) => text(one?.['state']) === 'INSTALLED')
  if (child === undefined || child === null) return null
  const hash = text(ikeSa['integ-alg'])
  return {
    ikeVersion: `ikev${text(ikeSa['version'])}`,
    phase1EncryptionAlgorithm: encryption(ikeSa),
    phase1IntegrityAlgorithm: integrity(hash === '' ? text(ikeSa['prf-alg']) : hash),
    phase1DHGroup: DH_GROUPS[text(ikeSa['dh-group'])] ?? 0,
    phase2EncryptionAlgorithm: encryption(child),
    phase2IntegrityAlgorithm: integrity(text(child['integ-alg'])),
    phase2DHGroup: DH_GROUPS[text(child['dh-group'])] ?? 0
  }
}
