/**
 * Entry of the data plane worker: `new Worker(new URL('worker.ts', …), { workerData: WorkerOptions
 * })`. Wiring only: it maps the flow file, makes the NIC, opens the underlay and runs the loop
 * until control says stop. What goes wrong before the loop runs ends the thread with its error,
 * which control hears as `error`.
 */
import { workerData } from 'node:worker_threads'
import { machineNs, systemClock } from '../base/clock.ts'
import { tuneForHotLoop } from '../base/engine.ts'
import { systemRandom } from '../base/random.ts'
import { GENEVE_UDP_PORT } from '../encap/geneve.ts'
import { createNic } from '../tun/nic.ts'
import { mapSharedFile, SharedMemories } from '../tun/shared_memory.ts'
import { Counters } from './counters.ts'
import { Loop, pathMtu, RX_MAX, TX_MAX } from './loop.ts'
import { messagePortLink } from './port.ts'
import { scratchBytes } from './router.ts'
import { flowFileBytes } from './tables/flow_layout.ts'
import { FlowTable } from './tables/flow_table.ts'
import type { WorkerOptions } from './tables/update.ts'

function main (options: WorkerOptions): void {
  tuneForHotLoop()
  const flowFile = mapSharedFile(options.flowFilePath, flowFileBytes(options.flowCapacity))
  const nic = createNic({
    scratchBytes: scratchBytes(TX_MAX),
    rxMax: RX_MAX,
    txMax: TX_MAX,
    spinUs: options.spinUs,
    doorbellFd: options.doorbellFd
  })
  nic.openUnderlay(options.underlayNamespacePath, options.underlayAddress, GENEVE_UDP_PORT)
  const loop = new Loop({
    nic,
    link: messagePortLink(options.port),
    clock: systemClock,
    counters: new Counters(new SharedMemories().open(options.counters)),
    flows: new FlowTable(flowFile, options.flowCapacity, systemRandom),
    hostIndex: options.hostIndex,
    pathMtu: pathMtu(options.underlayMtu, options.underlayAddress.includes(':')),
    machineNs
  })
  loop.run()
}

main(workerData as WorkerOptions)
