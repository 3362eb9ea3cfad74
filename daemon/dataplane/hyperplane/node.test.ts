import test from 'ava'
import { addressWords, IPV4_MAPPED_WORD } from '../../wire/address.ts'
import { PROTOCOL_TCP } from '../../wire/ip_protocol.ts'
import {
  NAT_AT_INSIDE, NAT_AT_INSIDE_PORTS, NAT_AT_PROTOCOL, NAT_AT_REMOTE, NAT_AT_RESOURCE, natFileBytes
} from '../tables/nat_layout.ts'
import { NatTable } from '../tables/nat_table.ts'
import { FLOW_PASSES, HyperplaneNode, OPEN_OVER_CAPACITY } from './node.ts'
import { MESSAGE_HEADER_BYTES } from './peer_channel.ts'
import { RECORD_BYTES } from './record.ts'
import { FLOWS_BURST, FLOWS_PER_SECOND } from './shard.ts'
import type { Shard } from './shard.ts'
import { SHARD_SLOTS } from './slots.ts'

const RESOURCE = 7
const CAPACITY = 64
/** One record each. */
const DATAGRAM_BYTES = MESSAGE_HEADER_BYTES + RECORD_BYTES
/** Longer than the longest wait of a channel, ms. */
const ROUND_MS = 250
const ROUNDS = 6

/** A node and what it has said: epochs of complete copies, rows that counted. */
interface Member {
  readonly node: HyperplaneNode
  readonly table: NatTable
  readonly complete: number[]
  readonly confirmed: number[]
}

/** What to look for, or to open: a client's flow to a remote address. */
function setKey (table: NatTable, resource: number, client: number, remote: number): void {
  const { key } = table
  key.fill(0)
  key[NAT_AT_PROTOCOL] = PROTOCOL_TCP
  key[NAT_AT_RESOURCE + 1] = resource
  key.set(addressWords('10.0.1.1'), NAT_AT_INSIDE)
  key[NAT_AT_REMOTE + 2] = IPV4_MAPPED_WORD
  key[NAT_AT_REMOTE + 3] = remote
  key[NAT_AT_INSIDE_PORTS] = ((1024 + client) << 16) | 80
}

/** Nodes 1, 2, 3, whose datagrams arrive at once, or never where a way is cut. */
class Cluster {
  readonly members = new Map<number, Member>()
  /** Ways that carry nothing: "from>to". */
  readonly cut = new Set<string>()
  nowMs = 0
  #incarnation = 0
  /** Owners by epoch, as far as control has told anybody. */
  readonly #owners = new Map<number, number>()

  constructor () { for (const host of [1, 2, 3]) this.start(host) }

