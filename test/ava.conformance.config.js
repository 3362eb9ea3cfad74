/** Stock clients (the AWS command line, the AWS SDK) against the API, mostly without hosts. */
export default {
  extensions: ['ts'],
  files: ['test/conformance/**/*.test.ts'],
  workerThreads: false,
  concurrency: 2,
  timeout: '120s'
}
