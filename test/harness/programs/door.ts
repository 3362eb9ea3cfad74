/**
 * Stands in a namespace and lets connections in, from a unix socket to a port of its loopback:
 *
 *     node door.ts PATH PORT     prints "open" when it does
 */
import { rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'

const [path = '', port = ''] = process.argv.slice(2)
rmSync(path, { force: true })
createServer((outside) => {
  const inside = connect(Number(port), '127.0.0.1')
  outside.pipe(inside).pipe(outside)
  outside.on('error', () => { inside.destroy() })
  inside.on('error', () => { outside.destroy() })
}).listen(path, () => { console.log('open') })
