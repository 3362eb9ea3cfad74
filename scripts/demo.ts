/**
 * The demo: two hosts, two VPCs with the same addresses, real packets.
 *
 *     VPC shop 10.0.0.0/16 + IPv6             VPC twin 10.0.0.0/16, the same addresses
 *       web     10.0.1.10  on host-1            twin-web     10.0.1.10  on host-1
 *       client  10.0.2.10  on host-2            twin-client  10.0.2.10  on host-2
 *
 *       host-1 ════════════ underlay: Geneve over UDP 6081 ════════════ host-2
 *
 * Every claim that it prints is checked; the first that does not hold ends it with exit code 1. It
 * uses what anybody can use: the stock `aws` CLI, `vpcctl`, ping, curl, iperf3, tcpdump, tshark.
 * The lab is called `demo` and is removed at the end, after a failure, and on Ctrl-C.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { lastWords } from '../ctl/daemon_process.ts'
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE } from '../ctl/exit_codes.ts'
import type { LabStatusAnswer } from '../daemon/api/admin/contract.ts'
import { logPath, runDirectory, stateDirectory } from '../daemon/host/paths.ts'
import { Stage, expect } from './demo_stage.ts'

const LAB = 'demo'
const ROOT = fileURLToPath(new URL('..', import.meta.url))
const API_PORT_PREFERRED = 4580

const WEB_ADDRESS = '10.0.1.10'
const CLIENT_ADDRESS = '10.0.2.10'
/** In the subnet of `web`, and nobody has it. */
const NOBODY_ADDRESS = '10.0.1.99'
const IPERF_SECONDS = 3
/** Lines of the capture to print. */
const FRAMES_SHOWN = 8
/** Characters of a frame's contents to print. */
const FRAME_INFO_CHARACTERS = 48

const PICTURE = `
  VPC shop  10.0.0.0/16, IPv6          VPC twin  10.0.0.0/16 as well
    web     10.0.1.10   (host-1)         twin-web     10.0.1.10   (host-1)
    client  10.0.2.10   (host-2)         twin-client  10.0.2.10   (host-2)

    host-1 ════════ underlay network: Geneve over UDP 6081 ════════ host-2
`

/** User data: a web server that says who answers and who asked, over IPv4 and IPv6. */
function webServer (greeting: string): string {
  return `#!/bin/sh
exec ${ROOT}scripts/node -e '
  require("node:http").createServer((request, response) => {
    const client = request.socket.remoteAddress.replace("::ffff:", "")
    response.end("${greeting}; you are " + client + "\\n")
  }).listen(80, "::")'
`
}

async function play (stage: Stage, directory: string): Promise<void> {
  await makeLab(stage)
  const webIpv6 = await makeShop(stage, directory)
  await usePackets(stage, webIpv6)
  await makeTwin(stage, directory)
  await showWire(stage, directory, webIpv6)
  await showDrops(stage)
}

async function makeLab (stage: Stage): Promise<void> {
  stage.title('A lab: two physical hosts, each a network namespace, joined by an underlay network')
  await stage.run(['vpcctl', 'lab', 'up', '--hosts', '2', '--edges', '0',
    '--api-port', String(await freePort())])
  stage.say('The EC2 API listens. "vpcctl env" points any AWS tool at it:')
  await stage.run(['vpcctl', 'env'],
    { show: (text) => text.replace(/(SECRET_ACCESS_KEY=).*/, '$1…') })
  stage.use(await stage.json(['vpcctl', 'env', '--json']) as Record<string, string>)
}

