/** Who called the public services on the lab's internet. */
import type { AccessLogAnswer } from '../contract.ts'
import type { AddRoutes } from '../route.ts'

export const addInternetRoutes: AddRoutes = (server, { lab }) => {
  server.get('/internet/log', (): AccessLogAnswer => ({
    accesses: lab.publicServices.accesses.map(({ timeMs, ...access }) =>
      ({ time: new Date(timeMs).toISOString(), ...access }))
  }))
}
