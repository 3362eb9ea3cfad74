/**
 * A data plane worker for tests of control's end of the link: it swaps nothing, opens nothing, and
 * answers as the real one does. Told by device names: `broken…` cannot be opened, `crash…` kills
 * it.
 */
import { parentPort } from 'node:worker_threads'
import type { ControlMessage, WorkerMessage, WorkerOptions } from '../../dataplane/tables/update.ts'

parentPort?.once('message', ({ port }: WorkerOptions) => {
  const say = (message: WorkerMessage): void => { port.postMessage(message) }
  port.on('message', (message: ControlMessage) => {
    switch (message.kind) {
      case 'tables':
        say({ kind: 'applied', revision: message.revision })
        return
      case 'open-port':
        if (message.deviceName.startsWith('crash')) throw new Error('told to crash')
        if (message.deviceName.startsWith('broken')) say(
          { kind: 'port-failed', portIndex: message.portIndex, error: 'ENODEV' })
        else say({ kind: 'port-opened', portIndex: message.portIndex })
        return
      case 'close-port':
        say({ kind: 'warning', message: `closed ${String(message.portIndex)}` })
        return
      case 'stop':
        say({ kind: 'stopped' })
        port.close()
        return
      case 'open-uplink':
        say({ kind: 'uplink-opened' })
        return
      case 'capture':
      case 'flow-records':
      case 'open-services':
      case 'open-ike':
      case 'open-inside':
      case 'close-inside':
      case 'esp-install':
      case 'esp-remove':
      case 'esp-select':
      case 'esp-permit':
      case 'ike-listen':
      case 'wire-key':
      case 'wire-key-end':
      case 'resolved':
      case 'wire-mode':
    }
  })
  say({ kind: 'ready', features: { udpGso: true } })
})
