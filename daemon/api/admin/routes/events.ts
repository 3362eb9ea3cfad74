/** The stream of every change: docs/events.md. */
import { NOUNS } from '../../../model/snapshot.ts'
import { EventFeed } from '../event_feed.ts'
import type { EventFilter } from '../event_feed.ts'
import { type AddRoutes, type Query, Refusal } from '../route.ts'

export const addEventRoutes: AddRoutes = (server, { lab, replica, clock }) => {
  const feed = new EventFeed({ lab, replica, clock })
  server.get<{ Querystring: Query }>('/events', (request, reply) =>
    reply.header('content-type', 'application/x-ndjson').send(feed.open(filterOf(request.query))))
  server.addHook('preClose', (done) => {
    feed.close()
    done()
  })
}

/** @throws Refusal InvalidParameterValue */
function filterOf ({ noun: nounText, id, initial = 'true' }: Query): EventFilter {
  const noun = nounText === undefined ? null : NOUNS.find((name) => name === nounText)
  if (noun === undefined) {
    throw new Refusal(400, 'InvalidParameterValue',
      `The value "${nounText ?? ''}" of noun is not one of ${NOUNS.join(', ')}`)
  }
  if (initial !== 'true' && initial !== 'false') {
    throw new Refusal(400, 'InvalidParameterValue',
      `The value "${initial}" of initial is not "true" or "false"`)
  }
  return { noun, id: id ?? null, initial: initial === 'true' }
}