  /** The node begins a life, with an empty table. */
  start (host: number): Member {
    const table = new NatTable(new ArrayBuffer(natFileBytes(CAPACITY)), CAPACITY,
      { bytes: (count) => new Uint8Array(count).fill(host) })
    const complete: number[] = []
    const confirmed: number[] = []
    const node = new HyperplaneNode(host, table, ++this.#incarnation, {
      confirmed: (at) => { confirmed.push(at) },
      decides: () => undefined,
      complete: ({ epoch }) => { complete.push(epoch) }
    })
    const member = { node, table, complete, confirmed }
    this.members.set(host, member)
    return member
  }

  get (host: number): Member {
    const member = this.members.get(host)
    if (member === undefined) throw new Error(`node ${String(host)} does not run`)
    return member
  }

  /** Control's word reaches `to`. @param joined epochs at which the replicas came, or 0 each */
  assign (
    to: number, epoch: number, owner: number, replicas: readonly number[],
    joined: readonly number[] = replicas.map(() => 0)
  ): void {
    this.#owners.set(epoch, owner)
    const others = [...this.#owners].filter(([at, name]) => at < epoch && name !== owner)
    const since = Math.min(...[...this.#owners.keys()].filter((at) =>
      at <= epoch && others.every(([other]) => other < at)))
    this.get(to).node.assign({
      eniIdHigh: 0, eniIdLow: RESOURCE, epoch, owners: new Uint32Array(SHARD_SLOTS).fill(owner),
      ownerEpochs: new Uint32Array(SHARD_SLOTS).fill(since),
      replicas: Uint32Array.from(replicas), joinedEpochs: Uint32Array.from(joined),
      addresses: addressWords('10.0.0.9')
    })
  }

  /** Lets everything arrive that may, resent where need be; or as much as makes `isEnough` true. */
  settle (isEnough: () => boolean = () => false): void {
    const bytes = new Uint8Array(DATAGRAM_BYTES)
    const target = new Int32Array(1)
    for (let round = 0; round < ROUNDS; round++) {
      this.nowMs += ROUND_MS
      let isQuiet = false
      while (!isQuiet) { // ends: each datagram moves a record or an answer on
        isQuiet = true
        for (const [from, { node, table }] of this.members) {
          node.nowMs = this.nowMs
          table.setNowMs(this.nowMs)
          node.work()
          const count = node.write(bytes, 0, DATAGRAM_BYTES, target)
          if (count === 0) continue
          isQuiet = false
          const to = target[0]
          const datagram = bytes.slice(0, count)
          if (!this.cut.has(`${String(from)}>${String(to)}`)) {
            this.members.get(to)?.node.receive(from, new DataView(datagram.buffer), 0, count)
            if (isEnough()) return
          }
        }
      }
    }
  }

  #ask (host: number, client: number): NatTable {
    const { table } = this.get(host)
    setKey(table, RESOURCE, client, 0x0a000001)
    return table
  }

  /** Opens a client's flow. @returns its row, or OPEN_* */
  open (host: number, client = 0): number {
    this.#ask(host, client)
    return this.get(host).node.openFlow(this.shard(host))
  }

  shard (host: number): Shard {
    const shard = this.get(host).node.findShard(0, RESOURCE)
    if (shard === undefined) throw new Error(`node ${String(host)} knows no shard`)
    return shard
  }

  /** Whether a node has the flow of client 0. */
  has (host: number): boolean { return this.#ask(host, 0).findInside() >= 0 }

  /** Whether a packet of the flow of client 0 passes at a node. */
  serves (host: number): boolean {
    const at = this.#ask(host, 0).findInside()
    return at >= 0 && this.get(host).node.admit(this.shard(host), at) === FLOW_PASSES
  }

  /** Ends the flow of client 0 at its owner. */
  end (host: number): void {
    const at = this.#ask(host, 0).findInside()
    this.get(host).node.endFlow(this.shard(host), at)
  }
}

function begun (): Cluster {
  const cluster = new Cluster()
  for (const host of [1, 2, 3]) cluster.assign(host, 1, 1, [1, 2, 3])
  cluster.settle()
  return cluster
}

test('a copy that began before a node joined is not complete', (t) => {
  const cluster = begun()
  cluster.members.delete(3)
  const joiner = cluster.start(2) // node 1 has not heard of its death, and copies under epoch 1
  cluster.open(1, 1)
  cluster.settle(() => (joiner.node.findShard(0, RESOURCE)?.arrived ?? 0) !== 0)
  cluster.assign(1, 2, 1, [1])
  cluster.open(1)
  t.true(cluster.serves(1), 'node 1 is alone: the flow counts at once')
  cluster.assign(2, 3, 1, [1, 2], [0, 3])
  cluster.settle()
  t.deepEqual(joiner.complete, [], 'it lacks a flow')
  t.false(cluster.has(2))
  cluster.assign(1, 3, 1, [1, 2], [0, 3])
  cluster.settle()
  t.deepEqual(joiner.complete, [3])
  t.true(cluster.has(2))
})

test('nor is one that an owner begins who has not heard that the node joined', (t) => {
  const cluster = begun()
  cluster.members.delete(3)
  const joiner = cluster.start(2)
  cluster.assign(2, 3, 1, [1, 2], [0, 3])
  cluster.open(1)
  cluster.settle()
  t.true(cluster.has(2))
  t.deepEqual(joiner.complete, [])
  cluster.assign(1, 3, 1, [1, 2], [0, 3])
  cluster.settle()
  t.deepEqual(joiner.complete, [3])
})

