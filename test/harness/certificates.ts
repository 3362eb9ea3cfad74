/** Certificates for tests, made by the stock openssl: an authority, and whom it vouches for. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { command } from './command.ts'

const DAYS = '30'
const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** PEM texts, and where they lie. */
export interface Certified {
  readonly certificate: string
  readonly privateKey: string
  readonly certificatePath: string
  readonly keyPath: string
}

function read (directory: string, name: string): Certified {
  const certificatePath = join(directory, `${name}.crt`)
  const keyPath = join(directory, `${name}.key`)
  return {
    certificate: readFileSync(certificatePath, 'utf8'),
    privateKey: readFileSync(keyPath, 'utf8'),
    certificatePath,
    keyPath
  }
}

/** Makes a root. */
export async function makeAuthority (directory: string, name: string): Promise<Certified> {
  await command('openssl', 'req', '-x509', ...CURVE, '-days', DAYS, '-subj', `/O=Test/CN=${name}`,
    '-keyout', join(directory, `${name}.key`), '-out', join(directory, `${name}.crt`))
  return read(directory, name)
}

/** One that expired yesterday. @param names as `certify` has them */
export async function certifyExpired (
  directory: string, authority: Certified, name: string, names: string): Promise<Certified> {
  const request = join(directory, `${name}.csr`)
  await command('openssl', 'req', '-new', ...CURVE, '-subj', `/O=Test/CN=${name}`,
    '-addext', `subjectAltName=${names}`, '-keyout', join(directory, `${name}.key`),
    '-out', request)
  await command('openssl', 'x509', '-req', '-in', request, '-copy_extensions', 'copy',
    '-CA', authority.certificatePath, '-CAkey', authority.keyPath, '-CAcreateserial',
    '-days', '-1', '-out', join(directory, `${name}.crt`))
  return read(directory, name)
}

/** @param names subject alternative names, `DNS:…` or `IP:…` */
export async function certify (
  directory: string, authority: Certified, name: string, names: string): Promise<Certified> {
  await command('openssl', 'req', '-x509', ...CURVE, '-days', DAYS, '-subj', `/O=Test/CN=${name}`,
    '-CA', authority.certificatePath, '-CAkey', authority.keyPath,
    '-addext', `subjectAltName=${names}`, '-addext', 'basicConstraints=critical,CA:FALSE',
    '-keyout', join(directory, `${name}.key`), '-out', join(directory, `${name}.crt`))
  return read(directory, name)
}
