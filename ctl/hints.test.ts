/** Hints: that each can be followed, and that those of a real lab name what is there. */
import test from 'ava'
import type { Command } from './command.ts'
import { NOUNS } from './commands/registry.ts'
import { FIXED_HINTS, nearNames } from './hints.ts'
import { makeVpcctl, succeed } from './test_vpcctl.ts'

/** `vpcctl <noun> [verb] …` between quotation marks. */
const COMMAND_LINE = /"vpcctl ([a-z-]+)(?: ([a-z-]+))?[^"]*"/g

test('every command line in a hint is one', async (t) => {
  for (const [code, hint] of Object.entries(FIXED_HINTS)) {
    for (const [line, nounName, verbName] of hint.matchAll(COMMAND_LINE)) {
      const noun = NOUNS.find(({ name }) => name === nounName)
      t.truthy(noun, `${code}: ${line}`)
      const loaded = await noun?.load()
      const verbs = Array.isArray(loaded) ? loaded as readonly Command[] : []
      t.true(verbs.some(({ name }) => name === verbName), `${code}: ${line}`)
    }
  }
})

test('nearNames finds slips of the keyboard, other case and parts, nearest first', (t) => {
  const names = ['web', 'web-2', 'front', 'Database', 'x']
  t.deepEqual(nearNames('wbe', names), ['web'])
  t.deepEqual(nearNames('Web', names), ['web', 'web-2'])
  t.deepEqual(nearNames('fronts', names), ['front'])
  t.deepEqual(nearNames('database', names), ['Database'])
  t.deepEqual(nearNames('backend', names), [])
})

test('a refusal says what to do, in words and in JSON', async (t) => {
  const { vpcctl } = makeVpcctl(t)
  await succeed(t, vpcctl('lab', 'up', '--hosts', '0', '--api-port', '0'))
  const make = async (...words: string[]): Promise<string> =>
    (await succeed(t, vpcctl(...words, '-q'))).trim()
  const vpc = await make('vpc', 'create', '10.0.0.0/16', '--name', 'web')
  const subnet = await make('subnet', 'create', 'web', '10.0.1.0/24', '--name', 'front')
  const eni = await make('eni', 'create', 'front')
  const table = await make('route-table', 'create', 'web')
  await succeed(t, vpcctl('route-table', 'associate', table, 'front'))

  const { stderr } = await vpcctl('vpc', 'delete', 'web')
  t.true(stderr.endsWith([
    '  hint: do first:',
    `    vpcctl eni delete ${eni}`,
    `    vpcctl subnet delete ${subnet} (front)`,
    `    vpcctl route-table delete ${table}`, ''
  ].join('\n')), stderr)
  t.true((await vpcctl('route-table', 'delete', table)).stderr
    .endsWith(`  hint: do first:\n    vpcctl route-table disassociate ${subnet}\n`))

  const near = await vpcctl('vpc', 'show', 'wbe')
  t.is(near.stderr, 'vpcctl: NameNotFound: No VPC has the Name tag "wbe"; an id begins with ' +
    '"vpc-"\n  hint: did you mean web? "vpcctl vpc list" shows those there are\n')
  t.regex((await vpcctl('vpc', 'show', 'vpc-00000000000000000')).stderr,
    /InvalidVpcID.NotFound: .*\n {2}hint: "vpcctl vpc list" shows those there are\n$/)
  t.regex((await vpcctl('subnet', 'create', 'web', '10.0.1.0/25')).stderr,
    /InvalidSubnet.Conflict: .*\n {2}hint: "vpcctl subnet list"/)
  const json = JSON.parse((await vpcctl('vpc', 'show', 'eni-1', '--json')).stderr) as
    { error: { code: string, hint: string } }
  t.is(json.error.code, 'NameNotFound')
  t.regex(json.error.hint, /vpcctl vpc list/)
  t.regex((await vpcctl('--lab', 'other', 'vpc', 'list')).stderr,
    /VPCLAB_ERR_LAB_DOWN: .*\n {2}hint: another lab is up: vpcctl --lab ctltest1\n$/)

  // What the hints name is what it takes.
  for (const words of [
    ['eni', 'delete', eni], ['subnet', 'delete', subnet], ['route-table', 'delete', table],
    ['vpc', 'delete', vpc]
  ]) {
    await succeed(t, vpcctl(...words))
  }
})
