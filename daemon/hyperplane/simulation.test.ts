import test from 'ava'
import type { ExecutionContext } from 'ava'
import { Simulation } from './testing/simulation.ts'
import type { SimulationOptions } from './testing/simulation.ts'

const QUIET_MS = 1500

/** Clients that come and go, nodes that die and come back; then quiet, then the reckoning. */
function live (
  t: ExecutionContext, options: SimulationOptions, steps: number, deaths: number
): Simulation {
  const sim = new Simulation(options)
  sim.run(100)
  for (let step = 0; step < steps; step++) {
    sim.send(sim.pick(150), sim.pick(4))
    if (sim.random() < 0.15) sim.end(sim.pick(150), sim.pick(4))
    if (sim.random() < deaths) {
      const name = sim.names[sim.pick(sim.names.length)] ?? ''
      if (sim.mayKill(name)) sim.kill(name)
    }
    for (const name of sim.names) if (!sim.isUp(name) && sim.random() < 0.01) sim.start(name)
    sim.run(sim.pick(4))
  }
  for (const name of sim.names) sim.start(name)
  sim.run(QUIET_MS)
  sim.checkAll()
  t.deepEqual(sim.faults.slice(0, 5), [], `seed ${String(options.seed)}`)
  return sim
}

test('flows count within a few milliseconds on a good network', (t) => {
  const sim = live(t, { nodes: 3, seed: 1, loss: 0, repeats: 0, delayMs: 1, controlMs: 5 }, 600, 0)
  t.true(sim.acknowledged > 200)
  t.true(sim.waitedMs <= 5, `${String(sim.waitedMs)} ms`)
})

test('loss, repeats and reordering cost time and nothing else', (t) => {
  for (let seed = 1; seed <= 4; seed++) {
    const sim = live(t, { nodes: 3, seed, loss: 0.2, repeats: 0.1, delayMs: 15, controlMs: 20 },
      500, 0)
    t.true(sim.acknowledged > 100)
  }
})

test('nodes that die at any moment lose no flow that counted, and share no port', (t) => {
  let acknowledged = 0
  for (let seed = 1; seed <= 25; seed++) {
    acknowledged += live(t,
      { nodes: 3, seed, loss: 0.05, repeats: 0.05, delayMs: 4, controlMs: 40 }, 800, 0.02
    ).acknowledged
  }
  t.true(acknowledged > 2000)
})

test('a larger cell, worse networks, slower control: the same', (t) => {
  for (let seed = 100; seed < 115; seed++) {
    live(t, { nodes: 5, seed, loss: 0.15, repeats: 0.1, delayMs: 30, controlMs: 200 }, 600, 0.02)
  }
})

test('deaths that overlap before control has noticed: the same', (t) => {
  const near = { nodes: 3, loss: 0.05, repeats: 0.05, delayMs: 4, controlMs: 40 }
  const far = { nodes: 5, loss: 0.15, repeats: 0.1, delayMs: 30, controlMs: 200 }
  live(t, { ...near, seed: 5508 }, 1000, 0.02) // a copy older than its node was called complete
  live(t, { ...far, seed: 7072 }, 1000, 0.02) // a flow counted where it was decided no more
  live(t, { ...near, seed: 39 }, 1000, 0.05)
  live(t, { ...near, seed: 30151 }, 1000, 0.02) // an end that one of two had heard of
  for (let seed = 201; seed < 209; seed += 2) {
    live(t, { ...near, seed }, 600, 0.1)
    live(t, { ...far, seed }, 600, 0.1)
  }
})

test('with one node left flows go on, and come back to three', (t) => {
  const sim = new Simulation(
    { nodes: 3, seed: 5, loss: 0, repeats: 0, delayMs: 1, controlMs: 2 })
  sim.run(50)
  for (let client = 0; client < 50; client++) sim.send(client, client % 4)
  sim.run(50)
  t.is(sim.acknowledged, 50)
  sim.kill('node-1')
  sim.run(50)
  sim.kill('node-2')
  sim.run(50)
  for (let client = 50; client < 100; client++) sim.send(client, client % 4)
  sim.run(10)
  t.is(sim.acknowledged, 100)
  sim.start('node-1')
  sim.start('node-2')
  sim.run(QUIET_MS)
  sim.checkAll()
  t.deepEqual(sim.cell.assignment('nat-0a')?.owners, sim.cell.assignment('nat-0a')?.shard)
  sim.kill('node-3')
  sim.run(100)
  sim.checkAll()
  t.deepEqual(sim.faults, [])
})
