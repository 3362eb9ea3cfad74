/** Long and heavy tests with real packets: `npm test -- soak`. */
import timed from './ava.timed.config.js'

export default { ...timed, files: ['test/soak/**/*.test.ts'], timeout: '300s' }
