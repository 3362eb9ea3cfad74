import test from 'ava'
import { VpclabError } from './base/errors.ts'
import { parseFlags } from './flags.ts'

test('without arguments the default lab is run', (t) => {
  const flags = parseFlags([])
  t.is(flags.mode, 'run')
  t.is(flags.lab, 'vpclab')
  t.is(flags.logLevel, 'info')
  t.is(flags.stateDirectory, null)
  t.true(Object.values(flags.config).every((value) => value === undefined))
})

test('flags reach the configuration as text', (t) => {
  const flags = parseFlags(['--lab', 'x', '--hosts', '3', '--api-port', '4600', '--quota',
    'vpcs-per-region=9', '--quota', 'subnets-per-vpc=1', '--state-dir', '/tmp/x/../y'])
  t.like(flags.config, {
    hosts: '3', apiPort: '4600', quotas: ['vpcs-per-region=9', 'subnets-per-vpc=1']
  })
  t.is(flags.stateDirectory, '/tmp/y')
  t.is(parseFlags(['--teardown']).mode, 'teardown')
  t.is(parseFlags(['--help']).mode, 'help')
})

for (const args of [['--nope'], ['--lab', 'Upper'], ['--lab', 'with-dash'], ['--log-level', 'loud'],
  ['x']]) {
  test(`${args.join(' ')} is refused`, (t) => {
    const error = t.throws(() => parseFlags(args), { instanceOf: VpclabError })
    t.is(error.code, 'VPCLAB_ERR_CONFIG')
  })
}
