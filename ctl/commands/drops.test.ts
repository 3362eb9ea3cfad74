import test from 'ava'
import type { DropsAnswer } from '../../daemon/api/admin/contract.ts'
import { ADVICE, dropAdvice } from '../../daemon/api/admin/drop_advice.ts'
import { TestNetwork } from '../../daemon/model/test_network.ts'
import type { Command } from '../command.ts'
import { since } from './drops.ts'
import { NOUNS } from './registry.ts'

function drop (eni: string | null, reason: string, packets: number): DropsAnswer['drops'][number] {
  return {
    host: 'host-1', eni, eniName: '', instance: null, instanceName: '', reason, packets,
    meaning: '', advice: ''
  }
}

test('since tells what was counted between two readings, most first', (t) => {
  const before = [drop('eni-1', 'no-route', 10), drop('eni-1', 'blackhole', 5), drop(null, 'x', 7)]
  const now = [
    drop('eni-1', 'no-route', 12), drop('eni-1', 'blackhole', 5), drop(null, 'x', 17),
    drop('eni-2', 'no-route', 3)
  ]
  t.deepEqual(since(before, now).map(({ eni, reason, packets }) => [eni, reason, packets]),
    [[null, 'x', 10], ['eni-2', 'no-route', 3], ['eni-1', 'no-route', 2]])
})

test('since counts a counter that began anew from there', (t) => {
  t.deepEqual(since([drop('eni-1', 'no-route', 10)], [drop('eni-1', 'no-route', 4)])
    .map(({ packets }) => packets), [4])
})

/** The command that the first words of a command line name, or undefined. */
async function commandOf (words: readonly string[]): Promise<Command | undefined> {
  const loaded = await NOUNS.find(({ name }) => name === words[0])?.load()
  return Array.isArray(loaded)
    ? (loaded as readonly Command[]).find(({ name }) => name === words[1])
    : loaded as Command | undefined
}

test('every command line in the advice for a drop can be typed', async (t) => {
  const network = new TestNetwork()
  const eni = network.createInterface()
  let count = 0
  for (const reason of Object.keys(ADVICE)) {
    const sentence = dropAdvice(network.snapshot, 'host-1', eni, reason)
    for (const [, line = ''] of sentence.matchAll(/"vpcctl ([^"]+)"/g)) {
      const words = line.split(' ')
      const command = await commandOf(words)
      t.truthy(command, line)
      const known = ['--json', ...(command?.options ?? []).map(({ flags }) => flags.split(' ')[0])]
      for (const option of words.filter((word) => word.startsWith('--'))) {
        t.true(known.includes(option), line)
      }
      count++
    }
  }
  t.true(count > 10)
})
