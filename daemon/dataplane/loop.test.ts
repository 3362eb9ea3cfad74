/** ENI 1 (10.0.1.10) here, ENI 4 (10.0.1.40) on host 2. */
import test from 'ava'
import { NIC_COUNTERS } from '../tun/counters.ts'
import { readTraffic, readWorkerCounters } from './counters.ts'
import { describeAction, FlowReader } from './flow_reader.ts'
import { flowFileBytes } from './tables/flow_layout.ts'
import { buildTables, ENI_HIGH, hostAddress, Lab, openPort } from './testing/lab.ts'
import type { VpcSpec } from './testing/lab.ts'
import { ipPacket } from './testing/packets.ts'
import { TARGET_BLACKHOLE } from './tables/update.ts'

const VPC: VpcSpec = {
  vpc: 1,
  vni: 100,
  subnets: [{ subnet: 1, cidrs: ['10.0.1.0/24'],
    routes: [{ to: '198.51.100.0/24', target: { eni: 4 } }] }],
  enis: [
    { eni: 1, subnet: 1, host: 1, addresses: ['10.0.1.10'] },
    { eni: 2, subnet: 1, host: 1, addresses: ['10.0.1.20'] },
    { eni: 4, subnet: 1, host: 2, addresses: ['10.0.1.40'] }
  ]
}

function newLab (options: ConstructorParameters<typeof Lab>[0] = {}): Lab {
  const lab = new Lab(options)
  lab.apply(buildTables([VPC], 2))
  return lab
}

function send (lab: Lab, dst: string, eni = 1): void {
  lab.nic.feed({
    nicPort: lab.nicPort(eni),
    packet: ipPacket({ src: eni === 1 ? '10.0.1.10' : '10.0.1.20', dst, payloadBytes: 60 })
  })
  lab.pass()
}

test('tables are acknowledged, hosts become peers, devices are opened', (t) => {
  const lab = newLab()
  t.deepEqual(lab.fromWorker, [
    { kind: 'applied', revision: 1 }, { kind: 'port-opened', portIndex: 1 },
    { kind: 'port-opened', portIndex: 2 }
  ])
  t.is(lab.nic.peers.get(2), hostAddress(2))
  t.deepEqual([...lab.nic.devices.values()], ['/run/netns/test/eth1', '/run/netns/test/eth2'])
})

test('a device that cannot be opened is reported with the reason', (t) => {
  const lab = newLab()
  lab.fromWorker.length = 0
  lab.nic.openError = new Error('no such namespace')
  lab.toWorker.push(openPort(3))
  lab.pass()
  t.deepEqual(lab.fromWorker, [{ kind: 'port-failed', portIndex: 3, error: 'no such namespace' }])
})

test('a device that is opened again is closed first', (t) => {
  const lab = newLab()
  lab.toWorker.push(openPort(1))
  lab.pass()
  t.is(lab.nic.devices.size, 2)
  send(lab, '10.0.1.40')
  t.is(lab.takeSent().length, 1)
})

test('a device that is gone is reported and closed, one that is down is only reported', (t) => {
  const lab = newLab()
  lab.fromWorker.length = 0
  lab.nic.failures = [
    { port: lab.nicPort(1), error: 'EBADFD' }, { port: lab.nicPort(2), error: 'EIO' },
    { port: 99, error: 'EIO' }
  ]
  lab.nowMs += 100
  lab.pass()
  t.deepEqual(lab.fromWorker, [
    { kind: 'port-failed', portIndex: 1, error: 'EBADFD' },
    { kind: 'port-failed', portIndex: 2, error: 'EIO' }
  ])
  t.is(lab.nicPort(1), 0)
  t.not(lab.nicPort(2), 0)
})

test('wire mode is handed to the NIC, and stop ends the loop', (t) => {
  const lab = newLab()
  lab.fromWorker.length = 0
  lab.toWorker.push({ kind: 'wire-mode', mode: 'per-packet' }, { kind: 'stop' })
  lab.loop.run()
  t.is(lab.nic.wireMode, 'per-packet')
  t.true(lab.nic.isClosed)
  t.deepEqual(lab.fromWorker.map(({ kind }) => kind), ['ready', 'stopped'])
})

