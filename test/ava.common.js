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
