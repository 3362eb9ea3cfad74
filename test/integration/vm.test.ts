/**
 * Virtual machines: qemu beside two TAPs, a small Linux inside.
 *
 *     VPC 10.0.0.0/16, IPv6                    host-1   vm  10.0.1.10   qemu
 *       subnet 10.0.1.0/24                     host-2   a   10.0.1.20   namespace
 *
 * Needs qemu and the image of scripts/vm_image: `scripts/setup --vm` brings both.
 */
import {
  AttachNetworkInterfaceCommand, CreateNetworkInterfaceCommand, DescribeInstancesCommand,
  DetachNetworkInterfaceCommand, GetConsoleOutputCommand, RebootInstancesCommand,
  RegisterImageCommand, StartInstancesCommand, StopInstancesCommand, TerminateInstancesCommand
} from '@aws-sdk/client-ec2'
import test from 'ava'
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { vmControlPath } from '../../daemon/host/paths.ts'
import { Qmp } from '../../daemon/host/qmp.ts'
import { findQemu } from '../../daemon/host/vm_process.ts'
import { eventually } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab, TestSubnet } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const IMAGE = '/var/lib/vpclab-images/vm'
const isReady = existsSync(IMAGE) && findQemu() !== null
const vmTest = isReady ? test.serial : test.serial.skip

/** A guest boots within seconds; where nothing helps (TCG on a busy machine), within minutes. */
const BOOT_MS_MAX = 180_000

const USER_DATA = `#!/bin/sh
echo "mtu $(cat /sys/class/net/eth0/mtu)"
ping -c 3 10.0.1.20 > /dev/null && echo 'ping answered'
ttl='X-aws-ec2-metadata-token-ttl-seconds: 60'
token=$(printf 'PUT /latest/api/token HTTP/1.0\\r\\n%s\\r\\n\\r\\n' "$ttl" |
  timeout 5 nc 169.254.169.254 80 | tail -n 1)
echo "metadata says $(wget -q -O - --header "X-aws-ec2-metadata-token: $token" \\
  http://169.254.169.254/latest/meta-data/instance-id)"
`

interface World { readonly subnet: TestSubnet, readonly imageId: string, readonly a: Instance }

async function build (lab: Lab): Promise<World> {
  const vpc = await lab.vpc('10.0.0.0/16', { ipv6: true })
  const subnet = await lab.subnet(vpc, '10.0.1.0/24', { ipv6Index: 1 })
  const a = await lab.instance(subnet, { host: 'host-2', address: '10.0.1.20', ipv6: true })
  const { ImageId = '' } = await lab.ec2.send(
    new RegisterImageCommand({ Name: 'small-linux', ImageLocation: IMAGE }))
  return { subnet, imageId: ImageId, a }
}

async function consoleOf (lab: Lab, { id }: Instance): Promise<string> {
  const { Output = '' } =
    await lab.ec2.send(new GetConsoleOutputCommand({ InstanceId: id }))
  return Buffer.from(Output, 'base64').toString('utf8')
}

/** Waits until the console says something, `times` times. */
async function consoleSays (lab: Lab, vm: Instance, text: string, times = 1): Promise<string> {
  return await eventually(`"${text}" on the console of ${vm.id}`, async () => {
    const output = await consoleOf(lab, vm)
    return output.split(text).length > times && output
  }, BOOT_MS_MAX)
}

/** Whether the machine has KVM, and lets us use it. */
function hasKvm (): boolean {
  try {
    closeSync(openSync('/dev/kvm', 'r+'))
    return true
  } catch {
    return false
  }
}

function qemuPids ({ id }: Instance): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`guest=${id}`)
    } catch {
      return false
    }
  })
}

async function answers (from: Instance, address: string): Promise<void> {
  await eventually(`an answer of ${address}`, async () =>
    (await from.ping(address, 1)).received === 1, BOOT_MS_MAX)
}