/** @returns the IPv6 address of `web` */
async function makeShop (stage: Stage, directory: string): Promise<string> {
  const { hosts } = await stage.json(['vpcctl', 'lab', 'status', '--json']) as LabStatusAnswer
  const [zone1 = '', zone2 = ''] = hosts.map(({ zoneId }) => zoneId)

  stage.title('A VPC with IPv4 and IPv6, through the EC2 API: the stock aws CLI, then vpcctl')
  await aws(stage, 'create-vpc', '--cidr-block', '10.0.0.0/16', '--amazon-provided-ipv6-cidr-block',
    '--tag-specifications', nameTag('vpc', 'shop'), '--query', 'Vpc.VpcId')
  await stage.run(['vpcctl', 'subnet', 'create', 'shop', '10.0.1.0/24',
    '--zone', zone1, '--ipv6', '--name', 'front'])
  await stage.run(['vpcctl', 'subnet', 'create', 'shop', '10.0.2.0/24',
    '--zone', zone2, '--ipv6', '--name', 'back'])

  stage.title('Instances: a web server by user data on one host, a client on the other')
  const userData = join(directory, 'web.sh')
  writeFileSync(userData, webServer('Hello from web in VPC shop'))
  const subnet = await stage.run(['vpcctl', 'subnet', 'show', 'front', '--quiet'], { hidden: true })
  await aws(stage, 'run-instances', '--image-id', 'ami-00000000000000001', '--instance-type',
    't3.micro', '--subnet-id', subnet.trim(), '--private-ip-address', WEB_ADDRESS,
    '--ipv6-address-count', '1', '--user-data', `file://${userData}`,
    '--tag-specifications', nameTag('instance', 'web'), '--query', 'Instances[0].InstanceId')
  await stage.run(['vpcctl', 'instance', 'run', 'back', '--name', 'client',
    '--private-ip', CLIENT_ADDRESS, '--ipv6-count', '1'])
  await stage.run(['vpcctl', 'wait', 'instance', 'web'])
  await waitForWeb(stage, 'web')
  const web = await stage.json(['vpcctl', 'instance', 'show', 'web', '--json']) as {
    NetworkInterfaces: { Ipv6Addresses: { Ipv6Address: string }[] }[]
  }
  return web.NetworkInterfaces[0]?.Ipv6Addresses[0]?.Ipv6Address ?? ''
}

async function usePackets (stage: Stage, webIpv6: string): Promise<void> {
  stage.title('Real packets between the hosts: ping, ping -6, curl, iperf3')
  await ping(stage, 'client', WEB_ADDRESS)
  await ping(stage, 'client', webIpv6)
  const page = await curl(stage, 'client', WEB_ADDRESS)
  expect(page.includes('from web in VPC shop') && page.includes(CLIENT_ADDRESS),
    `the web server of the VPC shop answered "${page.trim()}"`)
  await curl(stage, 'client', `[${webIpv6}]`)

  const server = await stage.background(
    inside('web', 'iperf3', '-s', '-1', '--forceflush'), /Server listening/)
  const report = await stage.run(
    inside('client', 'iperf3', '-c', WEB_ADDRESS, '-t', String(IPERF_SECONDS)),
    { show: (text) => text.split('\n').filter((line) => /sender|receiver/.test(line)).join('\n') })
  await server.stop()
  expect(/[1-9].*receiver/.test(report), 'iperf3 moved nothing')
}

async function makeTwin (stage: Stage, directory: string): Promise<void> {
  const { hosts } = await stage.json(['vpcctl', 'lab', 'status', '--json']) as LabStatusAnswer
  const [zone1 = '', zone2 = ''] = hosts.map(({ zoneId }) => zoneId)
  const userData = join(directory, 'twin.sh')
  writeFileSync(userData, webServer('Hello from twin-web in VPC twin'))

  stage.title('A second VPC with the same addresses, on the same hosts')
  await stage.run(['vpcctl', 'vpc', 'create', '10.0.0.0/16', '--name', 'twin'])
  await stage.run(['vpcctl', 'subnet', 'create', 'twin', '10.0.1.0/24',
    '--zone', zone1, '--name', 'twin-front'])
  await stage.run(['vpcctl', 'subnet', 'create', 'twin', '10.0.2.0/24',
    '--zone', zone2, '--name', 'twin-back'])
  await stage.run(['vpcctl', 'instance', 'run', 'twin-front', '--name', 'twin-web',
    '--private-ip', WEB_ADDRESS, '--user-data', `@${userData}`])
  await stage.run(['vpcctl', 'instance', 'run', 'twin-back', '--name', 'twin-client',
    '--private-ip', CLIENT_ADDRESS])
  await waitForWeb(stage, 'twin-web')
  stage.say(`Both clients ask ${WEB_ADDRESS}, and each gets the answer of its own VPC:`)
  const shopPage = await curl(stage, 'client', WEB_ADDRESS)
  const twinPage = await curl(stage, 'twin-client', WEB_ADDRESS)
  expect(shopPage.includes('VPC shop') && twinPage.includes('VPC twin'),
    'a packet crossed from one VPC into the other')
}

