/**
 * The engine over a store in memory, without hosts: whatever moment a daemon is killed at, the next
 * one brings the stack to its end, with nothing made twice and nothing forgotten.
 */
import test from 'ava'
import { randomBytes } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { pino } from 'pino'
import type { CommitListener } from '../../model/commit_feed.ts'
import type { Ledger } from '../../model/ledger.ts'
import type { Change } from '../../model/snapshot.ts'
import type { Stack } from '../../model/stack.ts'
import { isBusy } from '../../model/stack.ts'
import { TEST_ACCOUNT, TEST_REGION, TestWorld } from '../../model/test_world.ts'
import { ACTIONS } from '../ec2/actions/registry.ts'
import { ActionRunner } from '../ec2/runner.ts'
import type { ActionContext } from './action.ts'
import { RESOURCE_TYPES } from './resource_types/registry.ts'
import { STACK_ACTIONS } from './service.ts'
import type { Stacks } from './stacks.ts'
import { createStacks } from './stacks.ts'

const CALLER = { accessKeyId: 'AKIDTEST', accountId: TEST_ACCOUNT, region: TEST_REGION }
const random = { bytes: (count: number) => new Uint8Array(randomBytes(count)) }

function template (block: string): string {
  return `
Resources:
  Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.0.0.0/16 } }
  Subnet: { Type: AWS::EC2::Subnet, Properties: { VpcId: !Ref Vpc, CidrBlock: ${block} } }
  Table: { Type: AWS::EC2::RouteTable, Properties: { VpcId: !Ref Vpc } }
  Link:
    Type: AWS::EC2::SubnetRouteTableAssociation
    Properties: { SubnetId: !Ref Subnet, RouteTableId: !Ref Table }`
}

/** A daemon's half that matters here. */
class Daemon {
  readonly stacks: Stacks
  readonly #context: ActionContext
  readonly #world: TestWorld

  constructor (world: TestWorld, store: Ledger = world) {
    const { ledger, onCommit } = fed(store)
    const clock = { nowMs: () => world.nowMs, monotonicMs: () => world.nowMs }
    const runner = new ActionRunner(ACTIONS, { ledger, clock, random,
      lab: () => ({ appliedRevision: world.snapshot.revision }) })
    this.#world = world
    this.stacks = createStacks({
      ledger, clock, random, runner, log: pino({ level: 'silent' }),
      onCommit,
      waitApplied: () => Promise.resolve()
    })
    this.#context = { ledger, clock, random, types: RESOURCE_TYPES }
  }

  async call (action: string, input: object): Promise<void> {
    this.stacks.engine.start()
    await STACK_ACTIONS[action]?.run(this.#context, CALLER, input as never)
  }

  /** The only stack, once nothing goes on. */
  async ended (): Promise<Stack> {
    for (;;) {
      const [stack] = this.#world.snapshot.tables.stack.values()
      if (stack === undefined) throw new Error('there is no stack')
      if (!isBusy(stack)) return stack
      await turn()
    }
  }
}

/** A store with a feed of what is committed through it. */
function fed (store: Ledger): {
  readonly ledger: Ledger
  readonly onCommit: (listener: CommitListener) => { close(): void }
} {
  const listeners = new Set<CommitListener>()
  const transact: Ledger['transact'] = async (plan) => {
    let changes: readonly Change[] = []
    const committed = await store.transact(() => {
      const planned = plan()
      changes = planned.changes
      return planned
    })
    const applied = changes.map((change) => ({ ...change, previous: null }))
    for (const listener of [...listeners]) listener(committed.revision, applied)
    return committed
  }
  return {
    ledger: { snapshot: store.snapshot, transact },
    onCommit: (listener) => {
      listeners.add(listener)
      return { close: () => { listeners.delete(listener) } }
    }
  }
}

/** A store that serves `count` transactions and then never answers: a process that is killed. */
function dying (world: TestWorld, count: number): {
  readonly ledger: Ledger
  readonly died: Promise<void>
} {
  let left = count
  let die: () => void = () => { /* set below */ }
  const died = new Promise<void>((resolve) => { die = resolve })
  const transact: Ledger['transact'] = async (plan) => {
    if (left-- > 0) return await world.transact(plan)
    die()
    return await new Promise(() => { /* nobody is there any more */ })
  }
  return { died, ledger: { snapshot: world.snapshot, transact } }
}

function countsOf ({ snapshot: { tables } }: TestWorld): readonly number[] {
  const tablesOfUsers = [...tables.routeTable.values()]
    .filter(({ associations }) => associations.every(({ subnetId }) => subnetId !== null))
  return [tables.vpc.size, tables.subnet.size, tablesOfUsers.length]
}

/** Runs `order` in a daemon that dies after so many transactions, for each number till it lives. */
async function killedEverywhere (prepare: (world: TestWorld) => Promise<void>,
  order: (daemon: Daemon) => Promise<void>,
  then: (world: TestWorld, next: Daemon, at: number) => Promise<void>): Promise<number> {
  for (let at = 1; ; at++) {
    const world = new TestWorld()
    await prepare(world)
    const { ledger, died } = dying(world, at)
    const daemon = new Daemon(world, ledger)
    const lived = order(daemon).then(async () => await daemon.ended())
    if (await Promise.race([died.then(() => false), lived.then(() => true)])) return at
    await then(world, new Daemon(world), at)
  }
}

const nothing = (): Promise<void> => Promise.resolve()
const create = async (daemon: Daemon): Promise<void> => {
  await daemon.call('CreateStack', { StackName: 's', TemplateBody: template('10.0.1.0/24') })
}

test('a creation that is killed at any moment is completed, once', async (t) => {
  const moments = await killedEverywhere(nothing, create, async (world, next, at) => {
    next.stacks.engine.start()
    t.is((await next.ended()).status, 'CREATE_COMPLETE', String(at))
    t.deepEqual(countsOf(world), [1, 1, 1], String(at))
  })
  t.true(moments > 20)
})

test('a creation that is killed at any moment and then deleted leaves nothing', async (t) => {
  await killedEverywhere(nothing, create, async (world, next, at) => {
    await next.call('DeleteStack', { StackName: 's' })
    t.is((await next.ended()).status, 'DELETE_COMPLETE', String(at))
    t.deepEqual(countsOf(world), [0, 0, 0], String(at))
  })
})

async function created (world: TestWorld): Promise<void> {
  const daemon = new Daemon(world)
  await create(daemon)
  await daemon.ended()
}

for (const [block, status] of [
  ['10.0.2.0/24', 'UPDATE_COMPLETE'], ['10.9.0.0/24', 'UPDATE_ROLLBACK_COMPLETE']
] as const) {
  test(`an update that is killed at any moment ends as ${status}`, async (t) => {
    const update = async (daemon: Daemon): Promise<void> => {
      await daemon.call('UpdateStack', { StackName: 's', TemplateBody: template(block) })
    }
    await killedEverywhere(created, update, async (world, next, at) => {
      next.stacks.engine.start()
      t.is((await next.ended()).status, status, String(at))
      t.deepEqual(countsOf(world), [1, 1, 1], String(at))
      await next.call('DeleteStack', { StackName: 's' })
      t.is((await next.ended()).status, 'DELETE_COMPLETE', String(at))
      t.deepEqual(countsOf(world), [0, 0, 0], String(at))
    })
  })
}
