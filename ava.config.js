/** Unit tests, beside the code they test. `test/ava.integration.config.js` is for real packets. */
import common, { first } from './test/ava.common.js'

export default {
  ...common,
  files: [
    'daemon/**/*.test.ts', 'ctl/**/*.test.ts', 'test/tidy/**/*.test.ts', 'test/sim/**/*.test.ts',
    'bench/**/*.test.ts'
  ],
  sortTestFiles: first(/property\.test\.ts$|\/test\/sim\/|\/ctl\//),
  timeout: '120s'
}
