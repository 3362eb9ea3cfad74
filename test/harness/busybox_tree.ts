/**
 * A root file system of one program: Debian's static busybox with a few of its names. It is what
 * images and containers of tests are made of, since no registry need be reached for it.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const BUSYBOX = '/bin/busybox'
const NAMES = ['cat', 'hostname', 'httpd', 'ip', 'ls', 'ping', 'ps', 'sh', 'tail']

export class BusyboxTree implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'vpclab-busybox-'))

  constructor () {
    for (const name of ['bin', 'etc']) mkdirSync(join(this.directory, name))
    copyFileSync(BUSYBOX, join(this.directory, BUSYBOX))
    for (const name of NAMES) symlinkSync('busybox', join(this.directory, 'bin', name))
  }

  [Symbol.dispose] (): void { rmSync(this.directory, { recursive: true }) }
}
