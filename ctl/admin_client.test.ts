/** The admin client against a server on a unix socket of its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { AdminClient } from './admin_client.ts'

async function makeAdmin (t: ExecutionContext, status: number,
  body: string): Promise<{ admin: AdminClient, requests: string[] }> {
  const directory = mkdtempSync(join(tmpdir(), 'vpcctl-'))
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method ?? ''} ${request.url ?? ''}`)
    response.writeHead(status).end(body)
  })
  const socketPath = join(directory, 'admin.sock')
  await new Promise<void>((resolve) => { server.listen(socketPath, resolve) })
  t.teardown(() => {
    server.close()
    rmSync(directory, { recursive: true })
  })
  return { admin: new AdminClient('lab', socketPath), requests }
}

test('AdminClient asks by route and query', async (t) => {
  const { admin, requests } = await makeAdmin(t, 200, '{"appliedRevision":7}')
  t.deepEqual(await admin.wait(7, 100), { appliedRevision: 7 })
  await admin.drops()
  await admin.flows({ eni: 'eni-1', limit: 5 })
  await admin.mapping('vpc-1', '2001:db8::1')
  await admin.reset()
  t.deepEqual(requests, [
    'GET /wait?revision=7&timeoutMs=100', 'GET /drops', 'GET /flows?eni=eni-1&limit=5',
    'GET /mapping?vpc=vpc-1&address=2001%3Adb8%3A%3A1', 'POST /reset'
  ])
})

test('AdminClient throws the daemon\'s code and message', async (t) => {
  const { admin } = await makeAdmin(t, 404, '{"code":"NotFound","message":"No such instance."}')
  await t.throwsAsync(admin.instance('i-1'), { code: 'NotFound', message: 'No such instance.' })
})

test('AdminClient ends with exit code 3 when a wait is over', async (t) => {
  const { admin } = await makeAdmin(t, 408, '{"code":"VPCLAB_ERR_TIMEOUT","message":"late"}')
  const error = await t.throwsAsync<Error & { exitCode: number }>(admin.wait(1, 1))
  t.is(error.exitCode, 3)
})

test('AdminClient refuses an answer that is no JSON', async (t) => {
  const { admin } = await makeAdmin(t, 200, 'hello')
  await t.throwsAsync(admin.status(), { code: 'InvalidAnswer' })
})

test('AdminClient says how to start a lab that is down', async (t) => {
  const admin = new AdminClient('lab', '/nonexistent/admin.sock')
  const error = await t.throwsAsync<Error & { exitCode: number }>(admin.status(),
    { code: 'VPCLAB_ERR_LAB_DOWN', message: /No daemon answers for the lab "lab" .*vpcctl lab up/ })
  t.is(error.exitCode, 4)
})
