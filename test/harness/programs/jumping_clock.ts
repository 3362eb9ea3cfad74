/**
 * Preloaded into a daemon (`NODE_OPTIONS=--import=…`): its wall clock is off by as many
 * milliseconds as the file CLOCK_OFFSET_FILE says, from then on. The monotonic clock goes on, as it
 * does when a machine's clock is set.
 */
import { existsSync, readFileSync } from 'node:fs'

const LOOK_AGAIN_MS = 50

const path = process.env['CLOCK_OFFSET_FILE']
const wallMs = Date.now
let offsetMs = 0
let lookedMs = -LOOK_AGAIN_MS

if (path !== undefined) {
  Date.now = () => {
    if (performance.now() - lookedMs >= LOOK_AGAIN_MS) {
      lookedMs = performance.now()
      // The file may be gone while the lab is taken down.
      if (existsSync(path)) offsetMs = Number(readFileSync(path, 'utf8'))
    }
    return wallMs() + offsetMs
  }
}
