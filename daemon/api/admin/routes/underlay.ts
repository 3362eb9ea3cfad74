/** How the underlay is encrypted, pair by pair, and new keys on demand. */
import type { UnderlayAnswer } from '../contract.ts'
import { Refusal } from '../route.ts'
import type { AddRoutes } from '../route.ts'

export const addUnderlayRoutes: AddRoutes = (server, { lab, config }) => {
  server.get('/underlay', (): UnderlayAnswer => ({
    isEncrypted: config.underlayEncryption,
    pairs: lab.underlayKeys.pairs().map((pair) => ({
      host: pair.host,
      peer: pair.peer,
      since: timeOf(pair.sinceMs),
      keySince: timeOf(pair.keySinceMs),
      epoch: pair.epoch,
      sent: pair.sent,
      received: pair.received,
      unsent: pair.unsent,
      replayed: pair.replayed,
      forged: pair.forged
    }))
  }))
  server.post('/underlay/rotate', () => {
    if (!config.underlayEncryption) {
      throw new Refusal(409, 'VPCLAB_ERR_CONFIG',
        'The underlay is not encrypted: start the lab with --underlay-encryption on')
    }
    lab.underlayKeys.rotate()
    return {}
  })
}

function timeOf (ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
