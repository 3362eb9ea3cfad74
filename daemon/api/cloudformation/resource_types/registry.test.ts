/** The table of resource types, and the one in docs/stacks.md, which say the same. */
import test from 'ava'
import { readFileSync } from 'node:fs'
import type { UpdateBehavior } from '../property.ts'
import type { ResourceType } from '../resource_type.ts'
import { STACK_ACTIONS } from '../service.ts'
import { RESOURCE_TYPES } from './registry.ts'

const DOCUMENT = readFileSync(new URL('../../../../docs/stacks.md', import.meta.url), 'utf8')

function rowOf ({ name, properties, ref, attributes }: ResourceType): string {
  const of = (update: UpdateBehavior): string => Object.entries(properties)
    .filter(([, property]) => property.update === update)
    .map(([property, { required }]) => required ? `**${property}**` : property).join(', ')
  const cells = [`\`${name}\``, of('replaces'), of('in place'), of('interrupts'), ref,
    attributes.join(', ')]
  return `| ${cells.map((cell) => cell === '' ? '–' : cell).join(' | ')} |`
}

test('docs/stacks.md has a row for every resource type, and no other', (t) => {
  const rows = DOCUMENT.split('\n').filter((line) => line.startsWith('| `AWS::'))
  t.deepEqual(rows, [...RESOURCE_TYPES.values()].map(rowOf))
})

test('docs/stacks.md lists the actions that are built, and no other', (t) => {
  const line = DOCUMENT.split('\n\n').find((text) => text.startsWith('Actions: ')) ?? ''
  t.deepEqual([...line.matchAll(/`([A-Z]\w+)`/g)].map((match) => match[1]).toSorted(),
    Object.keys(STACK_ACTIONS).toSorted())
})

test('what carries tags takes them, and an attribute of every type can be read', (t) => {
  for (const type of RESOURCE_TYPES.values()) {
    t.is(Object.hasOwn(type.properties, 'Tags'), type.tagged, type.name)
    t.is(type.read !== undefined, type.attributes.length > 0, type.name)
  }
})