test('a flow does not count at a node that has promised a later epoch', (t) => {
  const cluster = begun()
  cluster.cut.add('1>3')
  const at = cluster.open(1)
  cluster.settle()
  t.true(cluster.has(2))
  t.false(cluster.has(3))
  cluster.cut.add('2>3') // the new owner hears of node 1's promise, and not of node 3's
  cluster.assign(2, 2, 2, [1, 2, 3])
  cluster.settle()
  cluster.cut.delete('1>3')
  cluster.settle()
  t.true(cluster.has(3), 'all have it')
  t.deepEqual(cluster.get(1).confirmed, [], 'but node 2 may have ended it')
  t.false(cluster.serves(1))
  t.false(cluster.serves(2), 'whose end may be on its way')
  cluster.cut.clear()
  cluster.settle()
  t.true(cluster.serves(2), 'told again under its own epoch')
  cluster.assign(1, 3, 1, [1, 2, 3])
  cluster.settle()
  t.deepEqual(cluster.get(1).confirmed, [at])
  t.true(cluster.serves(1))
})

test('what an owner has not counted under one epoch it tells again under the next', (t) => {
  const cluster = begun()
  cluster.cut.add('3>1') // node 3 has it, and cannot say so
  const at = cluster.open(1)
  cluster.settle()
  t.deepEqual(cluster.get(1).confirmed, [])
  cluster.members.delete(3)
  cluster.assign(1, 2, 1, [1, 2])
  cluster.assign(2, 2, 1, [1, 2])
  cluster.settle()
  t.deepEqual(cluster.get(1).confirmed, [at])
})

test('a copy by an old owner that comes late takes no flow of the new one', (t) => {
  const cluster = new Cluster()
  const joined = [0, 0, 2]
  for (const host of [1, 2]) cluster.assign(host, 1, 1, [1, 2])
  cluster.settle()
  for (const host of [1, 2, 3]) cluster.assign(host, 2, 1, [1, 2, 3], joined)
  cluster.settle(() => cluster.shard(1).mayDecide()) // it knows that node 3 lacks all
  cluster.cut.add('1>3')
  for (const host of [2, 3]) cluster.assign(host, 3, 2, [1, 2, 3], joined)
  cluster.settle(() => cluster.shard(2).mayDecide())
  t.true(cluster.open(2) > 0)
  cluster.settle(() => cluster.has(3))
  cluster.cut.delete('1>3')
  cluster.cut.add('2>3')
  cluster.settle()
  t.true(cluster.has(3), 'the copy of epoch 2 does not name what is of epoch 3')
  t.deepEqual(cluster.get(3).complete, [])
  cluster.cut.clear()
  cluster.settle()
  t.deepEqual(cluster.get(3).complete, [3])
})

test('a copy that may never have counted is told again, however old it is', (t) => {
  const cluster = begun()
  cluster.cut.add('1>3')
  cluster.open(1)
  cluster.settle()
  t.true(cluster.has(2))
  cluster.members.delete(1) // before node 3 had it
  cluster.assign(2, 2, 3, [2, 3])
  cluster.assign(3, 2, 3, [2, 3])
  cluster.settle()
  cluster.nowMs += 60_000
  t.false(cluster.serves(2))
  cluster.settle()
  t.false(cluster.has(3))
  cluster.cut.add('2>3')
  cluster.assign(2, 3, 2, [2, 3])
  cluster.settle()
  t.false(cluster.serves(2), 'node 3 lacks it')
  cluster.cut.clear()
  cluster.settle()
  t.true(cluster.serves(2))
  t.true(cluster.has(3))
})

/** A flow that is old enough for every copy of it to be believed; time has passed everywhere. */
function withOldFlow (): Cluster {
  const cluster = begun()
  cluster.open(1)
  cluster.settle()
  cluster.nowMs += 60_000
  cluster.settle()
  return cluster
}

test('a flow whose end only one node has heard of goes on when both have it again', (t) => {
  const cluster = withOldFlow()
  cluster.cut.add('1>2')
  cluster.end(1)
  cluster.settle(() => !cluster.has(3))
  t.true(cluster.has(2), 'node 1 dies as it tells')
  cluster.members.delete(1)
  for (const host of [2, 3]) cluster.assign(host, 2, 2, [2, 3])
  cluster.settle()
  t.false(cluster.serves(2), 'node 3 lacks it')
  t.false(cluster.has(3))
  cluster.settle()
  t.true(cluster.serves(2))
  t.true(cluster.has(3), 'its first packet has brought it there')
  cluster.members.delete(2)
  cluster.assign(3, 3, 3, [3])
  cluster.settle()
  t.true(cluster.serves(3))
})

