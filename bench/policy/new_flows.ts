/**
 * What a new conversation costs, in memory: SYN packets of conversations that nobody has seen, in
 * bursts, over a table that fills with FLOWS live ones.
 *
 *     egress    TUN descriptor → all steps, groups, ACL, flow entry, transmit descriptor
 *     ingress   underlay descriptor → all steps, ACL, groups, flow entry, transmit descriptor
 *
 * A conversation between two hosts costs one egress on one host and one ingress on the other. The
 * time is the median of the bursts of each direction. Memory is what the process has grown by when
 * all conversations are there: flow file, index, timers, free list, and whatever else.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { GENEVE_BYTES } from '../../daemon/encap/geneve.ts'
import { FlowRecordTable } from '../../daemon/dataplane/flow_records.ts'
import { RX_MAX } from '../../daemon/dataplane/loop.ts'
import { buildTables, ENI_HIGH, Lab } from '../../daemon/dataplane/testing/lab.ts'
import { ipPacket, vpcPacket } from '../../daemon/dataplane/testing/packets.ts'
import { PORT_UNDERLAY } from '../../daemon/tun/descriptor.ts'
import { addressWords } from '../../daemon/wire/address.ts'
import { writeU16, writeU32 } from '../../daemon/wire/bytes.ts'
import { PROTOCOL_TCP } from '../../daemon/wire/ip_protocol.ts'
import { TCP_FLAG_SYN } from '../../daemon/wire/tcp.ts'
import {
  buildVpc, type Direction, LOCAL_ADDRESS, LOCAL_ENI, measure, type PipelinePolicy,
  REMOTE_ADDRESSES, REMOTE_ENI, remoteAddress, VNI
} from '../pipeline.ts'

/** Live conversations at the end, half of each direction. */
const FLOWS = 1_000_000
const BURSTS = Math.floor(FLOWS / 2 / RX_MAX)
const WARM_UP_FLOWS = 65_536
const PORT_MIN = 1024
const SERVER_PORT = 80

export interface NewFlows {
  readonly egressNs: number
  readonly ingressNs: number
  /** Of the dearer direction. */
  readonly perSecond: number
  readonly bytesPerFlow: number
}

export interface NewFlowOptions {
  readonly policy: PipelinePolicy
  /** Whether the ENI's flows are recorded for a flow log. */
  readonly flowLog?: boolean
}

/** @throws Error when a conversation found no room, or a packet was lost */
export function measureNewFlows (options: NewFlowOptions): NewFlows {
  const warm = newLab(options, WARM_UP_FLOWS)
  fill(warm, Math.floor(WARM_UP_FLOWS / 2 / RX_MAX))
  collectGarbage()
  const rssBefore = process.memoryUsage().rss
  const lab = newLab(options, FLOWS)
  const { egressNs, ingressNs } = fill(lab, BURSTS)
  collectGarbage()
  const grownBytes = process.memoryUsage().rss - rssBefore
  const expected = 2 * BURSTS * RX_MAX
  // `warm` is looked at here so that its memory is not given to `lab`.
  if (lab.flows.live !== expected || warm.flows.live === 0) {
    throw new Error(`${String(lab.flows.live)} conversations of ${String(expected)} are live`)
  }
  return {
    egressNs, ingressNs, perSecond: 1e9 / Math.max(egressNs, ingressNs),
    bytesPerFlow: grownBytes / expected
  }
}

/** So that what earlier measurements left is not taken for, or taken by, the conversations. */
function collectGarbage (): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
}

function newLab ({ policy, flowLog }: NewFlowOptions, capacity: number): Lab {
  const lab = new Lab({ flowCapacity: capacity })
  lab.apply(buildTables([buildVpc(policy)], 2))
  if (flowLog === true) {
    const { memory, entriesMax } = new FlowRecordTable()
    lab.loop.router.configureFlowRecords({
      kind: 'flow-records', epoch: 1, table: memory, entriesMax, ports: Int32Array.of(LOCAL_ENI)
    })
  }
  return lab
}

/** Opens conversations of both directions in turn, so that both see the table fill. */
function fill (lab: Lab, bursts: number): { egressNs: number, ingressNs: number } {
  const [egress, ingress] = [outwards(lab), inwards()]
  let flow = 0
  const next = (): number => flow++
  const egressNs = measure(lab, egress, bursts, next)
  flow = 0
  const ingressNs = measure(lab, ingress, bursts, next)
  return { egressNs, ingressNs }
}

const REMOTE_BASE = addressWords(remoteAddress(0))[3]!
const remoteOf = (flow: number): number => REMOTE_BASE + flow % REMOTE_ADDRESSES
const portOf = (flow: number): number => PORT_MIN + Math.floor(flow / REMOTE_ADDRESSES)

function outwards (lab: Lab): Direction {
  return {
    template: ipPacket({ src: LOCAL_ADDRESS, dst: remoteAddress(0), protocol: PROTOCOL_TCP,
      dstPort: SERVER_PORT, tcpFlags: TCP_FLAG_SYN }),
    ipAt: 0,
    nicPort: lab.nicPort(LOCAL_ENI),
    writeFlow (bytes, ipAt, flow) {
      writeU32(bytes, ipAt + 16, remoteOf(flow))
      writeU16(bytes, ipAt + 20, portOf(flow))
    }
  }
}

function inwards (): Direction {
  return {
    template: vpcPacket({
      vni: VNI, sourceEni: [ENI_HIGH, REMOTE_ENI], destinationEni: [ENI_HIGH, LOCAL_ENI]
    }, ipPacket({ src: remoteAddress(0), dst: LOCAL_ADDRESS, protocol: PROTOCOL_TCP,
      dstPort: SERVER_PORT, tcpFlags: TCP_FLAG_SYN })),
    ipAt: GENEVE_BYTES,
    nicPort: PORT_UNDERLAY,
    writeFlow (bytes, ipAt, flow) {
      writeU32(bytes, ipAt + 12, remoteOf(flow))
      writeU16(bytes, ipAt + 20, portOf(flow))
    }
  }
}
