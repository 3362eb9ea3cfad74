/** Long and heavy tests with real packets: `npm test -- soak`. */
import integration from './ava.integration.config.js'

export default { ...integration, files: ['test/soak/**/*.test.ts'], timeout: '300s' }
