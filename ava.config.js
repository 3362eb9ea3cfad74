/** Unit tests, beside the code they test. `test/ava.integration.config.js` is for real packets. */
export default {
  extensions: ['ts'],
  files: [
    'daemon/**/*.test.ts', 'ctl/**/*.test.ts', 'test/tidy/**/*.test.ts', 'test/sim/**/*.test.ts',
    'bench/**/*.test.ts'
  ],
  workerThreads: false,
  timeout: '120s'
}
