/** The life cycle of an instance: what the API asks, what the agent reports, and what it leaves. */
import test from 'ava'
import {
  planRebootInstances, planStartInstances, planStopInstances, planTerminateInstances,
  TERMINATED_LINGER_MS
} from './instance.ts'
import type { Instance, InstanceState } from './instance.ts'
import {
  planGuestEnded, planInstanceFailed, planInstanceReached, planReapTerminated
} from './instance_agent.ts'
import type { ReachedState } from './instance_agent.ts'
import { planModifyInstanceAttribute } from './instance_attribute.ts'
import type { ModifyInstanceInput } from './instance_attribute.ts'
import type { NamespaceGuest } from './instance_guest.ts'
import { planAttachNetworkInterface } from './network_interface_attachment.ts'
import { SLOTS_PER_HOST, TestNetwork } from './test_network.ts'

/** One instance and its agent. */
class TestInstance extends TestNetwork {
  readonly instanceId = this.launch()[0] ?? ''

  get instance (): Instance {
    const instance = this.view().get('instance', this.instanceId)
    if (instance === undefined) throw new Error(`no instance ${this.instanceId}`)
    return instance
  }

  reach (state: ReachedState): void {
    this.run(planInstanceReached(this.snapshot, this.instance.hostName ?? '', this.instanceId,
      state, this.context))
  }

  /** @returns the code of the refusal, or nothing */
  call (plan: typeof planStopInstances): string {
    return this.refusal(() =>
      this.run(plan(this.view(), { instanceIds: [this.instanceId] }, this.context)))
  }
}

test('an instance comes up, stops, starts and is terminated', (t) => {
  const net = new TestInstance()
  net.reach('running')
  t.like(net.instance, { state: 'running', bootCount: 1, hostName: 'host-1' })
  t.is(net.call(planStopInstances), '')
  t.like(net.instance, { state: 'stopping', goal: 'stopped', hostName: 'host-1' })
  net.reach('stopped')
  t.like(net.instance, { state: 'stopped', hostName: null })
  t.is(net.call(planStartInstances), '')
  t.like(net.instance, { state: 'pending', goal: 'running', stateReason: '' })
  net.reach('running')
  t.is(net.instance.bootCount, 2)
  t.is(net.call(planTerminateInstances), '')
  t.like(net.instance, { state: 'shutting-down', goal: 'terminated' })
  net.reach('terminated')
  t.like(net.instance, { state: 'terminated', hostName: null, vpcId: '', subnetId: '' })
})

for (const [state, prepare, refused] of [
  ['pending', () => undefined, ['stop', 'reboot']],
  ['running', (net) => net.reach('running'), []],
  ['stopping', (net) => { net.reach('running'); net.call(planStopInstances) }, ['start', 'reboot']],
  ['stopped', (net) => { net.reach('running'); net.call(planStopInstances); net.reach('stopped') },
    ['reboot']],
  ['shutting-down', (net) => net.call(planTerminateInstances), ['stop', 'start', 'reboot']],
  ['terminated', (net) => { net.call(planTerminateInstances); net.reach('terminated') },
    ['stop', 'start', 'reboot']]
] as readonly (readonly [InstanceState, (net: TestInstance) => unknown, readonly string[]])[]) {
  test(`what a ${state} instance refuses: ${refused.join(', ') || 'nothing'}`, (t) => {
    for (const [name, plan] of Object.entries({
      stop: planStopInstances, start: planStartInstances, terminate: planTerminateInstances,
      reboot: planRebootInstances
    })) {
      const net = new TestInstance()
      prepare(net)
      t.is(net.instance.state, state)
      t.is(net.call(plan), refused.includes(name) ? 'IncorrectInstanceState' : '', name)
    }
  })
}

test('a late report changes nothing: the user asked for something else meanwhile', (t) => {
  const net = new TestInstance()
  net.call(planTerminateInstances)
  net.reach('running')
  t.is(net.instance.state, 'shutting-down')
  net.run(planInstanceReached(net.snapshot, 'host-2', net.instanceId, 'terminated', net.context))
  t.is(net.instance.state, 'shutting-down', 'host-2 does not speak for an instance on host-1')
})

