/**
 * The border between the database of SAs (xfrm/) and whoever seals and opens packets with them:
 * the data plane's ESP (daemon/tun/esp.ts), directly or through a port; a kernel with ESP of its
 * own could take its place. Calls come in the order in which IKE made them, and none waits.
 *
 *     install(outbound new) … select(tunnel, new) … remove(old)      a rekey, make before break
 *
 * Numbers of SAs are small and used again, but never while the one before is installed.
 */
import type { EspSa, EspUsage } from '../tun/esp_sa.ts'
import type { EspSelector } from '../tun/esp_tunnels.ts'

export interface EspBackend {
  install(sa: EspSa): void
  /** Harmless for a number that is not installed. */
  remove(index: number): void
  /** What leaves through the tunnel is sealed with this SA from now on; 0: nothing leaves. */
  select(tunnel: number, index: number): void
  /** Between which networks the tunnel carries packets; none: nothing passes. */
  permit(tunnel: number, selectors: readonly EspSelector[]): void
  usage(index: number): EspUsage
}
