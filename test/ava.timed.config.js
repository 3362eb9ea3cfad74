/**
 * Integration tests that measure time, throughput or loss, or fill the machine: one file after the
 * other, so that each has it to itself.
 */
export default {
  extensions: ['ts'],
  files: [
    'test/integration/etcd_members.test.ts',
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
  workerThreads: false,
  concurrency: 1,
  timeout: '180s'
}