test('an ENI with DeleteOnTermination goes with the instance, another one is detached', (t) => {
  const net = new TestInstance()
  net.reach('running')
  const kept = net.createInterface()
  const input = { networkInterfaceId: kept, instanceId: net.instanceId, deviceIndex: 1 }
  net.run(planAttachNetworkInterface(net.view(), input, net.context))
  net.call(planTerminateInstances)
  t.is(net.view().list('networkInterface').length, 2, 'both stay until the instance is gone')
  net.reach('terminated')
  t.deepEqual(net.view().list('networkInterface').map(({ id, attachment }) => [id, attachment]),
    [[kept, null]])
})

test('a stopped instance keeps its ENI and address, needs no slot, and may come back elsewhere',
  (t) => {
  const net = new TestInstance()
  net.reach('running')
  const [before] = net.view().list('networkInterface')
  net.call(planStopInstances)
  net.reach('stopped')
  net.launch({ minCount: SLOTS_PER_HOST, maxCount: SLOTS_PER_HOST, hostName: 'host-1' })
  net.call(planStartInstances)
  t.is(net.instance.hostName, 'host-2')
  t.deepEqual(net.view().get('networkInterface', before?.id ?? ''), before)
})

test('starting needs a slot, and a call for several is all or none', (t) => {
  const net = new TestInstance()
  net.reach('running')
  net.call(planStopInstances)
  net.reach('stopped')
  net.launch({ minCount: 4, maxCount: 4 })
  t.is(net.call(planStartInstances), 'InsufficientInstanceCapacity')
  const instanceIds = [net.instanceId, 'i-0aaaaaaaaaaaaaaaa']
  t.is(net.refusal(() => net.run(planTerminateInstances(net.view(), { instanceIds }, net.context))),
    'InvalidInstanceID.NotFound')
  t.is(net.instance.state, 'stopped')
})

test('a stopped instance is terminated at once: no agent has it', (t) => {
  const net = new TestInstance()
  net.reach('running')
  net.call(planStopInstances)
  net.reach('stopped')
  net.call(planTerminateInstances)
  t.is(net.instance.state, 'terminated')
  t.deepEqual(net.view().list('networkInterface'), [])
})

test('a failed launch is terminated with its reason, a failed start goes back to stopped', (t) => {
  const fail = (net: TestInstance): void => {
    net.run(planInstanceFailed(net.snapshot, net.instance.hostName ?? '', net.instanceId,
      'no namespace', net.context))
  }
  const fresh = new TestInstance()
  fail(fresh)
  t.like(fresh.instance, { state: 'terminated', stateReason: 'Server.InternalError: no namespace' })
  t.deepEqual(fresh.view().list('networkInterface'), [])
  const old = new TestInstance()
  old.reach('running')
  old.call(planStopInstances)
  old.reach('stopped')
  old.call(planStartInstances)
  fail(old)
  t.like(old.instance, { state: 'stopped', goal: 'stopped', hostName: null })
})

test('protection refuses termination and stop until it is lifted', (t) => {
  const net = new TestInstance()
  net.reach('running')
  const protect = (disableApiTermination: boolean | undefined,
    disableApiStop: boolean | undefined): void => {
    net.run(planModifyInstanceAttribute(net.view(),
      { ...NO_CHANGE, instanceId: net.instanceId, disableApiTermination, disableApiStop }))
  }
  protect(true, undefined)
  protect(undefined, true)
  t.is(net.call(planTerminateInstances), 'OperationNotPermitted')
  t.is(net.call(planStopInstances), 'OperationNotPermitted')
  protect(false, undefined)
  t.is(net.call(planTerminateInstances), '')
})

const NO_CHANGE: ModifyInstanceInput = {
  instanceId: '', instanceType: undefined, userData: undefined, disableApiTermination: undefined,
  disableApiStop: undefined,
  instanceInitiatedShutdownBehavior: undefined, sourceDestCheck: undefined, groupIds: undefined
}

