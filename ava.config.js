/** Unit tests, beside the code they test. `test/ava.integration.config.js` is for real packets. */
import common from './test/ava.common.js'

export default {
  ...common,
  files: [
    'daemon/**/*.test.ts', 'ctl/**/*.test.ts', 'test/tidy/**/*.test.ts', 'test/sim/**/*.test.ts',
    'bench/**/*.test.ts'
  ],
  timeout: '120s'
}
