/**
 * Why a tunnel does not come up, in words for the person who has to mend it: from what charon
 * logged about one attempt (one IKE_SA), and what the tunnel is configured with. Pure.
 *
 * The lines are those of charon's log at level 1, which is its own default. What the two sides have
 * is named wherever it is known; keys never are. testing/charon_logs.txt has real lines of every
 * kind of mismatch.
 *
 * An identity, an address, a proposal may be anything that a stranger sends: it is repeated, cut to
 * a length, and nothing else.
 */
import { parseProposals, phaseMismatch } from './proposal.ts'
import { espProposals, ikeProposals } from './tunnel.ts'
import type { TunnelConfig } from './tunnel.ts'

/** Characters of a value of the peer's that an explanation repeats. */
const VALUE_CHARACTERS_MAX = 120

/** A rule looks at the lines of an attempt, the newest last. */
type Rule = (attempt: Attempt, config: TunnelConfig) => string | null

/** One attempt: its lines, and where it has been matched already. */
class Attempt {
  readonly #lines: readonly string[]

  constructor (lines: readonly string[]) { this.#lines = lines }

  /** The newest line that matches. */
  find (pattern: RegExp): RegExpExecArray | null {
    for (let at = this.#lines.length - 1; at >= 0; at--) {
      const match = pattern.exec(this.#lines[at] ?? '')
      if (match !== null) return match
    }
    return null
  }

  has (pattern: RegExp): boolean { return this.find(pattern) !== null }
}

const quoted = (value: string | undefined): string =>
  `"${(value ?? '').slice(0, VALUE_CHARACTERS_MAX)}"`
const listed = (values: readonly string[]): string => values.join(', ')

/**
 * @param lines of one IKE_SA, oldest first, as charon words them
 * @returns null when they tell of no failure
 */
export function explain (lines: readonly string[], config: TunnelConfig): string | null {
  const attempt = new Attempt(lines)
  for (const rule of RULES) {
    const explanation = rule(attempt, config)
    if (explanation !== null) return explanation
  }
  return null
}

/** IKE version of the first message of the peer. */
function versionOf (attempt: Attempt): 'ikev1' | 'ikev2' | null {
  if (attempt.has(/parsed IKE_SA_INIT request/)) return 'ikev2'
  return attempt.has(/parsed (ID_PROT|AGGRESSIVE) request/) ? 'ikev1' : null
}

const noConfig: Rule = (attempt, config) => {
  const match = attempt.find(/^no IKE config found for (\S+)\.\.\.(\S+), sending/)
  if (match === null) return null
  const peer = match[2]
  if (config.remoteAddress !== null && peer !== config.remoteAddress) {
    return `A device at ${quoted(peer)} asks for this tunnel, but the customer gateway's address ` +
      `is ${quoted(config.remoteAddress)}.`
  }
  const version = versionOf(attempt)
  if (version !== null && !config.ikeVersions.includes(version)) {
    return `The customer gateway speaks ${version}, and the tunnel allows ` +
      `${listed(config.ikeVersions)}.`
  }
  return 'The tunnel has no configuration that fits the first message of the customer gateway.'
}

const aggressiveMode: Rule = (attempt) => attempt.has(/parsed AGGRESSIVE request/)
  ? 'The customer gateway uses the aggressive mode of IKEv1; the tunnel allows main mode only.'
  : null

const proposals: Rule = (attempt) => {
  const isRefused = attempt.has(
    /^(received proposals unacceptable|no (acceptable |matching )?proposal found)/)
  const received = attempt.find(/^received proposals: (.*)$/)
  const configured = attempt.find(/^configured proposals: (.*)$/)
  if (!isRefused || received === null || configured === null) return null
  const phase = (received[1] ?? '').startsWith('IKE:') ? 'phase 1 (IKE)' : 'phase 2 (ESP)'
  const difference = phaseMismatch(
    parseProposals(received[1] ?? ''), parseProposals(configured[1] ?? ''))
  return `The proposals of ${phase} do not match: ${difference}.`
}

const sharedKey: Rule = (attempt) => {
  const hasWrongMac = attempt.has(/^tried \d+ shared keys? for .*, but MAC mismatched/)
  const hasNoise = attempt.has(/^could not decrypt payloads/) &&
    attempt.has(/^(ID_PROT|AGGRESSIVE|IKE_AUTH) (request|response) .*processing failed/)
  return hasWrongMac || hasNoise
    ? 'The pre-shared keys differ: what the customer gateway has is not the tunnel\'s.'
    : null
}

const identity: Rule = (attempt, config) => {
  if (!attempt.has(/^no (matching )?peer config found/)) return null
  const match =
    attempt.find(/peer configs matching (\S+?)(?:\[(.*?)\])?\.\.\.(\S+?)\[(.*)\]$/)
  if (match === null) return null
  const [, , expected, , peerId] = match
  if (expected !== undefined && expected !== '%any' && expected !== config.localId) {
    return `The customer gateway expects this end to be ${quoted(expected)}, and it is ` +
      `${quoted(config.localId)}.`
  }
  if (config.remoteId !== null && peerId !== config.remoteId) {
    return `The customer gateway calls itself ${quoted(peerId)}, and the tunnel expects ` +
      `${quoted(config.remoteId)}.`
  }
  return 'The customer gateway proves itself by another method than the tunnel expects: ' +
    `${methodOf(config)}.`
}

const methodOf = (config: TunnelConfig): string =>
  config.authentication.kind === 'psk' ? 'a pre-shared key' : 'a certificate'

const certificate: Rule = (attempt) => {
  const required = attempt.find(/^constraint check failed: identity '(.*)' required/)
  if (required !== null) {
    return 'The customer gateway proved another identity than the one that the tunnel requires, ' +
      `${quoted(required[1])}.`
  }
  const validity = attempt.find(/^subject certificate invalid \((.*)\)/)
  if (validity !== null) {
    return `The certificate of the customer gateway is not valid now: ${quoted(validity[1])}.`
  }
  const revoked = attempt.find(/^certificate was revoked on (.*)$/)
  if (revoked !== null) {
    return `The certificate of the customer gateway was revoked: ${quoted(revoked[1])}.`
  }
  const untrusted = attempt.find(/^no (?:trusted .*)?public key found for '(.*)'/)
  return untrusted === null ? null
    : `No certificate of ${quoted(untrusted[1])} leads to an authority of the customer gateway.`
}

const selectors: Rule = (attempt, config) => {
  const asResponder = attempt.find(/^traffic selectors (.+) === (.+) unacceptable/)
  const asResponder1 = attempt.find(/^no matching CHILD_SA config found for (.+) === (.+)$/)
  const [ours, theirs] = asResponder !== null
    ? [asResponder[1], asResponder[2]]
    : [asResponder1?.[2], asResponder1?.[1]]
  if (ours === undefined || theirs === undefined) return null
  return 'The networks do not match: the customer gateway wants ' +
    `${quoted(ours)} on AWS's side and ${quoted(theirs)} on its own, and the tunnel has ` +
    `${listed(config.localSelectors)} and ${listed(config.remoteSelectors)}.`
}

/** What the peer said of our own proposal, as initiator. */
const refusedByPeer: Rule = (attempt, config) => {
  if (attempt.has(/^received NO_PROPOSAL_CHOSEN notify error/)) {
    return 'The customer gateway accepts no proposal of phase 1 (IKE); the tunnel offers ' +
      `${ikeProposals(config.phase1).join(' or ')}.`
  }
  if (attempt.has(/^received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built/)) {
    return 'The customer gateway accepts no proposal of phase 2 (ESP); the tunnel offers ' +
      `${espProposals(config.phase2).join(' or ')}.`
  }
  if (attempt.has(/^received TS_UNACCEPTABLE notify/)) {
    return 'The customer gateway does not accept the networks of the tunnel: ' +
      `${listed(config.localSelectors)} on AWS's side, ` +
      `${listed(config.remoteSelectors)} on its own.`
  }
  if (!attempt.has(/^received AUTHENTICATION_FAILED notify error/)) return null
  return 'The customer gateway refuses this end: it has another pre-shared key, or it expects ' +
    `another identity than ${quoted(config.localId)}${config.remoteId === null ? ''
      : `, or its own is not ${quoted(config.remoteId)}`}.`
}

const unreachable: Rule = (attempt, config) => {
  if (!attempt.has(/^giving up after \d+ retransmits|peer not responding/)) return null
  const peer = quoted(config.remoteAddress ?? 'the customer gateway')
  if (attempt.has(/^IKE_SA .* established between/)) {
    return `The customer gateway at ${peer} does not answer any more (dead peer detection).`
  }
  const port = attempt.has(/^sending packet: .*\[4500\]/) ? '4500' : '500'
  return `The customer gateway at ${peer} does not answer on UDP port ${port}.`
}

const closedByPeer: Rule = (attempt) =>
  attempt.has(/^received DELETE for (IKE_SA|ESP CHILD_SA)/)
    ? 'The customer gateway has closed the tunnel.'
    : null

const notInstalled: Rule = (attempt) =>
  attempt.has(/^unable to install .*IPsec SA/)
    ? 'IKE agreed, but the SAs could not be installed: the daemon\'s log has the reason.'
    : null

/** The first that knows an answer has it. */
const RULES: readonly Rule[] = [
  noConfig, aggressiveMode, proposals, sharedKey, identity, certificate, selectors, notInstalled,
  refusedByPeer, unreachable, closedByPeer
]
