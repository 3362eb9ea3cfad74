/**
 * User data: a script given to RunInstances runs inside the instance's namespace.
 *
 *     host-1 ─ client     host-2 ─ server: its user data serves its own instance's name on port 80
 */
import test from 'ava'
import { existsSync, readFileSync } from 'node:fs'
import { instanceLogPath } from '../../daemon/host/paths.ts'
import { eventually } from '../harness/command.ts'
import { withLab } from '../harness/with_lab.ts'

const SCRIPT = `#!/bin/sh
echo "user data runs"
exec python3 -c '
import http.server
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from user data")
http.server.HTTPServer(("", 80), Page).serve_forever()'
`

test.serial('user data runs as a script inside the instance', withLab({}, async (t, lab) => {
  const subnet = await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.1.0/24')
  const client = await lab.instance(subnet, { host: 'host-1' })
  const server = await lab.instance(subnet, { host: 'host-2', userData: SCRIPT })
  const page = await eventually('the page of the user data', async () => {
    const curl = await client.try('curl', '-s', '-m', '1', `http://${server.ipv4}/`)
    return curl.code === 0 && curl.stdout
  })
  t.is(page, 'hello from user data')
  const log = instanceLogPath(lab.name, server.id)
  t.true(existsSync(log))
  t.regex(readFileSync(log, 'utf8'), /user data runs/)
}))
