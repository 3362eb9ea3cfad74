/**
 * Captures over the admin socket: a request whose answer is a pcapng stream, for as long as the
 * client reads or until the capture is ended. The answer begins when the workers capture, so who
 * has its head has not missed what comes after.
 */
import { arch, hostname, release, type as systemName } from 'node:os'
import type { ServerResponse } from 'node:http'
import { machineNs, systemClock } from '../../../base/clock.ts'
import { VpclabError } from '../../../base/errors.ts'
import { CAPTURES_MAX } from '../../../dataplane/capture_ring.ts'
import { Captures } from '../../../host/captures.ts'
import type { CaptureRequest } from '../../../host/captures.ts'
import { isEdge } from '../../../model/lab.ts'
import type { Snapshot } from '../../../model/snapshot.ts'
import { outsideAddresses } from '../../../model/vpn_connection.ts'
import type { Capture, CaptureSink } from '../../../observe/capture/capture.ts'
import type { CaptureFilter } from '../../../observe/capture/capture_filter.ts'
import { filterHost, filterProtocols } from '../../../observe/capture/capture_filter.ts'
import { FRAME_BYTES_MAX } from '../../../observe/capture/pcapng.ts'
import {
  CAPTURE_HEADER, CAPTURED_TRAILER, LOST_TRAILER, type CaptureStopAnswer, type MachineView
} from '../contract.ts'
import { type AddRoutes, numberOf, type Query, Refusal } from '../route.ts'

/** Points that one capture may name. A VPC or an instance is one, however many ENIs it has. */
export const CAPTURE_POINTS_MAX = 256
const COUNT_MAX = Number.MAX_SAFE_INTEGER
/** Shortest --snaplen: the headers that make a packet recognisable. */
const SNAP_BYTES_MIN = 64
const PORT_MAX = 65_535

/** Where packets are captured. */
type Points = 'enis' | 'instances' | 'vpcs' | 'hosts' | 'tunnels'
type CaptureRoute = Parameters<AddRoutes>[0]

export const addCaptureRoutes: AddRoutes = (server, { lab, replica }) => {
  const captures = new Captures(() => lab.agents, replica, systemClock, machineNs)
  const running = new Map<string, Capture>()
  let opened = 0
  server.get<{ Querystring: Query }>('/capture', async ({ query }, reply) => {
    const id = String(++opened)
    const { raw } = reply
    raw.on('error', () => { /* the client is gone, and "close" follows */ })
    const request: CaptureRequest = {
      ...pointsOf(query, replica.snapshot, lab.machines()),
      ...optionsOf(query),
      onEnd: ({ captured, lost }) => {
        running.delete(id)
        raw.addTrailers({ [CAPTURED_TRAILER]: String(captured), [LOST_TRAILER]: String(lost) })
        raw.end()
      }
    }
    const head = {
      'content-type': 'application/x-pcapng',
      [CAPTURE_HEADER]: id,
      trailer: `${CAPTURED_TRAILER}, ${LOST_TRAILER}`
    }
    const capture = await captures.open(request, sinkOf(raw, head)).catch((error: unknown) => {
      throw refusalOf(error)
    })
    reply.hijack()
    running.set(id, capture)
    raw.on('close', () => { captures.close(capture) })
    if (raw.destroyed) captures.close(capture)
  })
  server.post<{ Params: { readonly id: string } }>('/captures/:id/stop',
    ({ params }): CaptureStopAnswer => stopCapture(captures, running, params.id))
  endWithServer(server, captures)
}

function stopCapture (
  captures: Captures, running: ReadonlyMap<string, Capture>, id: string
): CaptureStopAnswer {
  const capture = running.get(id)
  if (capture === undefined) throw new Refusal(404, 'NotFound', `No capture "${id}" runs`)
  captures.close(capture)
  return capture.totals
}

/** A server that closes waits for its answers, so they are ended before. */
function endWithServer (server: CaptureRoute, captures: Captures): void {
  server.addHook('preClose', (done) => {
    captures.stop()
    done()
  })
}

/** The answer as a sink; its head goes out with the first bytes. */
function sinkOf (raw: ServerResponse, head: Record<string, string>): CaptureSink {
  return {
    write (chunk) {
      if (!raw.headersSent) raw.writeHead(200, head)
      raw.write(chunk)
    },
    get bufferedBytes () { return raw.writableLength }
  }
}

function refusalOf (error: unknown): unknown {
  if (!(error instanceof VpclabError) || error.code !== 'VPCLAB_ERR_CAPTURES') return error
  return new Refusal(429, error.code,
    `The lab runs ${String(CAPTURES_MAX)} captures already: end one of them first`)
}

