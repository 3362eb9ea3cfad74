/**
 * S3's stand-in, systems 4.9: buckets and objects in memory, by S3's own verbs and errors, without
 * signatures. S3 API Reference, "Virtual hosting of buckets". What a daemon held is gone with it.
 *
 *     PUT    http://BUCKET.s3.REGION.amazonaws.com/        a bucket
 *     PUT    http://BUCKET.s3.REGION.amazonaws.com/KEY     an object; GET, HEAD, DELETE alike
 *     GET    http://s3.REGION.amazonaws.com/               the buckets
 *     …      http://s3.REGION.amazonaws.com/BUCKET/KEY     the same, by path
 */
export const BUCKETS_MAX = 100
export const OBJECTS_MAX = 10_000
export const OBJECT_BYTES_MAX = 1024 * 1024
/** Of all objects. */
export const OBJECTS_BYTES_MAX = 16 * 1024 * 1024

const BUCKET_NAME = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const HOST = /^(?:(.+)\.)?s3(?:\.[a-z0-9-]+)?\.amazonaws\.com$/

export interface ObjectRequest {
  readonly method: string
  /** Of the header, without a port. */
  readonly host: string
  /** Without a query. */
  readonly path: string
  readonly body: Buffer
}

export interface ObjectAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: Buffer
}

type Bucket = Map<string, Buffer>

export class ObjectStore {
  readonly #buckets = new Map<string, Bucket>()
  #objects = 0
  #bytes = 0

  answer (request: ObjectRequest): ObjectAnswer {
    const { bucket: name, key } = placeOf(request)
    if (name === '') {
      return request.method === 'GET' ? this.#list() : refusal(405, 'MethodNotAllowed')
    }
    const bucket = this.#buckets.get(name)
    if (key === '' && request.method === 'PUT') return this.#makeBucket(name)
    if (bucket === undefined) return refusal(404, 'NoSuchBucket')
    return key === '' ? this.#answerBucket(name, bucket, request.method)
      : this.#answerObject(bucket, key, request)
  }

  #list (): ObjectAnswer {
    const buckets = [...this.#buckets.keys()]
      .map((name) => `<Bucket><Name>${name}</Name></Bucket>`).join('')
    return xml(200,
      `<ListAllMyBucketsResult><Buckets>${buckets}</Buckets></ListAllMyBucketsResult>`)
  }

  #makeBucket (name: string): ObjectAnswer {
    if (!BUCKET_NAME.test(name)) return refusal(400, 'InvalidBucketName')
    if (!this.#buckets.has(name) && this.#buckets.size >= BUCKETS_MAX) {
      return refusal(400, 'TooManyBuckets')
    }
    if (!this.#buckets.has(name)) this.#buckets.set(name, new Map())
    return plain(200)
  }

  #answerBucket (name: string, bucket: Bucket, method: string): ObjectAnswer {
    if (method === 'HEAD') return plain(200)
    if (method === 'GET') {
      const keys = [...bucket].map(([key, { length }]) =>
        `<Contents><Key>${escape(key)}</Key><Size>${String(length)}</Size></Contents>`).join('')
      return xml(200, `<ListBucketResult><Name>${name}</Name>${keys}</ListBucketResult>`)
    }
    if (method !== 'DELETE') return refusal(405, 'MethodNotAllowed')
    if (bucket.size > 0) return refusal(409, 'BucketNotEmpty')
    this.#buckets.delete(name)
    return plain(204)
  }

  #answerObject (bucket: Bucket, key: string, { method, body }: ObjectRequest): ObjectAnswer {
    const held = bucket.get(key)
    if (method === 'PUT') {
      const isFull = this.#bytes - (held?.length ?? 0) + body.length > OBJECTS_BYTES_MAX ||
        (held === undefined && this.#objects >= OBJECTS_MAX)
      if (isFull) return refusal(503, 'SlowDown')
      this.#count(bucket, key, body)
      return plain(200)
    }
    if (method === 'DELETE') {
      this.#count(bucket, key, null)
      return plain(204)
    }
    if (method !== 'GET' && method !== 'HEAD') return refusal(405, 'MethodNotAllowed')
    return held === undefined ? refusal(404, 'NoSuchKey')
      : { status: 200, contentType: 'binary/octet-stream', body: held }
  }

  #count (bucket: Bucket, key: string, body: Buffer | null): void {
    const held = bucket.get(key)
    this.#bytes += (body?.length ?? 0) - (held?.length ?? 0)
    this.#objects += Number(body !== null) - Number(held !== undefined)
    if (body === null) bucket.delete(key)
    else bucket.set(key, body)
  }
}

/** Which bucket and key a request is about; empty for none. */
function placeOf ({ host, path }: ObjectRequest):
{ readonly bucket: string, readonly key: string } {
  const inHost = HOST.exec(host.toLowerCase())?.[1]
  const whole = path.replace(/^\//, '')
  if (inHost !== undefined) return { bucket: inHost, key: whole }
  const slashAt = whole.indexOf('/')
  return slashAt === -1 ? { bucket: whole, key: '' }
    : { bucket: whole.slice(0, slashAt), key: whole.slice(slashAt + 1) }
}

function plain (status: number): ObjectAnswer {
  return { status, contentType: 'text/plain', body: Buffer.alloc(0) }
}

function xml (status: number, text: string): ObjectAnswer {
  return {
    status, contentType: 'application/xml',
    body: Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${text}\n`)
  }
}

/** S3's error document. */
export function refusal (status: number, code: string): ObjectAnswer {
  return xml(status, `<Error><Code>${code}</Code></Error>`)
}

function escape (text: string): string {
  return text.replace(/[&<>]/g, (character) => `&#${String(character.charCodeAt(0))};`)
}
