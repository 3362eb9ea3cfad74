/**
 * Entry of the services' thread: one per daemon, for all of its hosts. It answers DHCP, DNS,
 * metadata, time and activation from what control tells it (update.ts), so that a busy main thread
 * does not keep instances waiting, nor they it.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { systemClock } from '../base/clock.ts'
import { DatagramBatch } from '../tun/datagrams.ts'
import { ServicesDirectory } from './directory.ts'
import { privateNames, publicNames, reverseNames } from './dns/ec2_zones.ts'
import { Forwarder } from './dns/forwarder.ts'
import { publicServiceNames } from './dns/public_service_names.ts'
import { Resolver } from './dns/resolver.ts'
import { HostSockets } from './host_sockets.ts'
import type { ServicesControl, ServicesMessage, ServicesOptions } from './update.ts'

function main (port: MessagePort, options: ServicesOptions): void {
  const directory = new ServicesDirectory()
  const forwarder = options.forwarders.length === 0 ? null : new Forwarder(options.forwarders)
  const resolver = new Resolver({
    sources: [
      directory.hostedZones, privateNames(directory), publicNames(directory),
      reverseNames(directory), ...options.hasPublicServices ? [publicServiceNames] : []
    ],
    forward: forwarder?.forward ?? null
  })
  const batch = new DatagramBatch()
  const hosts = new Map<string, HostSockets>()
  const post = (message: ServicesMessage): void => { port.postMessage(message) }

  const openHost = (host: string, namespacePath: string): void => {
    hosts.get(host)?.close()
    hosts.delete(host)
    try {
      hosts.set(host, new HostSockets({
        namespacePath, clock: systemClock, tokenKey: options.tokenKey, resolver, batch,
        viewerOf: (address) => directory.viewerOf(host, address),
        onError: (error) => {
          post({ kind: 'warning', message: `Services of ${host}: ${error.message}` })
        }
      }))
      post({ kind: 'host-opened', host })
    } catch (error) {
      post({ kind: 'host-failed', host, error: (error as Error).message })
    }
  }

  port.on('message', (message: ServicesControl) => {
    if (message.kind === 'open-host') {
      openHost(message.host, message.namespacePath)
      return
    }
    directory.apply(message, (host, portIndex) => { hosts.get(host)?.forget(portIndex) })
    post({ kind: 'applied', revision: message.revision })
  })
}

if (parentPort !== null) main(parentPort, workerData as ServicesOptions)
