/**
 * Real packets: every file builds labs of its own, one file after the other, so that what is timed
 * has the machine to itself. Tests of one file run one after the other, too (`test.serial`).
 */
export default {
  extensions: ['ts'],
  files: ['test/integration/**/*.test.ts'],
  workerThreads: false,
  concurrency: 1,
  timeout: '180s'
}
