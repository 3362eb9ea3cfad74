/**
 * What the kernel knows of the namespaces of a lab, for the report of a test whose packets did not
 * arrive: rules with their counters, devices, routes, neighbours, and counters of the stack that
 * are not 0.
 */
import { readdirSync } from 'node:fs'
import { NAMESPACE_DIRECTORY } from '../../daemon/host/paths.ts'
import { inside, tryCommand } from './command.ts'

const QUESTIONS = [
  ['nft', 'list', 'ruleset'], ['ip', '-br', 'addr'], ['ip', 'route'], ['ip', 'neigh'],
  ['ip', '-s', 'link'], ['nstat', '-as']
] as const

/** @param lab whose name is part of the names of its namespaces */
export async function evidenceOf (lab: string): Promise<string> {
  const namespaces = readdirSync(NAMESPACE_DIRECTORY).filter((name) => name.includes(lab))
  const told: string[] = []
  for (const namespace of namespaces) {
    for (const question of QUESTIONS) {
      const { stdout } = await tryCommand('ip', inside(namespace, question))
      if (stdout !== '') told.push(`── ${namespace}: ${question.join(' ')}\n${stdout}`)
    }
  }
  return told.join('')
}
