/**
 * What `vpcctl capture --vpn` shows of a tunnel that is up, read by stock tshark: for the tests of
 * site_to_site.test.ts, which have one.
 */
import type { ExecutionContext } from 'ava'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Background, command, eventually, tryCommand } from '../../harness/command.ts'
import type { Lab } from '../../harness/lab.ts'
import { VPCCTL } from '../../harness/vpn.ts'
import type { VpnConnection } from '../../harness/vpn.ts'

const OUTSIDE = 'frame.interface_name contains "outside"'
const INSIDE = 'frame.interface_name contains "inside"'

/**
 * Captures both tunnels with their keys while `ping` runs, before and after a rekey of each.
 * @param name of the customer gateway
 */
export async function capturesTunnels (
  t: ExecutionContext, lab: Lab, { vpnId }: VpnConnection, name: string,
  ping: () => Promise<void>
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-tunnels-'))
  const [file, keys] = [join(directory, 'tunnels.pcapng'), join(directory, 'esp_sa')]
  const words = ['--lab', lab.name, 'capture', '--vpn', vpnId, '--keys', keys]
  const capture = new Background(VPCCTL, [...words, '-w', file])
  try {
    await capture.printed('Capturing on')
    const before = keyLines(keys)
    t.is(before.length, 4, 'two SAs of each tunnel')
    await ping()
    for (const number of [1, 2]) {
      await command('swanctl', '--rekey', '--child', `${vpnId}-${String(number)}`,
        '--uri', `unix:///run/vpclab-cgw/${name}/t${String(number)}/vici.sock`)
    }
    const lines = await eventually('keys of the new SAs', () => {
      const now = keyLines(keys)
      return now.length >= 8 ? now : undefined
    })
    await ping()
    await capture.stop('SIGINT')

    t.is(statSync(keys).mode & 0o777, 0o600)
    const refused = await tryCommand(VPCCTL, [...words, '-w', join(directory, 'other')])
    t.is(refused.code, 2)
    t.regex(refused.stderr, /is there already/)
    t.deepEqual(keyLines(keys), lines, 'what is there stays as it is')

    const encrypted = await rows(file, null, `${OUTSIDE} && (icmp || esp || isakmp)`)
    t.true(encrypted.some(([protocol]) => protocol === 'ESP'))
    t.true(encrypted.some(([protocol]) => protocol === 'ISAKMP'), 'the rekey')
    t.false(encrypted.some(([protocol]) => protocol === 'ICMP'))
    t.true((await rows(file, null, `${INSIDE} && icmp`)).length >= 4)
    t.deepEqual(await rows(file, null, `${INSIDE} && _ws.malformed`), [])
    const decrypted = await rows(file, directory, `${OUTSIDE} && icmp`)
    t.true(decrypted.length >= 4, String(decrypted.length))
    t.true(new Set(decrypted.map(([, spi]) => spi)).size > 2, 'SAs of before and after the rekey')
  } finally {
    await capture.stop()
    rmSync(directory, { recursive: true })
  }
}

function keyLines (path: string): string[] {
  return readFileSync(path, 'utf8').split('\n').filter((line) => line.startsWith('"'))
}

/** Protocol and SPI of each packet that matches. @param keys folder of a file `esp_sa` */
async function rows (
  file: string, keys: string | null, filter: string): Promise<(readonly string[])[]> {
  const output = await command('env', ...keys === null ? [] : [`WIRESHARK_CONFIG_DIR=${keys}`],
    'tshark', '-r', file, '-o', 'esp.enable_encryption_decode:TRUE', '-Y', filter,
    '-T', 'fields', '-e', '_ws.col.Protocol', '-e', 'esp.spi')
  return output.split('\n').filter((line) => line !== '').map((line) => line.split('\t'))
}
