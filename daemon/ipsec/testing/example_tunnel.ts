/** A tunnel for tests: what AWS offers by default, between two documentation addresses. */
import type { TunnelConfig } from '../tunnel.ts'

/** Every algorithm of AWS's tunnel options. */
export const PHASE = {
  encryption: ['AES128', 'AES256', 'AES128-GCM-16', 'AES256-GCM-16'],
  integrity: ['SHA1', 'SHA2-256', 'SHA2-384', 'SHA2-512'],
  dhGroups: [2, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24]
} as const

/** The tunnel of the customer gateway 203.0.113.9, with what differs from the default. */
export function exampleTunnel (change: Partial<TunnelConfig> = {}): TunnelConfig {
  return {
    name: 'vpn-0123456789abcdef0-1',
    generation: 0,
    tunnel: 1,
    localAddress: '198.51.100.1',
    remoteAddress: '203.0.113.9',
    localId: '198.51.100.1',
    remoteId: null,
    authentication: { kind: 'psk', secret: 'correct.horse_battery9' },
    ikeVersions: ['ikev1', 'ikev2'],
    phase1: { ...PHASE, lifetimeSeconds: 28_800 },
    phase2: { ...PHASE, lifetimeSeconds: 3600 },
    rekeyMarginSeconds: 270,
    rekeyFuzzPercentage: 100,
    replayWindow: 1024,
    dpdTimeoutSeconds: 30,
    dpdTimeoutAction: 'clear',
    startupAction: 'add',
    localSelectors: ['0.0.0.0/0'],
    remoteSelectors: ['0.0.0.0/0'],
    ...change
  }
}