test('counters reach shared memory when the loop is idle, super-packets and drops included',
  (t) => {
  const lab = newLab()
  send(lab, '10.0.1.40')
  send(lab, '10.0.1.20')
  send(lab, '192.0.2.1')
  lab.pass()
  t.deepEqual(readTraffic(lab.sharedCounters, 1),
    { egressPackets: 2, egressBytes: 200, ingressPackets: 0, ingressBytes: 0 })
  t.deepEqual(readTraffic(lab.sharedCounters, 2),
    { egressPackets: 0, egressBytes: 0, ingressPackets: 1, ingressBytes: 100 })
  const counters = readWorkerCounters(lab.sharedCounters)
  t.is(counters['slow_path_packets'], 3)
  t.is(counters['flows_live'], 3)
  t.deepEqual(lab.drops(), { '1/no-route': 1 })
})

test('counters of a port start from 0 when its index is given to another ENI', (t) => {
  const lab = newLab()
  send(lab, '192.0.2.1')
  const [port] = buildTables([VPC], 2).ports ?? []
  lab.toWorker.push({ kind: 'tables', revision: 2, ports: [port] })
  lab.pass()
  t.deepEqual(lab.drops(), { '1/no-route': 1 }, 'the same ENI goes on')
  lab.toWorker.push({ kind: 'tables', revision: 3, removedPorts: [1] })
  lab.toWorker.push({ kind: 'tables', revision: 4, ports: [{ ...port, eniIdLow: 77 }] })
  lab.pass()
  t.deepEqual(lab.drops(), {})
})

test('a second packet takes the fast path, and a changed table acts on the third', (t) => {
  const lab = newLab()
  const fast = (): number | undefined => {
    lab.pass()
    return readWorkerCounters(lab.sharedCounters)['fast_path_packets']
  }
  send(lab, '198.51.100.7')
  t.is(fast(), 0)
  send(lab, '198.51.100.7')
  t.is(fast(), 1)
  t.is(lab.takeSent().length, 2)
  const [table] = buildTables([VPC], 2).routeTables ?? []
  lab.toWorker.push({
    kind: 'tables', revision: 2,
    routeTables: [{ ...table, targetKind: Uint8Array.of(TARGET_BLACKHOLE) }]
  })
  send(lab, '198.51.100.7')
  send(lab, '198.51.100.7')
  t.deepEqual(lab.takeSent(), [])
  t.deepEqual(lab.drops(), { '1/blackhole': 2 })
  t.is(fast(), 2, 'a refusal of a known flow is remembered, too')
})

test('an update of one VPC leaves the cached flows of another alone', (t) => {
  const other: VpcSpec = {
    ...VPC, vpc: 2, vni: 200, subnets: [{ ...VPC.subnets[0], subnet: 5 }],
    enis: [{ eni: 8, subnet: 5, host: 1, addresses: ['10.0.1.10'] }]
  }
  const lab = new Lab()
  lab.apply(buildTables([VPC, other], 2))
  send(lab, '10.0.1.40')
  lab.toWorker.push({ kind: 'tables', revision: 2,
    vpcs: [{
      vpcIndex: 2, vni: 200, mappingsComplete: true, resolver: new Uint32Array(4),
      gateways: new Uint32Array(0), blocks: new Uint32Array(0), peers: new Uint32Array(0)
    }] })
  send(lab, '10.0.1.40')
  lab.pass()
  t.is(readWorkerCounters(lab.sharedCounters)['fast_path_packets'], 1)
  lab.toWorker.push({ kind: 'tables', revision: 3, removedHosts: [7] })
  send(lab, '10.0.1.40')
  lab.pass()
  t.is(readWorkerCounters(lab.sharedCounters)['fast_path_packets'], 1, 'a host makes all stale')
})