test('so does one whose slot has been with another owner meanwhile', (t) => {
  const cluster = withOldFlow()
  for (const host of [1, 2, 3]) cluster.assign(host, 2, 2, [1, 2, 3])
  cluster.settle()
  cluster.cut.add('2>1')
  cluster.end(2)
  cluster.settle(() => !cluster.has(3))
  cluster.members.delete(2)
  for (const host of [1, 3]) cluster.assign(host, 3, 1, [1, 3])
  cluster.settle()
  t.false(cluster.serves(1), 'it had counted here, under another epoch')
  cluster.settle()
  t.true(cluster.serves(1))
  t.true(cluster.has(3))
})

test('a flow of an owner that stays is not told again when another node dies', (t) => {
  const cluster = withOldFlow()
  cluster.members.delete(3)
  for (const host of [1, 2]) cluster.assign(host, 2, 1, [1, 2])
  t.true(cluster.serves(1))
})

test('nor does an inherited flow wait where nobody is left to be told', (t) => {
  const cluster = withOldFlow()
  cluster.members.delete(1)
  cluster.members.delete(3)
  cluster.assign(2, 2, 2, [2])
  cluster.settle()
  t.true(cluster.serves(2))
})

/** A node that serves two resources alone, QUIET and NOISY. */
const QUIET = RESOURCE
const NOISY = RESOURCE + 1

function neighbours (
  capacity: number
): { node: HyperplaneNode, open: (resource: number) => number } {
  const table = new NatTable(new ArrayBuffer(natFileBytes(capacity)), capacity,
    { bytes: (count) => new Uint8Array(count) })
  const node = new HyperplaneNode(1, table, 1,
    { confirmed: () => undefined, decides: () => undefined, complete: () => undefined })
  const own = new Uint32Array(SHARD_SLOTS).fill(1)
  for (const eniIdLow of [QUIET, NOISY]) {
    node.assign({
      eniIdHigh: 0, eniIdLow, epoch: 1, owners: own, ownerEpochs: own,
      replicas: Uint32Array.of(1), joinedEpochs: new Uint32Array(1),
      addresses: addressWords('10.0.0.9')
    })
  }
  let remote = 0
  const open = (resource: number): number => {
    const shard = node.findShard(0, resource)
    if (shard === undefined) throw new Error('the node knows no such resource')
    setKey(table, resource, 0, ++remote)
    return node.openFlow(shard)
  }
  return { node, open }
}

/** Opens flows until one is refused. @returns how many there were, and the refusal */
function flood (open: () => number): { opened: number, answer: number } {
  for (let opened = 0; ; opened++) { // ends: the table does
    const answer = open()
    if (answer < 0) return { opened, answer }
  }
}

test('a resource that takes all it can get leaves room for flows of another', (t) => {
  const { node, open } = neighbours(CAPACITY)
  const first = open(NOISY)
  t.deepEqual(flood(() => open(NOISY)), { opened: CAPACITY / 2 - 1, answer: OPEN_OVER_CAPACITY })
  t.deepEqual(flood(() => open(QUIET)), { opened: CAPACITY / 4, answer: OPEN_OVER_CAPACITY })
  const shard = node.findShard(0, NOISY)
  t.is(shard === undefined ? -1 : node.admit(shard, first), FLOW_PASSES, 'what stands goes on')
  if (shard !== undefined) node.endFlow(shard, first)
  t.is(open(NOISY), OPEN_OVER_CAPACITY, 'it has more than its share since another came')
  t.true(open(QUIET) >= 0)
})

test('new flows of a resource are rationed by the second, those of another are not', (t) => {
  const { node, open } = neighbours(4 * FLOWS_BURST)
  t.deepEqual(flood(() => open(NOISY)), { opened: FLOWS_BURST, answer: OPEN_OVER_CAPACITY })
  t.true(open(QUIET) >= 0)
  node.nowMs = 100
  t.is(flood(() => open(NOISY)).opened, FLOWS_PER_SECOND / 10)
})