async function showWire (stage: Stage, directory: string, webIpv6: string): Promise<void> {
  stage.title('The wire between the hosts, captured by tcpdump and decoded by tshark')
  const status = await stage.json(['vpcctl', 'lab', 'status', '--json']) as LabStatusAnswer
  const file = join(directory, 'underlay.pcap')
  const capture = await stage.background(
    ['ip', 'netns', 'exec', status.hosts[0]?.namespace ?? '', 'tcpdump', '-i', 'any', '-Z', 'root',
      '--immediate-mode', '-w', file, 'udp port 6081'], /listening on/)
  stage.say('Seeing the capture, the hosts send one datagram per packet instead of large runs.')
  await stage.until('every host sends per packet', async () => {
    const { hosts } = await stage.json(['vpcctl', 'lab', 'status', '--json']) as LabStatusAnswer
    return hosts.every(({ wireMode }) => wireMode === 'per-packet')
  })
  await ping(stage, 'client', WEB_ADDRESS, 1)
  await ping(stage, 'client', webIpv6, 1)
  await ping(stage, 'twin-client', WEB_ADDRESS, 1)
  await curl(stage, 'client', WEB_ADDRESS)
  await capture.stop()

  const fields = ['ip.src', 'ip.dst', 'geneve.vni', 'ipv6.src', 'ipv6.dst', '_ws.col.Protocol',
    '_ws.col.Info']
  const decoded = await stage.run(['tshark', '-r', file, '-Y', 'geneve', '-T', 'fields',
    ...fields.flatMap((field) => ['-e', field])], { show: formatFrames })
  const vnis = new Set(decoded.trim().split('\n').map((line) => line.split('\t')[2]))
  expect(vnis.size === 2, `the capture holds VNIs ${[...vnis].join(', ')}, not one of each VPC`)
  const malformed = await stage.run(
    ['tshark', '-r', file, '-Y', '_ws.malformed || !geneve', '-T', 'fields', '-e', 'frame.number'],
    { hidden: true })
  expect(malformed.trim() === '', `tshark calls frames malformed: ${malformed}`)
  stage.say('(Laid out for reading: outer addresses, VNI, inner addresses, contents.)')
  stage.say('Outer addresses are the hosts; the VNI tells the VPCs apart; no frame is malformed.')
}

async function showDrops (stage: Stage): Promise<void> {
  stage.title('What happened to a packet: flows and drops')
  await stage.run(['vpcctl', 'flows', '--limit', '6'])
  stage.say(`Nobody has ${NOBODY_ADDRESS}, so this ping gets no answer, and the drop says why:`)
  await stage.run(inside('client', 'ping', '-c', '2', '-i', '0.2', '-W', '1', NOBODY_ADDRESS),
    { codes: [1], show: statistics })
  const drops = await stage.run(['vpcctl', 'drops'])
  expect(drops.includes('no-mapping'), 'the drop was not counted as "no-mapping"')
}

async function ping (stage: Stage, from: string, address: string, count = 3): Promise<void> {
  const report = await stage.run(
    inside(from, 'ping', '-c', String(count), '-i', '0.2', '-W', '2', address),
    { show: statistics })
  expect(report.includes(' 0% packet loss'), `ping from ${from} to ${address} lost packets`)
}

/** @returns the page */
async function curl (stage: Stage, from: string, host: string): Promise<string> {
  return await stage.run(inside(from, 'curl', '-sS', '-m', '5', `http://${host}/`))
}

/** User data runs when the instance does; its server listens a moment later. */
async function waitForWeb (stage: Stage, instance: string): Promise<void> {
  await stage.run(inside(instance, 'curl', '-sS', '--retry', '20', '--retry-delay', '1',
    '--retry-connrefused', 'http://localhost/'), { hidden: true })
}

function inside (instance: string, ...command: string[]): string[] {
  return ['vpcctl', 'instance', 'exec', instance, '--', ...command]
}

/** The stock CLI. (Older releases do not know AWS_ENDPOINT_URL.) */
async function aws (stage: Stage, ...words: string[]): Promise<string> {
  const variables = await stage.json(['vpcctl', 'env', '--json']) as Record<string, string>
  const url = variables['AWS_ENDPOINT_URL'] ?? ''
  return await stage.run(['aws', '--endpoint-url', url, 'ec2', ...words, '--output', 'text'])
}

function nameTag (resourceType: string, name: string): string {
  return `ResourceType=${resourceType},Tags=[{Key=Name,Value=${name}}]`
}

/** The lines of ping that say how it went. */
function statistics (text: string): string {
  return text.split('\n').filter((line) => /bytes from|packet loss|^rtt/.test(line)).join('\n')
}

