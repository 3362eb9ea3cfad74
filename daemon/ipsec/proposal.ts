/**
 * Proposals as charon logs them, compared: which kind of algorithm the two sides have nothing in
 * common of.
 *
 *     IKE:AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048, IKE:…
 */

/** What each algorithm of a proposal is for. */
type Kind = 'encryption' | 'integrity' | 'key derivation' | 'Diffie-Hellman group'

/** One proposal: for each kind the algorithms that it names. */
export type Proposal = ReadonlyMap<Kind, readonly string[]>

const KINDS: readonly Kind[] = ['encryption', 'integrity', 'key derivation', 'Diffie-Hellman group']
/** Proposals and algorithms of a peer that are looked at. */
const PROPOSALS_MAX = 32
const ALGORITHMS_MAX = 64

/** Names as the tunnel options have them, where they have one. */
const NAMES: Readonly<Record<string, string>> = {
  AES_CBC_128: 'AES128',
  AES_CBC_256: 'AES256',
  AES_GCM_16_128: 'AES128-GCM-16',
  AES_GCM_16_256: 'AES256-GCM-16',
  HMAC_SHA1_96: 'SHA1',
  HMAC_SHA2_256_128: 'SHA2-256',
  HMAC_SHA2_384_192: 'SHA2-384',
  HMAC_SHA2_512_256: 'SHA2-512',
  PRF_HMAC_SHA1: 'SHA1',
  PRF_HMAC_SHA2_256: 'SHA2-256',
  PRF_HMAC_SHA2_384: 'SHA2-384',
  PRF_HMAC_SHA2_512: 'SHA2-512',
  MODP_1024: '2',
  MODP_1536: '5',
  MODP_2048: '14',
  MODP_3072: '15',
  MODP_4096: '16',
  MODP_6144: '17',
  MODP_8192: '18',
  ECP_256: '19',
  ECP_384: '20',
  ECP_521: '21',
  MODP_1024_160: '22',
  MODP_2048_224: '23',
  MODP_2048_256: '24'
}

function kindOf (algorithm: string): Kind | null {
  if (/^PRF_/.test(algorithm)) return 'key derivation'
  if (/^HMAC_|^AES_(XCBC|CMAC)/.test(algorithm)) return 'integrity'
  if (/^(MODP|ECP|CURVE)_/.test(algorithm)) return 'Diffie-Hellman group'
  return /_EXT_SEQ$|^EXT_SEQ$/.test(algorithm) ? null : 'encryption'
}

/** @param text of a line "received proposals: …" or "configured proposals: …" */
export function parseProposals (text: string): Proposal[] {
  return text.split(', ').slice(0, PROPOSALS_MAX).map((proposal) => {
    const kinds = new Map<Kind, string[]>()
    const algorithms = proposal.slice(proposal.indexOf(':') + 1).split('/')
    for (const algorithm of algorithms.slice(0, ALGORITHMS_MAX)) {
      const kind = kindOf(algorithm)
      if (kind !== null) kinds.set(kind, [...kinds.get(kind) ?? [], NAMES[algorithm] ?? algorithm])
    }
    return kinds
  })
}

/** Names of one kind in any of the proposals. */
function named (proposals: readonly Proposal[], kind: Kind): string[] {
  return [...new Set(proposals.flatMap((proposal) => proposal.get(kind) ?? []))]
}

/**
 * In words, what the two have nothing in common of. A kind that one of them does not name is not
 * compared: a first child has no group of its own, an AEAD no integrity.
 */
export function phaseMismatch (
  received: readonly Proposal[], configured: readonly Proposal[]): string {
  const differences = KINDS.flatMap((kind) => {
    const [theirs, ours] = [named(received, kind), named(configured, kind)]
    if (theirs.length === 0 || ours.length === 0) return []
    if (theirs.some((name) => ours.includes(name))) return []
    return [`${kind}: the customer gateway offers ${theirs.join(', ')}, ` +
      `the tunnel allows ${ours.join(', ')}`]
  })
  if (differences.length > 0) return differences.join('; ')
  const whole = (proposals: readonly Proposal[]): string => proposals
    .map((proposal) => KINDS.flatMap((kind) => proposal.get(kind) ?? []).join('/')).join(' or ')
  return `the customer gateway offers ${whole(received)}, the tunnel allows ${whole(configured)}`
}
