import test from 'ava'
import { runCommand, runIpBatch } from './command.ts'

test('a program that is not installed is named', async (t) => {
  await t.throwsAsync(runCommand('vpclab-no-such-program', ['--x']), {
    code: 'VPCLAB_ERR_COMMAND',
    message: 'Cannot run "vpclab-no-such-program --x": ' +
      'the program vpclab-no-such-program is not installed'
  })
})

test('a program that fails is told with its code and its words', async (t) => {
  await t.throwsAsync(runCommand('sh', ['-c', 'echo why >&2; exit 3']), {
    code: 'VPCLAB_ERR_COMMAND', message: '"sh -c echo why >&2; exit 3" ended with code 3: why'
  })
  await t.throwsAsync(runCommand('sh', ['-c', 'kill $$']), { message: /was ended by SIGTERM/ })
})

test('a batch names the line that it stopped at', async (t) => {
  await t.throwsAsync(runIpBatch(null, ['link show dev lo', 'link show dev vpclab-none', 'rule']), {
    code: 'VPCLAB_ERR_COMMAND', message: /at "link show dev vpclab-none": .*vpclab-none.*exist/s
  })
})