/** @throws Refusal for a point that does not exist, or is on another machine */
function pointsOf (
  query: Query, snapshot: Snapshot, machines: readonly MachineView[]
): Pick<CaptureRequest, Points> {
  const { networkInterface, instance, vpc, host } = snapshot.tables
  const outside = outsideAddresses(snapshot)
  const sets = {
    enis: new Set<string>(), instances: new Set<string>(), vpcs: new Set<string>(),
    hosts: new Set<string>(), tunnels: new Set<string>()
  }
  const points = (query['points'] ?? '').split(',').filter((point) => point !== '')
  if (points.length === 0 || points.length > CAPTURE_POINTS_MAX) {
    throw new Refusal(400, 'InvalidParameterValue',
      `points names 1 to ${String(CAPTURE_POINTS_MAX)} ENIs, instances, VPCs, hosts or VPN ` +
      `tunnels, not ${String(points.length)}`)
  }
  const edge = [...host.values()].find(isEdge)
  for (const point of points) {
    const eni = networkInterface.get(point)
    const hostName = outside.has(point) ? edge?.id
      : instance.get(eni?.attachment?.instanceId ?? point)?.hostName
    requireHere(point, hostName ?? point, machines)
    if (host.get(point) !== undefined) sets.hosts.add(point)
    else if (eni !== undefined) sets.enis.add(point)
    else if (instance.get(point) !== undefined) sets.instances.add(point)
    else if (vpc.get(point) !== undefined) sets.vpcs.add(point)
    else if (outside.has(point)) sets.tunnels.add(point)
    else throw unknownPoint(point, [...host.values()].map(({ id }) => id))
  }
  return sets
}

/** A capture sees what this machine's data planes see. */
function requireHere (
  point: string, hostName: string, machines: readonly MachineView[]): void {
  const machine = machines.find(({ hosts }) => hosts.includes(hostName))
  if (machine === undefined || machine.isThis) return
  throw new Refusal(400, 'InvalidParameterValue', `${point} is on the machine ${machine.name} ` +
    `(${machine.address}): capture there`)
}

function unknownPoint (point: string, hosts: readonly string[]): Refusal {
  const kinds = [
    ['eni-', 'InvalidNetworkInterfaceID.NotFound', 'networkInterface ID'],
    ['i-', 'InvalidInstanceID.NotFound', 'instance ID'],
    ['vpc-', 'InvalidVpcID.NotFound', 'vpc ID']
  ] as const
  const [, code, word] = kinds.find(([prefix]) => point.startsWith(prefix)) ?? []
  if (code !== undefined) return new Refusal(404, code, `The ${word} '${point}' does not exist`)
  return new Refusal(404, 'NotFound',
    `"${point}" is no ENI, instance or VPC by id, no outside address of a VPN tunnel, and no ` +
    `host of the lab (${hosts.join(', ')})`)
}

function optionsOf (query: Query): Omit<CaptureRequest, Points | 'onEnd'> {
  const direction = query['direction'] ?? 'both'
  if (direction !== 'in' && direction !== 'out' && direction !== 'both') {
    throw invalid('direction', direction, '"in", "out" or "both"')
  }
  const snapBytes = numberOf(query, 'snaplen', FRAME_BYTES_MAX, COUNT_MAX)
  if (snapBytes < SNAP_BYTES_MIN) {
    throw invalid('snaplen', String(snapBytes), `at least ${String(SNAP_BYTES_MIN)} bytes`)
  }
  const count = numberOf(query, 'count', COUNT_MAX, COUNT_MAX)
  if (count === 0) throw invalid('count', '0', 'at least 1')
  return {
    direction,
    dropsOnly: query['dropsOnly'] === '1',
    countMax: count,
    snapBytes: Math.min(snapBytes, FRAME_BYTES_MAX),
    filter: filterOf(query),
    hasHeartbeat: query['heartbeat'] === '1',
    application: 'vpclab',
    hardware: `${arch()} ${hostname()}`,
    os: `${systemName()} ${release()}`
  }
}

function filterOf (query: Query): CaptureFilter {
  const { host: hostText, port: portText, protocol: protocolText } = query
  const host = hostText === undefined ? null : filterHost(hostText)
  if (hostText !== undefined && host === null) throw invalid('host', hostText, 'an IP address')
  const protocols = protocolText === undefined ? [] : filterProtocols(protocolText)
  if (protocols === null) {
    throw invalid('protocol', protocolText ?? '', '"tcp", "udp", "icmp" or a number up to 255')
  }
  const port = portText === undefined ? null : numberOf(query, 'port', 0, PORT_MAX)
  return { host, port, protocols }
}

function invalid (name: string, value: string, right: string): Refusal {
  return new Refusal(400, 'InvalidParameterValue', `${name} is ${right}, not "${value}"`)
}
