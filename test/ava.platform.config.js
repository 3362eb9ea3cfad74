/** Facts about the kernel and Node that the code relies on, one small test each. */
export default {
  extensions: ['ts'],
  files: ['test/platform/**/*.test.ts'],
  workerThreads: false,
  concurrency: 1,
  timeout: '60s'
}
