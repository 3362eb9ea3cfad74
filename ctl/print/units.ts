/** Numbers for people: decimal units, three digits at most. */

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P']

/** `999B`, `1.5kB`, `12MB`. */
export function formatBytes (bytes: number): string { return scaled(bytes, 'B') }

/** `0`, `12`, `1.5k`, `12M`: of packets, flows, or bits per second. */
export function formatCount (count: number): string { return scaled(count, '') }

function scaled (amount: number, unit: string): string {
  let value = amount
  let index = 0
  while (value >= 999.5 && index < PREFIXES.length - 1) {
    value /= 1000
    index++
  }
  const isWhole = index === 0 || value >= 10
  return `${isWhole ? value.toFixed(0) : value.toFixed(1)}${PREFIXES[index] ?? ''}${unit}`
}