test('an address that moves to another host is followed by the next packet', (t) => {
  const lab = newLab()
  send(lab, '10.0.1.40')
  const moved = { ...VPC, enis: VPC.enis.map((eni) => eni.eni === 4 ? { ...eni, host: 3 } : eni) }
  lab.toWorker.push({ ...buildTables([moved], 3), revision: 2 })
  send(lab, '10.0.1.40')
  t.deepEqual(lab.takeSent().map(({ outer }) => outer?.peer), [2, 3])
})

test('flows are listed with what they did', (t) => {
  const file = new ArrayBuffer(flowFileBytes(256))
  const lab = newLab({ flowFile: file })
  const reader = new FlowReader(file)
  send(lab, '10.0.1.40')
  send(lab, '10.0.1.20')
  lab.nowMs += 1500
  lab.pass()
  const flows = reader.list(10, () => true)
  t.is(reader.live, 3)
  t.is(flows.length, 3)
  const [flow] = flows.filter(({ remoteAddress }) => remoteAddress === '10.0.1.40')
  t.deepEqual({ ...flow, egress: null, ingress: null }, {
    eniIdHigh: ENI_HIGH, eniIdLow: 1, protocol: 6, localAddress: '10.0.1.10', localPort: 40_000,
    remoteAddress: '10.0.1.40', remotePort: 80, firstDirection: 0, isTracked: false, idleMs: 1500,
    egress: null, ingress: null
  })
  t.is(flow.egress.packets, 1)
  t.is(flow.egress.bytes, 100)
  t.is(describeAction(flow.egress, (host) => `host-${String(host)}`), 'encapsulate to host-2')
  t.is(describeAction(flow.ingress, String), '-')
  const [delivered] = reader.list(10, (_high, low) => low === 2)
  t.is(delivered.localAddress, '10.0.1.20')
  t.is(describeAction(delivered.ingress, String), 'deliver')
  t.is(reader.list(1, () => true).length, 1)
  t.is(reader.list(9, (_high, _low, protocol) => protocol === 17).length, 0)
  t.deepEqual(reader.countByEni().map(({ eniIdLow, flows: count }) => [eniIdLow, count]),
    [[1, 2], [2, 1]])
})

test('a restarted worker goes on with the flows of its predecessor and decides anew', (t) => {
  const file = new ArrayBuffer(flowFileBytes(256))
  send(newLab({ flowFile: file }), '10.0.1.40')
  const lab = newLab({ flowFile: file })
  t.true(lab.flows.restored)
  send(lab, '10.0.1.40')
  send(lab, '10.0.1.40')
  lab.pass()
  const counters = readWorkerCounters(lab.sharedCounters)
  t.is(counters['slow_path_packets'], 1)
  t.is(counters['fast_path_packets'], 1)
  t.is(lab.flows.live, 1)
  t.is(new FlowReader(file).list(9, () => true)[0].egress.packets, 3)
})

test('a full flow table loses no packet', (t) => {
  const lab = newLab({ flowCapacity: 40 })
  const { capacity } = lab.flows
  for (let port = 0; port < capacity + 10; port++) {
    lab.nic.feed({
      nicPort: lab.nicPort(1),
      packet: ipPacket({ src: '10.0.1.10', dst: '10.0.1.40', srcPort: 1000 + port })
    })
  }
  lab.pass()
  t.is(lab.takeSent().length, capacity + 10)
  lab.pass()
  t.is(readWorkerCounters(lab.sharedCounters)['flow_table_full'], 10)
})

test('what the NIC lost after the router was done is a drop of no ENI', (t) => {
  const lab = newLab()
  const lose = (name: string, packets: number): void => {
    lab.nic.counters[NIC_COUNTERS.findIndex((counter) => counter.name === name)] += packets
  }
  lose('underlay-tx-busy', 1)
  lose('underlay-tx-too-big', 2)
  lose('underlay-tx-unreachable', 4)
  lose('underlay-tx-errors', 8)
  lose('tun-tx-down', 1)
  lose('tun-tx-closed', 2)
  lose('tun-tx-busy', 4)
  lose('tun-tx-rejected', 8)
  t.deepEqual(lab.drops(), { '0/port-closed': 15, '0/underlay-error': 15 })
})