/** `outer > outer  VNI  inner > inner  protocol info`, the first frames. */
function formatFrames (text: string): string {
  const lines = text.trim().split('\n')
  const frames = lines.slice(0, FRAMES_SHOWN).map((line) => {
    const [
      sources = '', destinations = '', vni = '', source6 = '', destination6 = '', protocol = '',
      info = ''
    ] = line.split('\t')
    const [outerSource, innerSource] = sources.split(',')
    const [outerDestination, innerDestination] = destinations.split(',')
    return `${outerSource ?? ''} > ${outerDestination ?? ''}  VNI ${String(Number(vni))}  ` +
      `${innerSource ?? source6} > ${innerDestination ?? destination6}  ` +
      `${protocol} ${info.slice(0, FRAME_INFO_CHARACTERS)}`
  })
  return [...frames, `... ${String(lines.length)} frames in all`].join('\n')
}

/** The preferred port, or any free one. */
async function freePort (): Promise<number> {
  for (const port of [API_PORT_PREFERRED, 0]) {
    const found = await new Promise<number | null>((resolve) => {
      const server = createServer()
      server.once('error', () => { resolve(null) })
      server.listen(port, '127.0.0.1', () => {
        const address = server.address()
        server.close(() => { resolve(typeof address === 'object' ? address?.port ?? null : null) })
      })
    })
    if (found !== null) return found
  }
  throw new Error('no TCP port is free on 127.0.0.1')
}

/**
 * Removes the lab, and looks whether it is gone.
 * @returns what is left, or what went wrong; empty when nothing is
 */
function removeLab (environment: NodeJS.ProcessEnv): string {
  const down = spawnSync('vpcctl', ['lab', 'down'], { env: environment, encoding: 'utf8' })
  const { stdout: namespaces } = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' })
  return [
    down.status === 0 ? '' : down.stderr,
    ...namespaces.split('\n').filter((line) => line.startsWith(`${LAB}-`)),
    ...[stateDirectory(LAB), runDirectory(LAB)].filter((path) => existsSync(path))
  ].filter((line) => line !== '').join('\n')
}

/** The end of the daemon's log, for whoever must find out why a step failed. */
function daemonLog (): string {
  return existsSync(logPath(LAB)) ? lastWords(readFileSync(logPath(LAB), 'utf8')) : '  (none)'
}

function makeEnvironment (): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PATH: `${ROOT}bin:${process.env['PATH'] ?? ''}`,
    VPCLAB_LAB: LAB,
    // Nobody's own AWS configuration has a say here.
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_PAGER: ''
  }
}

/** Plays, and removes the lab unless it is to be kept. @returns the exit code */
async function main (keep: boolean): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-demo-'))
  const environment = makeEnvironment()
  const stage = new Stage(environment)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => { stage.close() })
  }
  let exitCode = 0
  const startMs = performance.now()
  try {
    removeLab(environment) // What an earlier demo may have left.
    process.stdout.write(PICTURE)
    await play(stage, directory)
    const seconds = ((performance.now() - startMs) / 1000).toFixed(0)
    process.stdout.write(`\nThe demo ran in ${seconds} s; every step did what it says.\n`)
  } catch (error) {
    exitCode = stage.isClosed ? EXIT_INTERRUPTED : EXIT_FAILED
    process.stderr.write(stage.isClosed
      ? '\nInterrupted.\n'
      : `\nFAILED: ${(error as Error).message}\nThe daemon's log ends:\n${daemonLog()}\n`)
  }
  await stage.endAll()
  rmSync(directory, { recursive: true, force: true })
  const left = keep ? '' : removeLab(environment)
  if (left !== '') {
    process.stderr.write(`The lab could not be removed. Left:\n${left}\n`)
    return EXIT_FAILED
  }
  process.stdout.write(keep
    ? `The lab stays up: "vpcctl --lab ${LAB} instance list" shows what runs, ` +
      `"vpcctl --lab ${LAB} lab down" removes it.\n`
    : 'The lab is gone: no namespace, device, process or file is left.\n')
  return exitCode
}

const words = process.argv.slice(2)
if (words.some((word) => word !== '--keep')) {
  process.stderr.write('usage: scripts/demo [--keep]\n')
  process.exitCode = EXIT_USAGE
} else {
  process.exitCode = await main(words.includes('--keep'))
}
