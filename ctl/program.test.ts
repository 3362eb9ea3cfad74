/** The command tree as a person meets it: help, exit codes, global options. No daemon runs. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import test from 'ava'
import { VPCLAB_ERRORS } from '../daemon/base/errors.ts'
import { type Command, Input, isEc2Action, parseTag } from './command.ts'
import { shellExports } from './commands/env.ts'
import { commandWords, shellEnvironment } from './commands/instance_inside.ts'
import { NOUNS } from './commands/registry.ts'
import { portInput } from './commands/security_group.ts'
import { lastWords } from './daemon_process.ts'
import { CTL_ERRORS } from './exit_codes.ts'
import { formatBytes } from './print/units.ts'
import { type Ended, runHere } from './test_program.ts'

/** A lab that no machine has. */
const ENVIRONMENT = { VPCLAB_LAB: 'nosuchlab' }

function run (...words: string[]): Promise<Ended> {
  return runHere(words, {
    environment: ENVIRONMENT, clock: { nowMs: () => 0, monotonicMs: () => 0 }
  })
}

async function allCommands (): Promise<{ path: string[], command: Command }[]> {
  const lists = await Promise.all(NOUNS.map(async (noun) => {
    const loaded = await noun.load()
    return Array.isArray(loaded)
      ? (loaded as Command[]).map((command) => ({ path: [noun.name, command.name], command }))
      : [{ path: [noun.name], command: loaded as Command }]
  }))
  return lists.flat()
}

test('every command has its action and its own examples in the help', async (t) => {
  for (const { path, command } of await allCommands()) {
    const { code, stdout } = await run(...path, '--help')
    const name = path.join(' ')
    t.is(code, 0, name)
    t.true(stdout.includes(`\nAction: ${command.action}\n`), name)
    t.true(command.examples.length > 0, name)
    for (const example of command.examples) {
      t.true(stdout.includes(`  $ ${example}\n`), name)
      t.true(example.includes(` ${name}`), `${name}: the example "${example}" shows the command`)
    }
    t.notRegex(command.summary, /\.$/, name)
  }
})

test('the help of every noun is complete', async (t) => {
  const { code, stdout } = await run('--help')
  t.is(code, 0)
  for (const noun of NOUNS) t.true(stdout.includes(`\n  ${noun.name} `), noun.name)
  const instance = await run('help', 'instance')
  t.is(instance.code, 0)
  t.regex(instance.stdout, /^ {2}terminate /m)
})

test('vpcctl ends with 2 when it is used wrongly', async (t) => {
  for (const words of [
    [], ['nosuchnoun'], ['vpc', 'nosuchverb'], ['vpc', 'create'], ['vpc', 'list', '--nosuchflag'],
    ['--lab', 'Not-a-lab', 'vpc', 'list'], ['vpc', 'set', 'a'],
    ['vpc', 'set', 'a', '--dns-support', 'yes'],
    ['instance', 'run', 'a', '--eni', 'b'], ['instance', 'run', 'a', '--count', '0'],
    ['flows', '--limit', 'many'],
    ['wait', 'instance', 'a', '--state', 'happy'], ['vpc', 'associate-cidr', 'a'],
    ['mapping', 'get', 'net', 'garbage'],
    ['vpc', 'list', 'much'], ['env', 'much'], ['instance', 'exec', 'a'],
    ['instance', 'exec', '--nosuchflag', 'a', 'ls']
  ]) {
    const { code, stderr } = await run(...words)
    t.is(code, 2, words.join(' '))
    t.not(stderr, '', words.join(' '))
  }
})

test('vpcctl names the option and its command when a value is wrong', async (t) => {
  const { stderr } = await run('flows', '--limit', 'many')
  t.is(stderr, 'vpcctl: Usage: --limit is an integer from 1 to 100000, not "many". ' +
    'See: vpcctl flows --help\n')
})

