/** What leaves the project: the npm package, installed and used; the examples of its pages. */
import common from './ava.common.js'

export default {
  ...common,
  files: ['test/packaging/**/*.test.ts'],
  concurrency: 1,
  timeout: '180s'
}
