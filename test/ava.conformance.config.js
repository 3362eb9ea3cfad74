/** Stock clients (the AWS command line, the AWS SDK) against the API, mostly without hosts. */
import common from './ava.common.js'

export default {
  ...common,
  files: ['test/conformance/**/*.test.ts'],
  concurrency: 2,
  timeout: '120s'
}
