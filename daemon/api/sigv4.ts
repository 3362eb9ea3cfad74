/**
 * Signature Version 4: who sent a request, and that nobody changed it. AWS IAM User Guide, "AWS
 * Signature Version 4 for API requests".
 *
 * The signature is made again with the secret we hold, by AWS's own signer, and compared. Both
 * forms are taken: the Authorization header, and the presigned query string. The Region is the one
 * of the credential scope; there is no other place that says it.
 *
 *     AWS4-HMAC-SHA256 Credential=<key>/<date>/<Region>/<service>/aws4_request,
 *       SignedHeaders=host;x-amz-date, Signature=<hex>
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { AwsError } from '../model/aws_error.ts'
import { findRegion } from '../model/region.ts'
import type { AccessKey, KeyRing } from './key_ring.ts'

/** How far a request's time may be from ours, either way. */
export const CLOCK_SKEW_MAX_MS = 15 * 60 * 1000
/** Longest validity of a presigned request: seven days. */
export const PRESIGNED_EXPIRES_MAX_S = 7 * 24 * 3600

/** A request as it came over HTTP. */
export interface SignedRequest {
  readonly method: string
  readonly path: string
  /** What stands after the `?`, still encoded; empty for none. */
  readonly query: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Bytes where the content type is that of a binary protocol. */
  readonly body: string | Uint8Array
}

export interface Caller {
  readonly accessKeyId: string
  readonly accountId: string
  readonly region: string
}

/** What a request claims, before it is believed. */
interface Claim {
  readonly accessKeyId: string
  readonly scopeDate: string
  readonly region: string
  /** `ec2` */
  readonly service: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
  /** `20060102T150405Z` */
  readonly longDate: string
  /** Seconds that a presigned request is good for; null for the header form. */
  readonly expiresS: number | null
}

/** The service that a request claims to be for, before it is believed; empty when it says none. */
export function claimedService (request: SignedRequest): string {
  const credential = header(request, 'authorization') ??
    new URLSearchParams(request.query).get('X-Amz-Credential') ?? ''
  return /^[^,]*\/([a-z0-9-]+)\/aws4_request\b/.exec(credential)?.[1] ?? ''
}

/**
 * EC2 does not say which of key, secret and signature is wrong, so one refusal answers for all.
 * @param services those that the credential may be scoped to
 * @throws AwsError MissingAuthenticationToken, IncompleteSignature, AuthFailure, RequestExpired
 */
export async function authenticate (request: SignedRequest, services: readonly string[],
  keyRing: KeyRing, nowMs: number): Promise<Caller> {
  const claim = readClaim(request)
  if (!services.includes(claim.service)) {
    throw authFailure(
      `Credential should be scoped to correct service: '${services.join("', '")}'.`)
  }
  const key = keyRing.find(claim.accessKeyId)
  if (key === undefined || header(request, 'x-amz-security-token') !== undefined) {
    throw authFailure()
  }
  const dateMs = parseLongDate(claim.longDate)
  checkTime(claim, dateMs, nowMs)
  if (findRegion(claim.region) === undefined) {
    throw authFailure(`Credential should be scoped to a valid Region, not '${claim.region}'.`)
  }
  checkPayloadHash(request)
  const expected = await sign(request, claim, key, new Date(dateMs))
  const given = Buffer.from(claim.signature)
  if (given.length !== expected.length || !timingSafeEqual(given, Buffer.from(expected))) {
    throw authFailure()
  }
  return { accessKeyId: claim.accessKeyId, accountId: key.accountId, region: claim.region }
}

/** @param why what of the claim is wrong, where telling it helps nobody to guess a secret */
function authFailure (why = ''): AwsError {
  return new AwsError('AuthFailure',
    `AWS was not able to validate the provided access credentials${why === '' ? '' : `: ${why}`}`)
}

function header (request: SignedRequest, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' || value === undefined ? value : value.join(',')
}

const ALGORITHM = 'AWS4-HMAC-SHA256'

function readClaim (request: SignedRequest): Claim {
  const authorization = header(request, 'authorization')
  if (authorization !== undefined) return readAuthorization(request, authorization)
  const query = new URLSearchParams(request.query)
  if (!query.has('X-Amz-Signature')) {
    throw new AwsError('MissingAuthenticationToken', 'Request is missing Authentication Token')
  }
  return readPresigned(query)
}

function readAuthorization (request: SignedRequest, authorization: string): Claim {
  const [algorithm = '', ...rest] = authorization.trim().split(/\s+/)
  if (algorithm !== ALGORITHM) {
    throw incomplete(`Authorization header requires the algorithm ${ALGORITHM}`)
  }
  const fields = new Map(rest.join('').split(',').map((field): [string, string] => {
    const equalsAt = field.indexOf('=')
    return [field.slice(0, equalsAt), field.slice(equalsAt + 1)]
  }))
  const required = (name: string): string => {
    const value = fields.get(name)
    if (value === undefined || value === '') {
      throw incomplete(`Authorization header requires '${name}' parameter`)
    }
    return value
  }
  const longDate = header(request, 'x-amz-date')
  if (longDate === undefined) {
    throw incomplete("Authorization header requires existence of an 'X-Amz-Date' header")
  }
  return {
    ...readScope(required('Credential')),
    signedHeaders: readSignedHeaders(required('SignedHeaders')),
    signature: required('Signature'), longDate, expiresS: null
  }
}