test('what is not one EC2 action refuses --dry-run and does nothing', async (t) => {
  const refusing: string[] = []
  for (const { path, command } of await allCommands()) {
    const words = (command.arguments ?? [])
      .flatMap(({ syntax, values }) => syntax.startsWith('<') ? [values?.[0] ?? 'a'] : [])
    const options = (command.options ?? []).flatMap(({ flags, required, values }) =>
      required === true ? [flags.split(' ')[0] ?? '', values?.[0] ?? 'a'] : [])
    const name = path.join(' ')
    const { code, stdout, stderr } = await run('--dry-run', ...path, ...options, ...words)
    t.is(stdout, '', name)
    if (isEc2Action(command.action) || command.plansDryRun === true) {
      t.notRegex(stderr, /has no --dry-run/, name)
    } else {
      refusing.push(name)
      t.is(code, 2, name)
      t.is(stderr, `vpcctl: Usage: "vpcctl ${name}" has no --dry-run, because it is not one EC2 ` +
        `action (it is: ${command.action}). Nothing was done\n`)
    }
  }
  for (const name of ['lab up', 'lab down', 'lab reset', 'eni assign-address', 'instance exec']) {
    t.true(refusing.includes(name), name)
  }
})

test('isEc2Action knows actions from routes and from what happens on the machine', (t) => {
  for (const action of ['CreateVpc', 'AssociateRouteTable, or ReplaceRouteTableAssociation when']) {
    t.true(isEc2Action(action), action)
  }
  for (const action of ['GET /status (admin API)', 'vpcd on this machine', 'CreateA, CreateB']) {
    t.false(isEc2Action(action), action)
  }
})

test('a name behind "lab up" is answered with --lab', async (t) => {
  const { code, stderr } = await run('lab', 'up', 'fresh')
  t.is(code, 2)
  t.is(stderr, 'vpcctl: Usage: "fresh" is one argument too many: ' +
    'the lab of this name is "vpcctl --lab fresh lab up"\n')
})

