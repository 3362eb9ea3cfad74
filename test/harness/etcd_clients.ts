/** Ways to etcd for the tests of a file, which closes them when it is over. */
import { systemClock } from '../../daemon/base/clock.ts'
import { EtcdClient } from '../../daemon/store/etcd/client.ts'
import type { EtcdTarget } from '../../daemon/store/etcd/target.ts'

const clients: EtcdClient[] = []

export function etcdClient (target: EtcdTarget): EtcdClient {
  const client = new EtcdClient(target, systemClock)
  clients.push(client)
  return client
}

export function closeEtcdClients (): void {
  for (const client of clients) client.close()
}
