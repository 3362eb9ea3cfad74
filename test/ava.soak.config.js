/** Long and heavy tests with real packets, one after the other: `npm test -- soak`. */
export default {
  extensions: ['ts'],
  files: ['test/soak/**/*.test.ts'],
  workerThreads: false,
  concurrency: 1,
  timeout: '300s'
}