function readPresigned (query: URLSearchParams): Claim {
  const required = (name: string): string => {
    const value = query.get(name)
    if (value === null || value === '') {
      throw incomplete(`AWS query-string parameters must include '${name}'`)
    }
    return value
  }
  if (required('X-Amz-Algorithm') !== ALGORITHM) {
    throw incomplete(`X-Amz-Algorithm must be ${ALGORITHM}`)
  }
  const expiresS = Number(required('X-Amz-Expires'))
  if (!Number.isInteger(expiresS) || expiresS < 1 || expiresS > PRESIGNED_EXPIRES_MAX_S) {
    throw incomplete(
      `X-Amz-Expires must be a number of seconds from 1 to ${String(PRESIGNED_EXPIRES_MAX_S)}`)
  }
  return {
    ...readScope(required('X-Amz-Credential')),
    signedHeaders: readSignedHeaders(required('X-Amz-SignedHeaders')),
    signature: required('X-Amz-Signature'), longDate: required('X-Amz-Date'), expiresS
  }
}

function incomplete (message: string): AwsError {
  return new AwsError('IncompleteSignature', message)
}

function readScope (
  credential: string): Pick<Claim, 'accessKeyId' | 'scopeDate' | 'region' | 'service'> {
  const parts = credential.split('/')
  const [accessKeyId = '', scopeDate = '', region = '', service = '', terminator] = parts
  if (parts.length !== 5 || terminator !== 'aws4_request') {
    throw incomplete(
      'Credential must have the form <access key id>/<date>/<Region>/<service>/aws4_request')
  }
  return { accessKeyId, scopeDate, region, service }
}

function readSignedHeaders (text: string): string[] {
  const names = text.split(';')
  if (!names.includes('host')) {
    throw incomplete("'Host' must be a 'SignedHeader' in the AWS Authorization.")
  }
  return names
}

const LONG_DATE = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/

function parseLongDate (longDate: string): number {
  const iso = longDate.replace(LONG_DATE, '$1-$2-$3T$4:$5:$6Z')
  const dateMs = Date.parse(iso)
  if (iso === longDate || Number.isNaN(dateMs)) {
    throw incomplete(`Date must be in ISO-8601 'basic format'. Got '${longDate.slice(0, 64)}'.`)
  }
  return dateMs
}

function checkTime (claim: Claim, dateMs: number, nowMs: number): void {
  if (!claim.longDate.startsWith(claim.scopeDate)) {
    throw authFailure(
      'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from ' +
      `HTTP: '${claim.scopeDate}' != '${claim.longDate.slice(0, 8)}'.`)
  }
  const lastMs = dateMs + (claim.expiresS === null ? CLOCK_SKEW_MAX_MS : claim.expiresS * 1000)
  if (nowMs > lastMs || nowMs < dateMs - CLOCK_SKEW_MAX_MS) {
    throw new AwsError('RequestExpired',
      `Request has expired. Timestamp date is ${new Date(dateMs).toISOString()}; the time here ` +
      `is ${new Date(nowMs).toISOString()}.`)
  }
}

/** The signer believes this header, so the body must fit it. */
function checkPayloadHash (request: SignedRequest): void {
  const claimed = header(request, 'x-amz-content-sha256')
  if (claimed === undefined) return
  if (claimed !== createHash('sha256').update(request.body).digest('hex')) {
    throw authFailure(
      "The provided 'x-amz-content-sha256' header does not match what was computed.")
  }
}

const PRESIGNED_PARAMETERS = new Set([
  'X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Date', 'X-Amz-Expires', 'X-Amz-SignedHeaders',
  'X-Amz-Signature'
])

/** The signature that the request should have, in hex. */
async function sign (request: SignedRequest, claim: Claim, key: AccessKey,
  signingDate: Date): Promise<string> {
  const signer = new SignatureV4({
    service: claim.service, region: claim.region, sha256: Sha256, applyChecksum: false,
    credentials: { accessKeyId: key.accessKeyId, secretAccessKey: key.secretAccessKey }
  })
  const presigned = claim.expiresS !== null
  const headers: Record<string, string> = {}
  for (const name of claim.signedHeaders) headers[name] = header(request, name) ?? ''
  const query: Record<string, string | string[]> = {}
  const parameters = new URLSearchParams(request.query)
  for (const name of new Set(parameters.keys())) {
    if (presigned && PRESIGNED_PARAMETERS.has(name)) continue
    const values = parameters.getAll(name)
    query[name] = values.length === 1 ? values[0] ?? '' : values
  }
  const again = {
    method: request.method, protocol: 'http:', hostname: 'localhost', path: request.path, query,
    headers, body: request.body
  }
  const signableHeaders = new Set(claim.signedHeaders)
  if (claim.expiresS !== null) {
    const signed = await signer.presign(again, {
      signingDate, expiresIn: claim.expiresS, signableHeaders, unhoistableHeaders: signableHeaders
    })
    return String(signed.query?.['X-Amz-Signature'] ?? '')
  }
  const signed = await signer.sign(again, { signingDate, signableHeaders })
  return (signed.headers['authorization'] ?? '').replace(/^.*Signature=/, '')
}
