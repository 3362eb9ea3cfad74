import test from 'ava'
import { BUCKETS_MAX, OBJECT_BYTES_MAX, OBJECTS_BYTES_MAX, ObjectStore } from './object_store.ts'

const S3 = 's3.us-east-1.amazonaws.com'

function newStore (): (method: string, url: string, body?: string | Buffer) => [number, string] {
  const store = new ObjectStore()
  return (method, url, body = '') => {
    const slashAt = url.indexOf('/')
    const answer = store.answer({
      method, host: url.slice(0, slashAt), path: url.slice(slashAt), body: Buffer.from(body)
    })
    const code = /<Code>(\w+)/.exec(answer.body.toString())?.[1]
    return [answer.status, code ?? answer.body.toString()]
  }
}

test('an object is put, read, listed and deleted, by host and by path', (t) => {
  const call = newStore()
  t.deepEqual(call('PUT', `data.${S3}/`), [200, ''])
  t.deepEqual(call('PUT', `data.${S3}/a/b`, 'text'), [200, ''])
  t.deepEqual(call('GET', `${S3}/data/a/b`), [200, 'text'])
  t.deepEqual(call('GET', 'DATA.s3.amazonaws.com/a/b'), [200, 'text'])
  t.regex(call('GET', `${S3}/`)[1], /<Name>data<\/Name>/)
  t.regex(call('GET', `data.${S3}/`)[1], /<Key>a\/b<\/Key><Size>4<\/Size>/)
  t.deepEqual(call('DELETE', `data.${S3}/`), [409, 'BucketNotEmpty'])
  t.deepEqual(call('DELETE', `data.${S3}/a/b`), [204, ''])
  t.deepEqual(call('DELETE', `data.${S3}/a/b`), [204, ''], 'twice is no error')
  t.deepEqual(call('GET', `data.${S3}/a/b`), [404, 'NoSuchKey'])
  t.deepEqual(call('DELETE', `data.${S3}/`), [204, ''])
  t.deepEqual(call('GET', `data.${S3}/`), [404, 'NoSuchBucket'])
})

test('what is refused changes nothing', (t) => {
  const call = newStore()
  t.deepEqual(call('PUT', `${S3}/No`), [400, 'InvalidBucketName'])
  t.deepEqual(call('PUT', `data.${S3}/a`, 'x'), [404, 'NoSuchBucket'])
  t.deepEqual(call('PATCH', `${S3}/`), [405, 'MethodNotAllowed'])
  for (let n = 0; n < BUCKETS_MAX; n++) t.is(call('PUT', `${S3}/bucket-${String(n)}`)[0], 200)
  t.deepEqual(call('PUT', `${S3}/one-more`), [400, 'TooManyBuckets'])
  const large = Buffer.alloc(OBJECT_BYTES_MAX)
  for (let n = 0; n < OBJECTS_BYTES_MAX / OBJECT_BYTES_MAX; n++) {
    t.is(call('PUT', `${S3}/bucket-1/${String(n)}`, large)[0], 200)
  }
  t.deepEqual(call('PUT', `${S3}/bucket-1/more`, 'x'), [503, 'SlowDown'])
  t.is(call('PUT', `${S3}/bucket-1/0`, 'x')[0], 200, 'in the place of another one')
})
