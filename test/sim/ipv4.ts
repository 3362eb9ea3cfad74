/** IPv4 addresses as numbers, for the oracle and the packets of a simulation. */

export function ipv4Number (text: string): number {
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

export function ipv4Text (bytes: Uint8Array, at: number): string {
  return [...bytes.subarray(at, at + 4)].join('.')
}

/** Whether the address lies in the block; never in one of IPv6 or a prefix list. */
export function ipv4Contains (cidr: string, address: string): boolean {
  const [block = '', length = ''] = cidr.split('/')
  if (!block.includes('.')) return false
  const size = 2 ** (32 - Number(length))
  return Math.floor(ipv4Number(block) / size) === Math.floor(ipv4Number(address) / size)
}
