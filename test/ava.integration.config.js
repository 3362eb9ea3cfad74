/**
 * Real packets: two files run at once, since a lab mostly waits. The labs of a file are its own
 * while it runs (harness/lab_pool.ts). Tests of one file run one after the other (`test.serial`).
 */
import { first } from './ava.common.js'
import timed from './ava.timed.config.js'

export default {
  ...timed,
  files: ['test/integration/**/*.test.ts', ...timed.files.map((path) => `!${path}`)],
  sortTestFiles: first(/\/(labs|lab_file|attach|vm|tap|cluster)\.test\.ts$/),
  concurrency: 2
}
