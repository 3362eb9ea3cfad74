import test from 'ava'
import { Cell } from './cell.ts'

const NODES = ['edge-1', 'edge-2', 'edge-3']

function begun (nodes = NODES): Cell {
  const cell = new Cell(nodes)
  for (const node of nodes) cell.nodeUp(node)
  cell.begin()
  cell.addResource('nat-0a')
  return cell
}

test('each slot is owned by its home while all live', (t) => {
  const assignment = begun().assignment('nat-0a')
  t.deepEqual(assignment?.owners, assignment?.shard)
  t.is(assignment?.replicas.length, 3)
})

test('slots of a dead node go to survivors, and back when its copy is complete', (t) => {
  const cell = begun()
  const before = cell.assignment('nat-0a')
  const dead = before?.shard[1] ?? ''
  const [down] = cell.nodeDown(dead)
  t.false(down?.owners.includes(dead))
  t.true((down?.epoch ?? 0) > (before?.epoch ?? 0))
  const [up] = cell.nodeUp(dead)
  t.false(up?.owners.includes(dead), 'its copy is not complete')
  t.true(up?.replicas.includes(dead), 'but it gets copies')
  t.is(cell.copyIsComplete(dead, 'nat-0a', down?.epoch ?? 0), null, 'of an older epoch')
  t.deepEqual(cell.copyIsComplete(dead, 'nat-0a', up?.epoch ?? 0)?.owners, before?.shard)
})

test('who joins owns nothing when the last complete one dies, but for want of others', (t) => {
  const cell = begun()
  const [a = '', b = '', c = ''] = cell.assignment('nat-0a')?.shard ?? []
  cell.nodeDown(a)
  cell.nodeUp(a)
  cell.nodeDown(b)
  t.deepEqual(cell.assignment('nat-0a')?.owners, [c, c, c])
  cell.nodeDown(c)
  t.deepEqual(cell.assignment('nat-0a')?.owners, [a, a, a])
  cell.nodeDown(a)
  t.deepEqual(cell.assignment('nat-0a')?.owners, [null, null, null])
})

test('the last complete node is believed when it comes back to an empty cell', (t) => {
  const cell = begun()
  const [a = '', b = '', c = ''] = cell.assignment('nat-0a')?.shard ?? []
  for (const node of [a, b, c]) cell.nodeDown(node)
  cell.nodeUp(c)
  cell.nodeUp(a)
  t.deepEqual(cell.assignment('nat-0a')?.owners, [c, c, c])
})

test('what was kept says who is believed after a restart of all', (t) => {
  const before = begun()
  const [a = '', b = '', c = ''] = before.assignment('nat-0a')?.shard ?? []
  before.nodeDown(a)
  const after = new Cell(NODES, before.record())
  after.addResource('nat-0a')
  after.nodeUp(a)
  t.deepEqual(after.assignment('nat-0a')?.owners, [null, null, null], 'not before all were asked')
  after.nodeUp(b)
  after.nodeUp(c)
  after.begin()
  t.false(after.assignment('nat-0a')?.owners.includes(a))
  t.true((after.assignment('nat-0a')?.epoch ?? 0) > before.record().epoch)
})

test('a cell of two nodes is refused', (t) => {
  t.throws(() => new Cell(['edge-1', 'edge-2']), { code: 'VPCLAB_ERR_CONFIG' })
})
