/**
 * Settings of V8 for a thread that runs one hot loop. By default TurboFan stops inlining after
 * about a kilobyte of bytecode per function, which cuts the packet path into a dozen calls; with
 * room for the whole path a packet costs 7 to 15 % less (bench/pipeline.ts). Flags belong to the
 * process and act on what is optimised from now on. V8 passes over a flag that it does not know,
 * so a later V8 that drops them loses the gain and nothing else.
 */
import { setFlagsFromString } from 'node:v8'

const HOT_LOOP_FLAGS = [
  '--max-inlined-bytecode-size=1000', // default 460
  '--max-inlined-bytecode-size-cumulative=3000' // default 920
]

/** To be called before the hot functions have run. */
export function tuneForHotLoop (): void {
  for (const flag of HOT_LOOP_FLAGS) setFlagsFromString(flag)
}