vmTest('a virtual machine boots, has its lease, talks and outlives the daemon', withLab({},
  async (t, lab) => {
    const { subnet, imageId, a } = await build(lab)
    const vm = await lab.instance(subnet, {
      host: 'host-1', address: '10.0.1.10', ipv6: true, imageId, userData: USER_DATA
    })
    const output = await consoleSays(lab, vm, 'user data: ended with code 0')
    t.regex(output, /lease of 10\.0\.1\.10 obtained from 10\.0\.1\.1/)
    t.regex(output, /^mtu 9001\r?$/m)
    t.regex(output, /^ping answered\r?$/m)
    t.regex(output, new RegExp(`^metadata says ${vm.id}\\r?$`, 'm'))
    t.regex(output, new RegExp(`metadata: eth0 has ${vm.ipv6}`))
    t.is((await a.ping(vm.ipv4)).received, 5)
    t.is((await a.ping(vm.ipv4, 2, '-M', 'do', '-s', '8973')).received, 2)
    await answers(a, vm.ipv6)

    t.deepEqual(await Qmp.with(vmControlPath(lab.name, vm.id), (qmp) => qmp.execute('query-kvm')),
      { enabled: hasKvm(), present: true }, 'KVM where the machine has it')

    const pids = qemuPids(vm)
    t.is(pids.length, 1)
    await lab.kill()
    await lab.restart()
    await lab.waitApplied()
    await answers(a, vm.ipv4)
    t.deepEqual(qemuPids(vm), pids)

    const { NetworkInterface } = await lab.ec2.send(new CreateNetworkInterfaceCommand({
      SubnetId: subnet.id, PrivateIpAddress: '10.0.1.11'
    }))
    const { AttachmentId } = await lab.ec2.send(new AttachNetworkInterfaceCommand({
      NetworkInterfaceId: NetworkInterface?.NetworkInterfaceId ?? '', InstanceId: vm.id,
      DeviceIndex: 1
    }))
    await consoleSays(lab, vm, 'lease: eth1 has 10.0.1.11/24')
    await answers(a, '10.0.1.11')
    await lab.ec2.send(new DetachNetworkInterfaceCommand({ AttachmentId: AttachmentId ?? '' }))
    await lab.waitApplied()
    t.deepEqual(qemuPids(vm), pids)

    await lab.ec2.send(new TerminateInstancesCommand({ InstanceIds: [vm.id] }))
    await lab.waitInstances([vm.id], 'terminated')
    t.deepEqual(qemuPids(vm), [])
    t.false(existsSync(`/run/netns/${vm.namespace}`))
    t.regex(await consoleOf(lab, vm), /power button: powering off/)
  }))

vmTest('a virtual machine is rebooted, stopped, started, and stops by itself', withLab({},
  async (t, lab) => {
    const { subnet, imageId, a } = await build(lab)
    const vm = await lab.instance(subnet, { host: 'host-1', address: '10.0.1.10', imageId })
    await consoleSays(lab, vm, 'is up after')
    const pids = qemuPids(vm)
    await lab.ec2.send(new RebootInstancesCommand({ InstanceIds: [vm.id] }))
    await consoleSays(lab, vm, 'is up after', 2)
    t.deepEqual(qemuPids(vm), pids)
    await lab.ec2.send(new StopInstancesCommand({ InstanceIds: [vm.id] }))
    await lab.waitInstances([vm.id], 'stopped')
    t.deepEqual(qemuPids(vm), [])
    await lab.ec2.send(new StartInstancesCommand({ InstanceIds: [vm.id] }))
    await lab.waitInstances([vm.id], 'running')
    await consoleSays(lab, vm, 'is up after', 3)
    await answers(a, vm.ipv4)

    const brief = await lab.instance(subnet, {
      host: 'host-2', imageId, userData: '#!/bin/sh\npoweroff -f\n'
    })
    await lab.waitInstances([brief.id], 'stopped')
    const { Reservations = [] } =
      await lab.ec2.send(new DescribeInstancesCommand({ InstanceIds: [brief.id] }))
    t.is(Reservations[0]?.Instances?.[0]?.StateReason?.Code, 'Client.InstanceInitiatedShutdown')
  }))
