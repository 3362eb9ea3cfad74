/**
 * Security groups, connection tracking and network ACLs, packet by packet (systems 3.1 to 3.5).
 *
 *     host 1 (this)                              host 2
 *     ENI 1  10.0.1.10  group CLIENT             ENI 3  10.0.2.30  group OTHER
 *     ENI 2  10.0.2.20  group SERVER
 *
 * subnet 1 10.0.1.0/24, subnet 2 10.0.2.0/24. Each test says what the groups and ACLs allow.
 */
import test from 'ava'
import { PROTOCOL_ESP, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ip_protocol.ts'
import { TCP_FLAG_ACK, TCP_FLAG_FIN, TCP_FLAG_RST, TCP_FLAG_SYN } from '../wire/tcp.ts'
import { COUNT_SLOW_PATH } from './counters.ts'
import { FlowReader } from './flow_reader.ts'
import type { Flow } from './flow_reader.ts'
import { flowFileBytes } from './tables/flow_layout.ts'
import { buildTables, Lab } from './testing/lab.ts'
import type { EniSpec, PolicySpec, RuleSpec, VpcSpec } from './testing/lab.ts'
import { ipPacket } from './testing/packets.ts'
import type { PacketFields } from './testing/packets.ts'

const CLIENT = 1
const SERVER = 2
const OTHER = 3
const CLIENT_ADDRESS = '10.0.1.10'
const SERVER_ADDRESS = '10.0.2.20'
const OTHER_ADDRESS = '10.0.2.30'
const ALL: RuleSpec = { peer: '0.0.0.0/0' }
const EVERYTHING = { inbound: [ALL], outbound: [ALL] }
const NOTHING = { inbound: [], outbound: [] }
const HTTP: RuleSpec = { protocol: PROTOCOL_TCP, from: 80, peer: CLIENT_ADDRESS + '/32' }

type Rules = Omit<PolicySpec, 'index'>

interface World {
  readonly client?: Rules
  readonly server?: Rules
  /** ACLs of subnets 1 and 2. */
  readonly clientAcl?: Rules
  readonly serverAcl?: Rules
  readonly timeoutsS?: NonNullable<EniSpec['timeoutsS']>
  readonly clientGroups?: readonly number[]
  readonly flowCapacity?: number
}

function vpcOf (world: World): VpcSpec {
  const routes = [{ to: '10.0.0.0/16', target: 'local' as const }]
  const acls = [world.clientAcl, world.serverAcl]
  return {
    vpc: 1,
    vni: 100,
    subnets: [1, 2].map((subnet) => ({
      subnet, cidrs: [`10.0.${String(subnet)}.0/24`], routes,
      routers: { ipv4: `10.0.${String(subnet)}.1` },
      ...acls[subnet - 1] === undefined ? {} : { networkAcl: subnet }
    })),
    enis: [
      { eni: 1, subnet: 1, host: 1, addresses: [CLIENT_ADDRESS],
        groups: world.clientGroups ?? [CLIENT], timeoutsS: world.timeoutsS ?? {} },
      { eni: 2, subnet: 2, host: 1, addresses: [SERVER_ADDRESS], groups: [SERVER] },
      { eni: 3, subnet: 2, host: 2, addresses: [OTHER_ADDRESS], groups: [OTHER] }
    ],
    groups: [
      { index: CLIENT, ...world.client ?? { inbound: [], outbound: [ALL] } },
      { index: SERVER, ...world.server ?? { inbound: [HTTP], outbound: [] } },
      { index: OTHER, ...EVERYTHING }
    ],
    networkAcls: acls.flatMap((acl, position) =>
      acl === undefined ? [] : [{ index: position + 1, ...acl }])
  }
}

/** A lab whose policy can be changed; `say` sends a packet and tells whether it got there. */
class PolicyLab {
  readonly lab: Lab
  readonly reader: FlowReader
  #revision = 1

  constructor (world: World = {}) {
    const flowCapacity = world.flowCapacity ?? 256
    const flowFile = new ArrayBuffer(flowFileBytes(flowCapacity))
    this.lab = new Lab({ flowCapacity, flowFile })
    this.reader = new FlowReader(flowFile)
    this.lab.apply(buildTables([vpcOf(world)], 2))
    this.lab.takeSent()
  }

  change (world: World): void {
    this.lab.toWorker.push(buildTables([vpcOf(world)], 2, ++this.#revision))
    this.lab.pass()
  }

  after (seconds: number): void {
    this.lab.nowMs += seconds * 1000
    this.lab.pass()
  }

  say (eni: number, fields: PacketFields, packet = ipPacket(fields)): boolean {
    this.lab.nic.feed({ nicPort: this.lab.nicPort(eni), packet })
    this.lab.pass()
    return this.lab.takeSent().length > 0
  }

  tcp (flags: number, dstPort = 80, srcPort = 40_000): boolean {
    return this.say(1, { src: CLIENT_ADDRESS, dst: SERVER_ADDRESS, srcPort, dstPort,
      protocol: PROTOCOL_TCP, tcpFlags: flags })
  }

  tcpAnswer (flags: number, srcPort = 80, dstPort = 40_000): boolean {
    return this.say(2, { src: SERVER_ADDRESS, dst: CLIENT_ADDRESS, srcPort, dstPort,
      protocol: PROTOCOL_TCP, tcpFlags: flags })
  }

  udp (dstPort = 53): boolean {
    return this.say(1, { src: CLIENT_ADDRESS, dst: SERVER_ADDRESS, srcPort: 40_000, dstPort,
      protocol: PROTOCOL_UDP })
  }

  udpAnswer (srcPort = 53): boolean {
    return this.say(2, { src: SERVER_ADDRESS, dst: CLIENT_ADDRESS, srcPort, dstPort: 40_000,
      protocol: PROTOCOL_UDP })
  }

  drops (): Record<string, number> { return this.lab.drops() }
}

const SYN = TCP_FLAG_SYN
const ACK = TCP_FLAG_ACK
const PING: RuleSpec = { protocol: PROTOCOL_ICMP, from: 8, to: -1, peer: '0.0.0.0/0' }
const DNS: RuleSpec = { protocol: PROTOCOL_UDP, from: 53, peer: '10.0.0.0/16' }

test('answers pass without a rule of their own, new conversations do not', (t) => {
  const world = new PolicyLab()
  t.true(world.tcp(SYN))
  t.true(world.tcpAnswer(SYN | ACK), 'the server has no outbound rule, the client no inbound one')
  t.true(world.tcp(ACK))
  t.false(world.tcp(SYN, 81), 'another port')
  t.false(world.tcpAnswer(SYN, 80, 40_001), 'the server opens one itself')
  t.deepEqual(world.drops(),
    { '2/security-group-ingress': 1, '2/security-group-egress': 1 })
})

test('all groups of an ENI are united', (t) => {
  const groups = { ...NOTHING, inbound: [] }
  const one = new PolicyLab({ client: groups })
  t.false(one.tcp(SYN))
  t.deepEqual(one.drops(), { '1/security-group-egress': 1 })
  const two = new PolicyLab({ client: groups, clientGroups: [CLIENT, OTHER] })
  t.true(two.tcp(SYN))
})

test('a tracked connection survives the removal of its rule, a new one does not', (t) => {
  const world = new PolicyLab()
  t.true(world.tcp(SYN))
  world.change({ server: NOTHING })
  t.true(world.tcp(ACK))
  t.true(world.tcpAnswer(ACK))
  t.false(world.tcp(SYN, 80, 40_001))
  t.true(world.tcp(TCP_FLAG_RST))
  world.after(11)
  t.false(world.tcp(ACK), 'the connection has ended')
})

test('a connection that rules let through both ways anyway ends with its rule', (t) => {
  const open = { client: EVERYTHING, server: EVERYTHING }
  const world = new PolicyLab(open)
  t.true(world.tcp(SYN))
  t.true(world.tcpAnswer(SYN | ACK))
  t.true(world.tcp(ACK))
  world.change({ ...open, server: { inbound: [], outbound: [ALL] } })
  t.false(world.tcp(ACK), 'not tracked at the server')
  world.change(open)
  t.true(world.tcp(ACK))
})

test('what the answers are judged by does not make a connection tracked', (t) => {
  const http = { inbound: [{ protocol: PROTOCOL_TCP, from: 80, peer: '0.0.0.0/0' }],
    outbound: [ALL] }
  const world = new PolicyLab({ server: http })
  t.true(world.tcp(SYN))
  t.true(world.tcpAnswer(SYN | ACK))
  t.true(world.tcp(ACK))
  world.change({ server: { inbound: [], outbound: [ALL] } })
  t.false(world.tcp(ACK))
})

test('TCP open to all is tracked when the way back is not open to all ports', (t) => {
  const back: RuleSpec = { protocol: PROTOCOL_TCP, from: 1024, to: 65_535, peer: '0.0.0.0/0' }
  const world = new PolicyLab({ server: { inbound: [ALL], outbound: [back] } })
  t.true(world.tcp(SYN))
  world.change({ server: NOTHING })
  t.true(world.tcp(ACK))
})

test('UDP is tracked unless every address and port of its family may answer', (t) => {
  const open: RuleSpec = { protocol: PROTOCOL_UDP, from: 53, peer: '0.0.0.0/0' }
  const backs: readonly (readonly [RuleSpec, boolean])[] = [
    [{ protocol: PROTOCOL_UDP, from: 0, to: 65_535, peer: '0.0.0.0/0' }, false],
    [ALL, false],
    [{ peer: '::/0' }, true],
    [{ peer: '0.0.0.0/1' }, true],
    [{ peer: { group: CLIENT } }, true],
    [{ protocol: PROTOCOL_UDP, from: 1, to: 65_535, peer: '0.0.0.0/0' }, true],
    [{ protocol: PROTOCOL_TCP, from: 0, to: 65_535, peer: '0.0.0.0/0' }, true]
  ]
  for (const [back, isTracked] of backs) {
    const world = new PolicyLab({ server: { inbound: [open], outbound: [back] } })
    t.true(world.udp())
    world.change({ server: { inbound: [], outbound: [back] } })
    t.is(world.udp(), isTracked, JSON.stringify(back))
  }
  const narrow = new PolicyLab({ server: { inbound: [DNS], outbound: [ALL] } })
  t.true(narrow.udp())
  narrow.change({ server: { inbound: [], outbound: [ALL] } })
  t.true(narrow.udp(), 'its own rule is not open to every address')
})

test('ICMP is tracked however open the rules are', (t) => {
  const world = new PolicyLab({ client: EVERYTHING, server: EVERYTHING })
  const echo = { protocol: PROTOCOL_ICMP, src: CLIENT_ADDRESS, dst: SERVER_ADDRESS }
  t.true(world.say(1, echo))
  world.change({ client: NOTHING, server: NOTHING })
  t.true(world.say(1, echo))
  t.true(world.say(2, { protocol: PROTOCOL_ICMP, src: SERVER_ADDRESS, dst: CLIENT_ADDRESS,
    icmpType: 0 }))
})

test('a group as peer means the private addresses of its members', (t) => {
  const fromClients: RuleSpec = { protocol: PROTOCOL_TCP, from: 80, peer: { group: CLIENT } }
  const server = { inbound: [fromClients], outbound: [] }
  const world = new PolicyLab({ server, clientGroups: [OTHER] })
  t.false(world.tcp(SYN))
  world.change({ server, clientGroups: [OTHER, CLIENT] })
  t.true(world.tcp(SYN, 80, 40_001))
})

test('a rule for every IPv6 address says nothing of IPv4', (t) => {
  const rest = { peer: '::/0' }
  const groups = new PolicyLab({ client: { inbound: [rest], outbound: [rest] } })
  t.false(groups.tcp(SYN))
  t.deepEqual(groups.drops(), { '1/security-group-egress': 1 })
  const acls = new PolicyLab({ clientAcl: { inbound: [rest], outbound: [rest] } })
  t.false(acls.tcp(SYN))
  t.deepEqual(acls.drops(), { '1/network-acl-egress': 1 })
})

test('UDP answers pass for 30 s after one exchange, for 180 s in a stream', (t) => {
  const server = { inbound: [DNS], outbound: [] }
  const world = new PolicyLab({ server })
  t.true(world.udp())
  world.after(29)
  t.true(world.udpAnswer())
  world.after(31)
  t.false(world.udpAnswer())
  for (let count = 0; count < 3; count++) t.true(world.udp())
  t.true(world.udpAnswer())
  world.after(179)
  t.true(world.udpAnswer())
  world.after(181)
  t.false(world.udpAnswer())
})

test('an ENI chooses its idle times', (t) => {
  const server = { inbound: [DNS], outbound: [ALL] }
  const world = new PolicyLab({ server, timeoutsS: { udp: 60 } })
  t.true(world.udp())
  world.after(45)
  t.true(world.udpAnswer(), 'the server may send, and the client still remembers')
  const stream = new PolicyLab({ server, timeoutsS: { udpStream: 60 } })
  for (let count = 0; count < 3; count++) t.true(stream.udp())
  t.true(stream.udpAnswer())
  stream.after(59)
  t.true(stream.udpAnswer())
  stream.after(60)
  t.false(stream.udpAnswer(), 'forgotten by the client')
  const tcp = new PolicyLab({ server: { inbound: [HTTP], outbound: [ALL] },
    timeoutsS: { tcpEstablished: 60 } })
  t.true(tcp.tcp(SYN))
  t.true(tcp.tcpAnswer(SYN | ACK))
  t.true(tcp.tcp(ACK))
  tcp.after(59)
  t.true(tcp.tcpAnswer(ACK))
  tcp.after(60)
  t.false(tcp.tcpAnswer(ACK))
})

test('another protocol is remembered by addresses and number for 600 s', (t) => {
  const esp: RuleSpec = { protocol: PROTOCOL_ESP, peer: '10.0.0.0/16' }
  const world = new PolicyLab({ server: { inbound: [esp], outbound: [] } })
  const answer = { src: SERVER_ADDRESS, dst: CLIENT_ADDRESS, protocol: PROTOCOL_ESP }
  t.false(world.say(2, answer))
  t.true(world.say(1, { src: CLIENT_ADDRESS, dst: SERVER_ADDRESS, protocol: PROTOCOL_ESP }))
  world.after(599)
  t.true(world.say(2, answer))
  t.false(world.say(2, { ...answer, protocol: PROTOCOL_ESP + 1 }))
  world.after(600)
  t.false(world.say(2, answer))
})

test('echo is tracked by its identifier', (t) => {
  const world = new PolicyLab({ server: { inbound: [PING], outbound: [] } })
  const echo = { protocol: PROTOCOL_ICMP, icmpId: 7 }
  t.true(world.say(1, { ...echo, src: CLIENT_ADDRESS, dst: SERVER_ADDRESS, icmpType: 8 }))
  t.true(world.say(2, { ...echo, src: SERVER_ADDRESS, dst: CLIENT_ADDRESS, icmpType: 0 }))
  t.false(world.say(2, { ...echo, icmpId: 8, src: SERVER_ADDRESS, dst: CLIENT_ADDRESS,
    icmpType: 0 }))
})

test('an echo is answered; the other side may not ask one with the same identifier', (t) => {
  const world = new PolicyLab({ server: { inbound: [PING], outbound: [] } })
  const echo = { protocol: PROTOCOL_ICMP, icmpId: 7 }
  const toServer = { ...echo, src: CLIENT_ADDRESS, dst: SERVER_ADDRESS }
  const toClient = { ...echo, src: SERVER_ADDRESS, dst: CLIENT_ADDRESS }
  t.true(world.say(1, { ...toServer, icmpType: 8 }))
  t.false(world.say(2, { ...toClient, icmpType: 8 }))
  t.true(world.say(2, { ...toClient, icmpType: 0 }))
})

test('what only answers or ends begins no connection', (t) => {
  // Everything may leave the client and enter the server; nothing else is let through.
  const world = new PolicyLab({ server: { inbound: [ALL], outbound: [] } })
  for (const flags of [SYN | ACK, TCP_FLAG_RST, TCP_FLAG_RST | ACK, TCP_FLAG_FIN | ACK]) {
    t.true(world.tcp(flags))
    t.false(world.tcpAnswer(ACK), 'nothing to be answered')
  }
  t.true(world.say(1, { src: CLIENT_ADDRESS, dst: SERVER_ADDRESS, protocol: PROTOCOL_ICMP,
    icmpType: 0, icmpId: 7 }))
  t.false(world.say(2, { src: SERVER_ADDRESS, dst: CLIENT_ADDRESS, protocol: PROTOCOL_ICMP,
    icmpType: 8, icmpId: 7 }))
  t.is(world.lab.flows.live, 0)
  t.true(world.tcp(ACK), 'a connection that was there before')
  t.true(world.tcpAnswer(ACK))
})

test('a connection is not opened backwards, and both sides may open it at once', (t) => {
  const world = new PolicyLab()
  t.true(world.tcp(SYN))
  t.true(world.tcpAnswer(SYN), 'both at once')
  t.true(world.tcpAnswer(SYN | ACK))
  t.true(world.tcp(ACK))
  t.false(world.tcpAnswer(SYN), 'the server opens one of its own')
  t.deepEqual(world.drops(), { '2/security-group-egress': 1 })
  t.true(world.tcpAnswer(ACK), 'the connection goes on')
  t.true(world.tcp(SYN), 'its own side may try again')
})

test('an RST that its side cannot have sent does not end the connection', (t) => {
  const world = new PolicyLab()
  const rst = (sequence: number): boolean => world.say(1, { src: CLIENT_ADDRESS,
    dst: SERVER_ADDRESS, srcPort: 40_000, dstPort: 80, tcpFlags: TCP_FLAG_RST, sequence })
  t.true(world.tcp(SYN))
  t.true(world.tcpAnswer(SYN | ACK))
  t.true(world.tcp(ACK))
  t.true(rst(0x4000_0000), 'its host is to judge it')
  world.after(60)
  t.true(world.tcpAnswer(ACK), 'the connection goes on')
  t.true(rst(33))
  world.after(11)
  t.false(world.tcpAnswer(ACK))
})

test('a refused SYN over an ended connection does not stop what still ends it', (t) => {
  const world = new PolicyLab()
  t.true(world.tcp(SYN))
  t.true(world.tcpAnswer(SYN | ACK))
  t.true(world.tcp(TCP_FLAG_RST))
  world.change({ client: NOTHING })
  t.false(world.tcp(SYN))
  t.true(world.tcp(ACK))
  t.true(world.tcp(ACK))
})

/** An ICMP error "port unreachable" that quotes `quoted`. */
function unreachable (src: string, dst: string, quoted: Uint8Array): Uint8Array {
  const error = ipPacket({ src, dst, protocol: PROTOCOL_ICMP, icmpType: 3,
    payloadBytes: quoted.length })
  error.set(quoted, error.length - quoted.length)
  return error
}

test('an ICMP error passes with the conversation that it quotes, and only then', (t) => {
  const world = new PolicyLab({ server: { inbound: [DNS], outbound: [] } })
  const question = { src: CLIENT_ADDRESS, dst: SERVER_ADDRESS, srcPort: 40_000, dstPort: 53,
    protocol: PROTOCOL_UDP }
  const error = (quoted: PacketFields): Uint8Array =>
    unreachable(SERVER_ADDRESS, CLIENT_ADDRESS, ipPacket(quoted).slice(0, 28))
  const fields = { src: SERVER_ADDRESS, dst: CLIENT_ADDRESS }
  t.false(world.say(2, fields, error(question)))
  t.true(world.say(1, question))
  t.true(world.say(2, fields, error(question)))
  t.false(world.say(2, fields, error({ ...question, srcPort: 40_001 })))
  for (let bytes = 0; bytes < 28; bytes++) {
    t.false(world.say(2, fields,
      unreachable(SERVER_ADDRESS, CLIENT_ADDRESS, ipPacket(question).slice(0, bytes))),
    `a quote of ${String(bytes)} bytes`)
  }
})

test('ICMP errors are counted under the conversation that they speak of', (t) => {
  const world = new PolicyLab({ server: { inbound: [DNS], outbound: [] } })
  const question = { src: CLIENT_ADDRESS, dst: SERVER_ADDRESS, srcPort: 40_000, dstPort: 53,
    protocol: PROTOCOL_UDP }
  t.true(world.say(1, question))
  const flows = (): Flow[] => world.reader.list(9, () => true)
    .toSorted((one, other) => one.eniIdLow - other.eniIdLow)
  world.after(20)
  const quoted = ipPacket(question).slice(0, 28)
  t.true(world.say(2, question, unreachable(SERVER_ADDRESS, CLIENT_ADDRESS, quoted)))
  const [client, server] = flows()
  t.deepEqual([client.ingress.icmpErrors, client.egress.icmpErrors], [1, 0])
  t.deepEqual([server.ingress.icmpErrors, server.egress.icmpErrors], [0, 1])
  t.is(client.ingress.packets, 0, 'they are none of its packets')
  t.true(client.idleMs >= 20_000, 'and do not renew its age')
  world.after(11)
  t.deepEqual(flows(), [])
})

test('what the router answers is counted under the conversation, too', (t) => {
  const world = new PolicyLab({ client: EVERYTHING, server: EVERYTHING })
  const fields = { src: CLIENT_ADDRESS, dst: OTHER_ADDRESS, protocol: PROTOCOL_UDP,
    dontFragment: true }
  t.true(world.say(1, fields))
  t.true(world.say(1, { ...fields, payloadBytes: 9100 }), 'the answer')
  const [flow] = world.reader.list(9, () => true)
  t.deepEqual([flow.egress.packets, flow.ingress.icmpErrors], [1, 1])
})

test('later fragments have the fate of the first', (t) => {
  const world = new PolicyLab({ server: { inbound: [DNS], outbound: [] } })
  const part = (dstPort: number, identification: number, offsetBytes: number): PacketFields => ({
    src: CLIENT_ADDRESS, dst: SERVER_ADDRESS, srcPort: 40_000, dstPort, protocol: PROTOCOL_UDP,
    payloadBytes: 792, identification, fragment: { offsetBytes, more: true }
  })
  t.true(world.say(1, withPorts(part(53, 1, 0))))
  t.true(world.say(1, part(53, 1, 800)))
  t.true(world.udpAnswer(), 'a fragmented question makes a connection too')
  t.false(world.say(1, part(53, 2, 800)), 'the first one was not seen')
  t.false(world.say(1, withPorts(part(54, 3, 0))), 'another port')
  t.false(world.say(1, part(54, 3, 800)))
})

/** A first fragment holds the ports; `ipPacket` writes plain bytes there unless told. */
function withPorts (fields: PacketFields): PacketFields {
  return { ...fields, fragment: { offsetBytes: 0, more: true } }
}

test('what needs a connection and finds no room is refused, what has one goes on', (t) => {
  const world = new PolicyLab({ flowCapacity: 64 })
  t.true(world.tcp(SYN))
  let refused = 0
  for (let port = 50_000; port < 50_200; port++) if (!world.tcp(SYN, 80, port)) refused++
  t.true(refused > 0)
  t.is(world.drops()['1/connection-table-full'], refused)
  t.true(world.tcp(ACK), 'the first one goes on')
})

test('established flows take the fast path whatever the number of rules', (t) => {
  const many = Array.from({ length: 60 }, (_rule, index): RuleSpec =>
    ({ protocol: PROTOCOL_TCP, from: 1000 + index, peer: '10.9.0.0/16' }))
  const world = new PolicyLab({ server: { inbound: [...many, HTTP], outbound: [] } })
  t.true(world.tcp(SYN))
  t.true(world.tcp(ACK))
  const { words } = world.lab.loop.router.counters
  const before = words[COUNT_SLOW_PATH]
  for (let count = 0; count < 10; count++) t.true(world.tcp(ACK))
  t.is(words[COUNT_SLOW_PATH], before)
})

// ------------------------------------------------------------------------------------------- ACLs

const OPEN = { client: EVERYTHING, server: EVERYTHING }
const EPHEMERAL: RuleSpec =
  { protocol: PROTOCOL_TCP, from: 1024, to: 65_535, peer: '0.0.0.0/0' }

test('an ACL has no memory: answers need a rule of their own', (t) => {
  const http: RuleSpec = { protocol: PROTOCOL_TCP, from: 80, peer: '0.0.0.0/0' }
  const world = new PolicyLab({ ...OPEN, serverAcl: { inbound: [http], outbound: [] } })
  t.true(world.tcp(SYN))
  t.false(world.tcpAnswer(SYN | ACK))
  t.deepEqual(world.drops(), { '2/network-acl-egress': 1 })
  world.change({ ...OPEN, serverAcl: { inbound: [http], outbound: [EPHEMERAL] } })
  t.true(world.tcpAnswer(SYN | ACK))
})

test('the first entry that matches decides, and acts on the next packet of a running flow', (t) => {
  const world = new PolicyLab(OPEN)
  t.true(world.tcp(SYN))
  t.true(world.tcp(ACK))
  const deny: RuleSpec = { peer: CLIENT_ADDRESS + '/32', deny: true }
  world.change({ ...OPEN, serverAcl: { inbound: [ALL, deny], outbound: [ALL] } })
  t.true(world.tcp(ACK), 'the allow stands first')
  world.change({ ...OPEN, serverAcl: { inbound: [deny, ALL], outbound: [ALL] } })
  t.false(world.tcp(ACK))
  t.deepEqual(world.drops(), { '2/network-acl-ingress': 1 })
})

test('an ACL is not asked inside its subnet', (t) => {
  const world = new PolicyLab({ ...OPEN, serverAcl: NOTHING })
  t.true(world.say(2, { src: SERVER_ADDRESS, dst: OTHER_ADDRESS, protocol: PROTOCOL_TCP }))
  t.false(world.tcpAnswer(ACK))
})