test('ModifyInstanceAttribute: one attribute, type and user data only while stopped', (t) => {
  const net = new TestInstance()
  net.reach('running')
  const modify = (changes: Partial<ModifyInstanceInput>): string => net.refusal(() =>
    net.run(planModifyInstanceAttribute(net.view(),
      { ...NO_CHANGE, instanceId: net.instanceId, ...changes })))
  t.is(modify({}), 'MissingParameter')
  t.is(modify({ disableApiStop: true, disableApiTermination: true }), 'InvalidParameterCombination')
  t.is(modify({ instanceType: 't3.nano' }), 'IncorrectInstanceState')
  t.is(modify({ sourceDestCheck: false }), '')
  t.false(net.view().list('networkInterface')[0]?.sourceDestCheck)
  const input = { networkInterfaceId: net.createInterface(), instanceId: net.instanceId,
    deviceIndex: 1 }
  net.run(planAttachNetworkInterface(net.view(), input, net.context))
  t.is(modify({ sourceDestCheck: true }), 'InvalidInstanceID', 'several interfaces: which one?')
  net.call(planStopInstances)
  net.reach('stopped')
  t.is(modify({ instanceType: 't3.none' }), 'InvalidParameterValue')
  t.is(modify({ instanceType: 't3.nano' }), '')
  t.is(net.instance.instanceType, 't3.nano')
})

test('a terminated instance is described for an hour', (t) => {
  const net = new TestInstance()
  net.call(planTerminateInstances)
  net.reach('terminated')
  net.nowMs += TERMINATED_LINGER_MS - 1
  t.is(net.run(planReapTerminated(net.snapshot, net.context)), 0)
  net.nowMs += 1
  t.is(net.run(planReapTerminated(net.snapshot, net.context)), 1)
  t.is(net.view().get('instance', net.instanceId), undefined)
})

test('another account cannot touch the instance', (t) => {
  const net = new TestInstance()
  const stranger = net.view('222222222222')
  t.is(net.refusal(() => planTerminateInstances(stranger, { instanceIds: [net.instanceId] },
    net.context)), 'InvalidInstanceID.NotFound')
})

const GUEST: NamespaceGuest = {
  kind: 'namespace', path: '/proc/4711/ns/net', inode: 4_026_532_000, label: 'container web',
  devicePrefix: 'eth', defaultRoute: true
}

test('an attached guest is an instance that is not rebooted and ends when it goes away', (t) => {
  const net = new TestNetwork()
  const [id = ''] = net.launch({ imageId: '', guest: GUEST })
  t.like(net.view().get('instance', id), { guest: GUEST, imageId: 'ami-00000000000000002' })
  net.run(planInstanceReached(net.snapshot, 'host-1', id, 'running', { nowMs: 1 }))
  t.is(net.refusal(() => planRebootInstances(net.view(), { instanceIds: [id] })),
    'UnsupportedOperation')
  const elsewhere = planGuestEnded(net.snapshot, 'host-2', id, { nowMs: 2 })
  t.deepEqual(elsewhere.changes, [], 'another host has no say')
  t.is(net.run(planGuestEnded(net.snapshot, 'host-1', id, { nowMs: 2 })), 'terminated')
  t.like(net.view().get('instance', id), { state: 'terminated', hostName: null })
  t.regex(net.view().get('instance', id)?.stateReason ?? '',
    /^Client\.InstanceInitiatedShutdown: The attached container web ended/)
  t.is(net.view().list('networkInterface').length, 0)
})

test('an instance that was launched does not end like a guest', (t) => {
  const net = new TestNetwork()
  const [id = ''] = net.launch()
  t.deepEqual(planGuestEnded(net.snapshot, 'host-1', id, { nowMs: 2 }),
    { changes: [], result: 'pending' })
  t.is(planGuestEnded(net.snapshot, 'host-1', 'i-none', { nowMs: 2 }).result, null)
})