test('options behind the command of "instance exec" are the command\'s own', async (t) => {
  for (const words of [
    ['instance', 'exec', 'i-1', 'ls', '-d', '/tmp', '--json', '--lab'],
    ['instance', 'exec', 'i-1', '--', 'ls', '-d', '--json'],
    ['--lab', 'other', 'instance', 'exec', 'i-1', '-q', 'ls', '--help']
  ]) {
    const { code, stdout, stderr } = await run(...words)
    t.is(code, 4, words.join(' '))
    t.is(stdout, '')
    t.regex(stderr, /^vpcctl: VPCLAB_ERR_LAB_DOWN: /, 'not JSON')
  }
  t.regex((await run('instance', 'exec', 'i-1', '--json', 'ls', '-d')).stderr, /^\{"error":/)
  t.regex((await run('instance', 'exec', 'i-1', '--help')).stdout, /exit code is the command's own/)
})

test('commandWords ends as shells do', (t) => {
  const status = (...command: string[]): number | null => {
    const [file = '', ...words] = commandWords(command)
    return spawnSync(file, words).status
  }
  t.is(status('nosuchprog'), 127)
  t.is(status('/etc/passwd'), 126)
  t.is(status('sh', '-c', 'test "$1" = "it\'s  \\$HOME" && exit 3', 'sh', 'it\'s  $HOME'), 3)
})

test('vpcctl ends with 4 when no daemon answers', async (t) => {
  const { code, stderr } = await run('vpc', 'list')
  t.is(code, 4)
  t.regex(stderr, /^vpcctl: VPCLAB_ERR_LAB_DOWN: No daemon answers for the lab "nosuchlab"/)
})

test('vpcctl takes global options anywhere and reports errors as JSON with --json', async (t) => {
  const { code, stderr } = await run('vpc', 'list', '--json', '--lab', 'other')
  t.is(code, 4)
  const { error } = JSON.parse(stderr) as { error: { code: string, message: string } }
  t.is(error.code, 'VPCLAB_ERR_LAB_DOWN')
  t.regex(error.message, /the lab "other"/)
})

test('vpcctl refuses a query that is none, and says where', async (t) => {
  const { code, stdout, stderr } = await run('vpc', 'list', '--query', 'a b')
  t.is(code, 2)
  t.is(stdout, '')
  t.regex(stderr, /^vpcctl: Usage: --query is no JMESPath expression: .* at column 3:\n {2}a b\n/)
})

test('vpcctl checks a value of a fixed set and names the set', async (t) => {
  const { code, stderr } = await run('wait', 'instance', 'a', '--state', 'happy')
  t.is(code, 2)
  t.regex(stderr, /'happy' is invalid. Allowed choices are running, stopped, terminated/)
})

test('the help fits its groups: every noun stands under a heading', async (t) => {
  const { stdout } = await run('--help')
  t.notRegex(stdout, /^Commands:\n(?! {2}help )/m)
  const headings = [...stdout.matchAll(/^([A-Z][a-z ]+):$/gm)].map((match) => match[1])
  t.deepEqual(headings.slice(0, 7),
    ['Options', 'Lab', 'Network', 'Guests', 'Look inside', 'Files', 'Commands'])
})

test('vpcctl prints its version', async (t) => {
  t.deepEqual(await run('--version'), { code: 0, stdout: '1.2.3\n', stderr: '' })
})

test('every code that vpcctl reports by itself is registered', (t) => {
  const root = new URL('.', import.meta.url)
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
  const codes = files.flatMap((file) => [
    ...readFileSync(new URL(file, root), 'utf8').matchAll(/new CtlError\(\s*'(\w+)'/g)
  ].map((match) => match[1] ?? ''))
  const registered = { ...CTL_ERRORS, ...VPCLAB_ERRORS }
  t.deepEqual(codes.filter((code) => !(code in registered)), [])
  for (const code of Object.keys(CTL_ERRORS)) t.true(codes.includes(code), code)
})

test('Input gathers tags, repeated and comma-separated values', (t) => {
  const input = new Input(new Map([['command', ['ls', '-l']]]),
    { name: 'web', tag: ['a=1', 'b=x=y', 'c'], group: ['sg-1,sg-2', 'sg-3'] })
  t.deepEqual(input.tags(), [
    { Key: 'Name', Value: 'web' }, { Key: 'a', Value: '1' }, { Key: 'b', Value: 'x=y' },
    { Key: 'c', Value: '' }
  ])
  t.deepEqual(input.list('group'), ['sg-1', 'sg-2', 'sg-3'])
  t.deepEqual(input.rest('command'), ['ls', '-l'])
  t.throws(() => input.argument('vpc'), { message: '<vpc> is missing' })
  t.throws(() => input.needed('apiPort'), { message: '--api-port is missing' })
  t.throws(() => parseTag('=1'), { code: 'Usage' })
})

test('shellExports quotes what a shell would take apart', (t) => {
  t.is(shellExports({ A: 'http://127.0.0.1:4566', B: 'it\'s $HOME' }),
    'export A=http://127.0.0.1:4566\nexport B=\'it\'\\\'\'s $HOME\'\n' +
    'unset AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE\n' +
    'export NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}" no_proxy="$NO_PROXY"\n' +
    '# Releases of the aws CLI before 2.13 do not read AWS_ENDPOINT_URL: this tells them.\n' +
    'aws () { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }')
})

test('shellEnvironment names the instance in the prompt of any shell', (t) => {
  t.regex(shellEnvironment('/bin/bash', 'web i-1')['PROMPT_COMMAND'] ?? '', /PS1='\[web i-1\]/)
  t.is(shellEnvironment('/bin/dash', 'i-1')['PS1'], '[i-1] # ')
})

test('portInput gives EC2\'s ports for each protocol', (t) => {
  t.deepEqual(portInput('tcp', '80'), { FromPort: 80, ToPort: 80 })
  t.deepEqual(portInput('udp', '8000-8080'), { FromPort: 8000, ToPort: 8080 })
  t.deepEqual(portInput('tcp', undefined), { FromPort: 0, ToPort: 65535 })
  t.deepEqual(portInput('icmp', undefined), { FromPort: -1, ToPort: -1 })
  t.deepEqual(portInput('all', undefined), {})
  t.throws(() => portInput('tcp', '80-99999'), { code: 'Usage' })
})

test('formatBytes keeps amounts short', (t) => {
  t.deepEqual([0, 999, 1000, 1500, 999_949, 12_345_678, 5e9].map(formatBytes),
    ['0B', '999B', '1.0kB', '1.5kB', '1.0MB', '12MB', '5.0GB'])
})

test('lastWords gives the end of a daemon\'s log, messages alone', (t) => {
  t.is(lastWords('{"msg":"starting"}\nError: no\n    at f (a.ts:1:1)\n\n{"msg":"b"}\n'),
    '  starting\n  Error: no\n      at f (a.ts:1:1)\n  b')
  t.is(lastWords('x\n'.repeat(100)).split('\n').length, 20)
  t.is(lastWords(''), '  (none)')
})
