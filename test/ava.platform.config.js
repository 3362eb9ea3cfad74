/** Facts about the kernel and Node that the code relies on, one small test each. */
import common from './ava.common.js'

export default {
  ...common,
  files: ['test/platform/**/*.test.ts'],
  concurrency: 1,
  timeout: '60s'
}
