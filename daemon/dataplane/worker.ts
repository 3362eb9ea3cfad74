/**
 * Entry of the data plane worker. It may be started before it is known what for: it loads, and
 * waits for its WorkerOptions (`postMessage`). Wiring only: it maps the flow file, makes the NIC,
 * opens the underlay and runs the loop until control says stop. What goes wrong before the loop
 * runs ends the thread with its error, which control hears as `error`.
 */
import { parentPort } from 'node:worker_threads'
import { machineNs, systemClock } from '../base/clock.ts'
import { tuneForHotLoop } from '../base/engine.ts'
import { systemRandom } from '../base/random.ts'
import { GENEVE_UDP_PORT } from '../encap/geneve.ts'
import { Esp, ESP_STATISTICS_BYTES } from '../tun/esp.ts'
import { createNic } from '../tun/nic.ts'
import type { Nic } from '../tun/nic.ts'
import { mapSharedFile, SharedMemories } from '../tun/shared_memory.ts'
import { WIRE_STATISTICS_BYTES } from '../tun/wire_key.ts'
import { Counters } from './counters.ts'
import { Loop, pathMtu, RX_MAX, TX_MAX } from './loop.ts'
import { messagePortLink } from './port.ts'
import type { ControlLink } from './port.ts'
import { scratchBytes, scratchBytesWithEsp } from './router_arena.ts'
import { FLOW_LAYOUT_VERSION, flowFileBytes } from './tables/flow_layout.ts'
import { INTERNET_MTU } from './steps/internet_gateway.ts'
import { FlowTable } from './tables/flow_table.ts'
import { NAT_LAYOUT_VERSION, natFileBytes } from './tables/nat_layout.ts'
import { NatTable } from './tables/nat_table.ts'
import type { WorkerOptions } from './tables/update.ts'
import { ESP_JOBS_MAX, ESP_OUT_BYTES, ESP_RESULTS_MAX } from './vpn_port.ts'

function main (options: WorkerOptions): void {
  tuneForHotLoop()
  const flowFile = mapSharedFile(options.flowFilePath, flowFileBytes(options.flowCapacity))
  const nic = createNic({
    scratchBytes: options.espFilePath === null
      ? scratchBytes(TX_MAX) : scratchBytesWithEsp(TX_MAX),
    rxMax: RX_MAX,
    txMax: TX_MAX,
    spinUs: options.spinUs,
    doorbellFd: options.doorbellFd,
    ...options.wireFilePath === null ? {} : { wireStatistics: openWire(options.wireFilePath) }
  })
  nic.openUnderlay(options.underlayNamespacePath, options.underlayAddress, GENEVE_UDP_PORT)
  const link = messagePortLink(options.port)
  const flows = new FlowTable(flowFile, options.flowCapacity, systemRandom)
  const nat = options.nat === null ? null
    : new NatTable(mapSharedFile(options.nat.filePath, natFileBytes(options.nat.capacity)),
      options.nat.capacity, systemRandom)
  tellReplaced(link, options.flowFilePath, flows.replacedVersion, FLOW_LAYOUT_VERSION)
  tellReplaced(link, options.nat?.filePath ?? '', nat?.replacedVersion ?? null, NAT_LAYOUT_VERSION)
  const loop = new Loop({
    nic,
    link,
    clock: systemClock,
    counters: new Counters(new SharedMemories().open(options.counters)),
    flows,
    nat,
    esp: options.espFilePath === null ? null : openEsp(nic, options.espFilePath),
    hostIndex: options.hostIndex,
    pathMtu: pathMtu(options.underlayMtu, options.underlayAddress.includes(':'),
      options.wireFilePath !== null),
    machineNs
  })
  loop.run()
}

/** A file of another version of vpclab has been started anew. */
function tellReplaced (
  link: ControlLink, path: string, version: number | null, present: number
): void {
  if (version === null) return
  link.post({ kind: 'warning', message: `${path} had layout ${String(version)}, and not ` +
    `${String(present)}: its flows are forgotten` })
}

/** Counts begin anew with the worker. */
function openWire (path: string): ArrayBuffer {
  const statistics = mapSharedFile(path, WIRE_STATISTICS_BYTES)
  new Float64Array(statistics).fill(0)
  return statistics
}

function openEsp (nic: Nic, path: string): Esp {
  return new Esp({
    arena: nic.bytes.buffer as ArrayBuffer,
    outAt: nic.scratchAt + scratchBytes(TX_MAX),
    outBytes: ESP_OUT_BYTES,
    jobsMax: ESP_JOBS_MAX,
    resultsMax: ESP_RESULTS_MAX,
    statistics: mapSharedFile(path, ESP_STATISTICS_BYTES),
    outerMtu: INTERNET_MTU
  })
}

parentPort?.once('message', main)
