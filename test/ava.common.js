/**
 * What all stages of tests have in common. A process runs each file; the compile cache, which the
 * launchers in bin/ use, too, saves a third of what it takes to load the sources.
 */
export default {
  extensions: ['ts'],
  workerThreads: false,
  environmentVariables: {
    NODE_COMPILE_CACHE: new URL('../.cache/compile', import.meta.url).pathname
  }
}

/**
 * An order of test files in which those that take long begin first, so that no processor is idle at
 * the end while the other is busy with one of them.
 */
export function first (takesLong) {
  return (one, other) => Number(takesLong.test(other)) - Number(takesLong.test(one)) ||
    one.localeCompare(other)
}
