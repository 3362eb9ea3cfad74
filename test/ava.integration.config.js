/**
 * Real packets: every file builds labs of its own, and two files run at once, since a lab mostly
 * waits. Tests of one file run one after the other (`test.serial`).
 */
import timed from './ava.timed.config.js'

export default {
  ...timed,
  files: ['test/integration/**/*.test.ts', ...timed.files.map((path) => `!${path}`)],
  concurrency: 2
}
