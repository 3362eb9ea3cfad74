/**
 * Integration tests that measure time, throughput or loss, or fill the machine: one file after the
 * other, so that each has it to itself.
 */
import common from './ava.common.js'

export default {
  ...common,
  files: [
    'test/integration/impair.test.ts',
    'test/integration/move.test.ts',
    'test/integration/nic.test.ts',
    'test/integration/restart.test.ts',
    'test/integration/scale.test.ts',
    'test/integration/underlay_encryption.test.ts',
    'test/integration/vpcctl_capture.test.ts',
    'test/integration/vpn/bgp.test.ts',
    'test/integration/vpn/ipsec_engine.test.ts',
    'test/integration/vpn/site_to_site.test.ts'
  ],
  concurrency: 1,
  timeout: '180s'
}
