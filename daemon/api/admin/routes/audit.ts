/**
 * The audit trail as it grows: the record of every call as a line of JSON, from the moment of the
 * request until its reader leaves. It shows all accounts, and the calls that nobody was believed to
 * have made; what is past is asked of LookupEvents, or read in the journal.
 */
import { Readable } from 'node:stream'
import type { AddRoutes } from '../route.ts'
import { Refusal } from '../route.ts'

/** Readers at once; more is refused with 503. */
export const AUDIT_READERS_MAX = 64
/** Bytes that wait for one reader; a reader beyond it is cut off. */
export const AUDIT_WAITING_BYTES_MAX = 16 * 1024 * 1024

export const addAuditRoutes: AddRoutes = (server, { trail }) => {
  const readers = new Set<Readable>()
  server.get('/audit', (_request, reply) => {
    if (readers.size >= AUDIT_READERS_MAX) {
      throw new Refusal(503, 'TooManyReaders', `${String(AUDIT_READERS_MAX)} readers follow the ` +
        'audit trail of this lab already: end one of them')
    }
    const reader = new Readable({ read: () => { /* lines are pushed as calls come */ } })
    readers.add(reader)
    const leave = trail.follow((text) => {
      if (reader.readableLength > AUDIT_WAITING_BYTES_MAX) reader.push(null)
      else reader.push(`${text}\n`)
    })
    reader.on('close', () => {
      leave()
      readers.delete(reader)
    })
    // An empty line: the head of the answer goes out with it, and the reader knows that it follows.
    reader.push('\n')
    return reply.header('content-type', 'application/x-ndjson').send(reader)
  })
  // A server that closes waits for its answers, so they are ended before.
  server.addHook('preClose', (done) => {
    for (const reader of readers) reader.push(null)
    done()
  })
}
