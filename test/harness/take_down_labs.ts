/**
 * `take_down_labs.ts <directory>`: takes down the labs that wait in a directory (lab_pool.ts), and
 * says what they left behind. Exit code 1: something.
 */
import { Lab } from './lab.ts'
import { readRecords, remove } from './lab_pool.ts'

const [directory = ''] = process.argv.slice(2)
for (const record of readRecords(directory)) {
  if (!remove(record, directory)) continue
  const lab = await Lab.adopt(record)
  for (const line of await lab.down()) {
    console.error(`vpclab: the lab ${record.name} left behind: ${line}`)
    process.exitCode = 1
  }
}
