/** Requests to a lab's admin API: HTTP with JSON over its unix socket. */
import { request } from 'node:http'
import type { AdminError } from '../../daemon/api/admin/contract.ts'
import { adminSocketPath } from '../../daemon/host/paths.ts'

/**
 * @param path with the query, `/wait?revision=7`
 * @returns the answer's body
 * @throws Error with the AdminError's code and message, or what the socket said
 */
export function adminRequest<Answer> (lab: string, method: string, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: adminSocketPath(lab), path, method }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => { text += chunk })
      response.on('error', reject)
      response.on('end', () => {
        if ((response.statusCode ?? 500) < 400) {
          resolve(JSON.parse(text) as Answer)
          return
        }
        const { code, message } = JSON.parse(text) as AdminError
        reject(new Error(`${method} ${path}: ${code}: ${message}`))
      })
    })
    call.on('error', reject)
    call.end()
  })
}
