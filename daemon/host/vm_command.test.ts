import test from 'ava'
import { desiredInterface } from './testing/desired_interface.ts'
import { qemuArguments } from './vm_command.ts'

const CARD = { deviceIndex: 0, macAddress: '02:00:00:00:00:05' }

const words = qemuArguments({
  lab: 'default', instanceId: 'i-00000000000000001',
  guest: { kind: 'vm', directory: '/var/lib/images/small' },
  interfaces: [desiredInterface(0, ['10.0.1.5'])], cardsMax: 2
}, [CARD])

/** What follows an option, each time that it stands there. */
const valuesOf = (option: string): string[] =>
  words.filter((_word, index) => words[index - 1] === option)

test('KVM comes first, the emulation where there is none', (t) => {
  t.deepEqual(valuesOf('-accel'), ['kvm', 'tcg'])
})

test('the guest has a card per ENI, and devices are opened for those that may come', (t) => {
  t.deepEqual(valuesOf('-netdev').map((text) => /ifname=(\w+)/.exec(text)?.[1]), ['vm0', 'vm1'])
  t.deepEqual(valuesOf('-device').filter((text) => text.startsWith('virtio-net-pci')),
    ['virtio-net-pci,id=eth0,netdev=net0,mac=02:00:00:00:00:05,romfile='])
})

test('qemu gives up its rights once its devices are open', (t) => {
  t.deepEqual(valuesOf('-runas'), ['nobody'])
  t.deepEqual(valuesOf('-sandbox'), ['on,obsolete=deny,spawn=deny'])
})
