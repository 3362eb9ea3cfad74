/** What leaves the project: the npm package, installed and used; the examples of its pages. */
export default {
  extensions: ['ts'],
  files: ['test/packaging/**/*.test.ts'],
  workerThreads: false,
  concurrency: 1,
  timeout: '180s'
}
