/** Datagrams that are sent many to a system call, and received so (datagrams.py). */
import { Background, command, eventually, inside } from '../../test/harness/command.ts'
import type { TunnelSystem } from '../tunnel/system.ts'

const PROGRAM = new URL('datagrams.py', import.meta.url).pathname
const PORT = '5202'

interface Sent { readonly datagrams: number, readonly seconds: number }
interface Received { readonly datagrams: number, readonly bytes: number }

/** @param rate bit/s of payload @returns Gbit/s that arrive, and the fraction that does not */
export async function sendRuns (
  { a, b }: TunnelSystem, seconds: number, datagramBytes: number, rate: number
): Promise<{ readonly gbps: number, readonly lost: number }> {
  const receiver = new Background('ip', inside(b.namespace,
    ['python3', PROGRAM, 'receive', b.address, PORT]))
  try {
    await receiver.printed('listening')
    const sent = JSON.parse(await command('ip', ...inside(a.namespace, ['python3', PROGRAM, 'send',
      b.address, PORT, String(datagramBytes), String(rate), String(seconds)]))) as Sent
    const text = await eventually('what was received', () => /\{.*\}/.exec(receiver.output)?.[0])
    const received = JSON.parse(text) as Received
    return {
      gbps: received.bytes * 8 / sent.seconds / 1e9, lost: 1 - received.datagrams / sent.datagrams
    }
  } finally {
    await receiver.stop()
  }
}
