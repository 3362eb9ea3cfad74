/** Completion, as each shell itself does it, with the values of a real lab. */
import test from 'ava'
import { makeVpcctl, succeed, type VpcctlLab } from './test_vpcctl.ts'

/** What bash offers behind `line`: readline's own variables, set by hand. */
const BASH = `
source <(vpcctl completion bash)
COMP_LINE=$1 COMP_POINT=\${#1}
_vpcctl
printf '%s\\n' "\${COMPREPLY[@]}"`

/** What zsh offers; \`_describe\` and \`_files\` are parts of its completion system. */
const ZSH = `
compdef () { }
_describe () { print -rl -- "\${(@P)2}" }
_files () { print FILES }
source <(vpcctl completion zsh)
words=("\${(@s: :)1}") CURRENT=\${#words}
_vpcctl`

const FISH = `
vpcctl completion fish | source
complete -C $argv[1]`

async function lines (t: Parameters<typeof succeed>[0], lab: VpcctlLab, file: string,
  words: string[]): Promise<string[]> {
  const stdout = await succeed(t, lab.run(file, words))
  return stdout.split('\n').filter((line) => line !== '')
}

test('bash, zsh and fish complete commands, options and values of the lab', async (t) => {
  const lab = makeVpcctl(t)
  const { vpcctl } = lab
  const bash = (line: string): Promise<string[]> => lines(t, lab, 'bash', ['-c', BASH, 'x', line])
  const zsh = (line: string): Promise<string[]> => lines(t, lab, 'zsh', ['-fc', ZSH, 'x', line])
  const fish = (line: string): Promise<string[]> =>
    lines(t, lab, 'fish', ['--no-config', '-c', FISH, line])
  t.deepEqual(await bash('vpcctl vpc show '), [], 'the lab is down')

  await succeed(t, vpcctl('lab', 'up', '--hosts', '0', '--api-port', '0'))
  const made = await succeed(t, vpcctl('vpc', 'create', '10.0.0.0/16', '--name', 'a b', '-q'))
  const id = made.trim()

  t.deepEqual(await bash('vpcctl vp'), ['vpc', 'vpn'])
  t.deepEqual(await bash('vpcctl vpc sh'), ['show'])
  t.deepEqual(await bash('vpcctl vpc set x --dns-'), ['--dns-support', '--dns-hostnames'])
  t.deepEqual(await bash('vpcctl vpc set x --dns-support '), ['on', 'off'])
  t.deepEqual(await bash('vpcctl vpc show '), ['a\\ b', id], 'quoted for bash')
  t.deepEqual(await bash('vpcctl subnet list --json --vpc vpc-'), [id])
  t.deepEqual(await bash('vpcctl --lab ctl'), ['ctltest1'])
  t.deepEqual(await bash('vpcctl --lab other vpc show '), [], 'of the lab that is named')

  t.deepEqual(await zsh('vpcctl vpc sh'), ['show:Show everything about a VPC'])
  t.deepEqual(await zsh('vpcctl vpc show '), [`a b:${id}`, `${id}:a b`])
  t.deepEqual(await zsh('vpcctl instance exec a '), ['FILES'])

  t.deepEqual(await fish('vpcctl vpc sh'), ['show\tShow everything about a VPC'])
  t.deepEqual((await fish('vpcctl vpc show ')).toSorted(), [`a b\t${id}`, `${id}\ta b`])
  t.true((await fish('vpcctl instance exec a /etc/host')).includes('/etc/hosts'))
})
