/** Time as an argument: nothing above `base` reads the machine's clock itself. */
export interface Clock {
  /** Wall clock, milliseconds since 1970-01-01T00:00Z. May jump. For timestamps people read. */
  nowMs(): number
  /** Monotonic, milliseconds with a fraction. Never jumps. For ages and timeouts. */
  monotonicMs(): number
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now()
}

/**
 * Nanoseconds of the machine's monotonic clock (CLOCK_MONOTONIC): the same in every thread and
 * process, so that times of several threads can be set side by side. Exact for 104 days of uptime.
 */
export function machineNs (): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e9 + nanoseconds
}
