/**
 * What has to happen so that the lab is as the file says: pure, from two lists of resources to one
 * list of actions.
 *
 *     + create    the lab has nothing of that name
 *     ~ change    fields differ that EC2 can change
 *     ! replace   fields differ that it cannot, or what it stands in is replaced
 *     - delete    the file owned it before and names it no more (with --prune)
 *
 * Only what the file names, or owns by its tag, is ever touched. What has the right name and no
 * owner becomes the file's when it can stay; where it would have to be replaced, that is a fault,
 * unless somebody says --adopt: the file never made it. What another file owns is a fault in any
 * case. All faults are found before anything is done.
 */
import { type LabCommand, RESTARTING } from './kinds/instance.ts'
import { type Holder, holder } from './kinds/kind.ts'
import { isBorn, KINDS } from './kinds/registry.ts'
import type { Rule } from './kinds/security_group.ts'
import type { LiveLab } from './live.ts'
import {
  canonicalJson, commandHash, type Fields, keyOf, type LiveResource, type Resource
} from './resource.ts'
import { fieldAgrees, seenField } from './resources_of.ts'
import { KEY_FIELD, OWNER_TAG } from './schema_parts.ts'

export interface FieldChange {
  readonly field: string
  /** undefined: the lab has no such value. */
  readonly from: unknown
  readonly to: unknown
}

export type ActionKind = 'create' | 'change' | 'replace' | 'delete'

export interface Action {
  readonly action: ActionKind
  readonly key: string
  /** As it shall be; what is deleted, as it is. */
  readonly resource: Resource
  /** As it is; undefined for what is created. */
  readonly live: LiveResource | undefined
  /** Of a change, all fields; of a replacement, those that make it necessary. */
  readonly changes: readonly FieldChange[]
  /** Why something is replaced that did not change itself. */
  readonly because?: string
}

/** A command that an instance will run. */
export interface CommandRun {
  readonly key: string
  readonly instance: string
  readonly command: LabCommand
  readonly hash: string
}

export interface Plan {
  readonly actions: readonly Action[]
  readonly commands: readonly CommandRun[]
  /** Owned by the file and named no more, left alone without --prune. */
  readonly kept: readonly LiveResource[]
  /** Why the plan cannot be carried out, in sentences. */
  readonly faults: readonly string[]
}

export interface PlanOptions {
  /** Name of the file. */
  readonly owner: string
  readonly prune: boolean
  /** Whether what nobody owns may even be replaced. */
  readonly adopt: boolean
  /** Hashes of the services that run now, by key of their instance. */
  readonly services: ReadonlyMap<string, ReadonlySet<string>>
}

export function makePlan (wanted: readonly Resource[], live: LiveLab,
  options: PlanOptions): Plan {
  const planner = new Planner(wanted, live, options)
  return planner.plan()
}

class Planner {
  readonly #wanted: ReadonlyMap<string, Resource>
  readonly #live: LiveLab
  readonly #options: PlanOptions
  readonly #actions = new Map<string, Action>()
  readonly #faults: string[] = []
  /** Keys of what the file did not make and would have to replace. */
  readonly #strangers = new Set<string>()

  constructor (wanted: readonly Resource[], live: LiveLab, options: PlanOptions) {
    this.#wanted = new Map(wanted.map((resource) =>
      [keyOf(resource.kind, resource.vpc, resource.name), resource]))
    this.#live = live
    this.#options = options
  }

  plan (): Plan {
    for (const [key, resource] of this.#wanted) this.#compare(key, resource)
    const kept = this.#prune()
    this.#checkContents()
    return {
      actions: [...this.#actions.values()],
      commands: [...this.#wanted].flatMap(([key, resource]) => this.#commandsOf(key, resource)),
      kept,
      faults: this.#faults
    }
  }

  #compare (key: string, resource: Resource): void {
    const live = this.#live.resources.get(key)
    const rivals = this.#live.ambiguous.get(key)
    if (rivals !== undefined) {
      this.#faults.push(`${String(rivals.length)} resources of the lab are the ${key}: ` +
        `${rivals.join(', ')}. Give all but one another Name tag`)
      return
    }
    if (live === undefined) {
      if (!isBorn(resource)) {
        this.#actions.set(key, { action: 'create', key, resource, live, changes: [] })
      } else if (Object.keys(resource.fields).length > 0) {
        const changes = Object.entries(resource.fields)
          .map(([field, to]) => ({ field, from: undefined, to }))
        this.#actions.set(key, { action: 'change', key, resource, live, changes })
      }
      return
    }
    if (live.owner !== null && live.owner !== this.#options.owner) {
      this.#faults.push(`${key} (${live.id}) belongs to the lab file "${live.owner}"`)
      return
    }
    const changes = this.#differences(resource, live)
    const because = this.#parentReplaced(resource)
    const needing = changes.filter((change) => needsReplacement(resource, change))
    if (because !== undefined || needing.length > 0) {
      if (isBorn(resource)) {
        this.#actions.set(key, { action: 'change', key, resource, live: undefined, changes })
        return
      }
      if (live.owner === null && !this.#options.adopt) {
        this.#strangers.add(key)
        this.#faults.push(strangerFault(key, live, because, needing))
        return
      }
      this.#actions.set(key, {
        action: 'replace', key, resource, live, changes: needing, ...because && { because }
      })
      return
    }
    for (const change of changes) {
      const refusal = KINDS[resource.kind].refusal?.(change)
      if (refusal === undefined) continue
      this.#faults.push(`${key} (${live.id}) has the ${change.field} ${show(change.from)}, ` +
        refusal)
      return
    }
    if (changes.length > 0) {
      this.#actions.set(key, { action: 'change', key, resource, live, changes })
    }
  }

  #differences (resource: Resource, live: LiveResource): FieldChange[] {
    const { kind, fields } = resource
    const changes: FieldChange[] = Object.entries(fields)
      .filter(([field, to]) => !fieldAgrees(kind, field, to, live.fields[field]))
      .map(([field, to]) =>
        ({ field, from: seenField(kind, field, to, live.fields[field]), to }))
    const { attachedBy: field = '' } = KINDS[kind]
    const [vpc] = holder('vpc', null, fields[field])
    if (vpc !== undefined && this.#actions.get(vpc.key)?.action === 'replace' &&
      !changes.some((change) => change.field === field)) {
      changes.push({ field, from: undefined, to: fields[field] })
    }
    if (live.owner === null && !isBorn(resource)) {
      changes.push({ field: OWNER_TAG, from: undefined, to: this.#options.owner })
    }
    return changes
  }

  /** The resource that this one stands in and goes with, if that is replaced. */
  #parentReplaced (resource: Resource): string | undefined {
    const replaced = holdersOf(resource).find(({ key }) =>
      this.#actions.get(key)?.action === 'replace')
    if (replaced === undefined) return undefined
    const { key, as } = replaced
    return `${key}${as === undefined ? '' : `, ${as},`} is replaced`
  }

  /** @returns what stays because --prune is not given */
  #prune (): LiveResource[] {
    const kept: LiveResource[] = []
    for (const [key, live] of this.#live.resources) {
      if (this.#wanted.has(key) || live.owner !== this.#options.owner) continue
      if (this.#options.prune) {
        this.#actions.set(key, { action: 'delete', key, resource: live, live, changes: [] })
      } else {
        kept.push(live)
      }
    }
    return kept
  }

  /** What is deleted or replaced must hold nothing that stays. */
  #checkContents (): void {
    for (const [key, live] of this.#live.resources) {
      const holder = this.#holderThatGoes(live)
      const goes = ['delete', 'replace'].includes(this.#actions.get(key)?.action ?? '')
      if (holder === undefined || goes || isBorn(live) || this.#strangers.has(key)) continue
      this.#faults.push(`${holder} has to go, but ${key} (${live.id}), which needs it, is ` +
        (live.owner === this.#options.owner
          ? 'no more in the file: say --prune to delete it'
          : 'not the file\'s: delete it yourself, or leave what it needs as it is'))
    }
  }

  /** Of what moves out of it in time, where it moves to. */
  #holderThatGoes (live: LiveResource): string | undefined {
    const wanted = this.#wanted.get(keyOf(live.kind, live.vpc, live.name))
    const then = { ...live, fields: { ...live.fields, ...wanted?.fields } }
    return holdersOf(then).find(({ key }) =>
      ['delete', 'replace'].includes(this.#actions.get(key)?.action ?? ''))?.key
  }

  #commandsOf (key: string, resource: Resource): CommandRun[] {
    if (resource.fields['state'] === 'stopped') return []
    const action = this.#actions.get(key)
    const isNew = action?.action === 'create' || action?.action === 'replace'
    const boots = action?.changes.some(({ field }) => RESTARTING.has(field)) ?? false
    const done = new Set(isNew ? [] : this.#live.resources.get(key)?.commandsDone)
    const services = isNew || boots ? undefined : this.#options.services.get(key)
    return (resource.commands ?? []).map((command) =>
      ({ key, instance: resource.name, command, hash: commandHash(command) }))
      .filter(({ command, hash }) => command.background
        ? services?.has(hash) !== true
        : command.when === 'always' || !done.has(hash))
  }
}

/** Why something that the file did not make is not replaced, and what to do. */
function strangerFault (key: string, live: LiveResource, because: string | undefined,
  changes: readonly FieldChange[]): string {
  const why = because ?? changes.map(({ field, from, to }) =>
    `${field} ${show(from)} → ${show(to)}`).join(', ')
  return `${key} (${live.id}) was not made by this file, and would have to be replaced (${why}): ` +
    'give what the file means another name, delete the one that is there, or say --adopt to ' +
    `replace it; lost then: ${KINDS[live.kind].lost}`
}

/** What a resource stands in and is made anew with: its VPC, and what its kind says. */
export function holdersOf (resource: Resource): readonly Holder[] {
  return [
    ...holder('vpc', null, resource.vpc), ...KINDS[resource.kind].holders?.(resource) ?? []
  ]
}

function needsReplacement (resource: Resource, change: FieldChange): boolean {
  const kind = KINDS[resource.kind]
  return kind.immutable.includes(change.field) || kind.needsReplacement?.(change, resource) === true
}

/** A change as it is shown: of a key that differs, only that it does. */
export function shownChange ({ field, from, to }: FieldChange): FieldChange {
  const [before, after] = [from, to] as readonly (Fields | null | undefined)[]
  const [old, wanted] = [before?.[KEY_FIELD], after?.[KEY_FIELD]]
  if (typeof to !== 'object' || (old === undefined && wanted === undefined)) {
    return { field, from, to }
  }
  const hide = (map: Fields | null | undefined, word: string): unknown =>
    map?.[KEY_FIELD] === undefined ? map : { ...map, [KEY_FIELD]: word }
  return old === wanted
    ? { field, from: hide(before, '(the same)'), to: hide(after, '(the same)') }
    : { field, from: hide(before, '(the old one)'), to: hide(after, '(another one)') }
}

const SIGNS: Readonly<Record<ActionKind, string>> =
  { create: '+', change: '~', replace: '!', delete: '-' }

/** The plan for a person, a line or more for each action. */
export function planLines ({ actions, commands, kept }: Plan): string[] {
  return [
    ...actions.flatMap((action) => [
      `${SIGNS[action.action]} ${action.action} ${action.key}${idNote(action)}`,
      ...action.changes.map(shownChange)
        .map(({ field, from, to }) => changeLine(field, from, to)),
      ...action.because === undefined ? [] : [`    because ${action.because}`],
      ...action.action === 'replace'
        ? [`    lost: ${KINDS[action.resource.kind].lost}`]
        : [],
      ...restartNote(action)
    ]),
    ...commands.map(({ key, command }) =>
      `> ${command.background ? 'start' : 'run'} in ${key}: ${firstLine(command.run)}`),
    ...kept.map(({ kind, vpc, name, id }) =>
      `  keep ${keyOf(kind, vpc, name)} (${id}): no more in the file; --prune deletes it`)
  ]
}

function idNote ({ live }: Action): string { return live === undefined ? '' : ` (${live.id})` }

function restartNote ({ action, resource, changes }: Action): string[] {
  const stops = action === 'change' && resource.kind === 'instance' &&
    changes.some(({ field }) => field === 'type' || field === 'user-data')
  return stops ? ['    the instance is stopped for it: its processes end'] : []
}

/** Lists and maps show what comes and goes, single values what was and will be. */
function changeLine (field: string, from: unknown, to: unknown): string {
  const before = entriesOf(from)
  const after = entriesOf(to)
  if (before === null || after === null) return `    ${field}: ${show(from)} → ${show(to)}`
  const gone = before.filter((entry) => !after.includes(entry)).map((entry) => `- ${entry}`)
  const come = after.filter((entry) => !before.includes(entry)).map((entry) => `+ ${entry}`)
  return `    ${field}: ${[...gone, ...come].join(', ') || 'another order'}`
}

function entriesOf (value: unknown): string[] | null {
  if (value === undefined) return []
  if (Array.isArray(value)) return value.map(show)
  if (typeof value !== 'object' || value === null) return null
  return Object.entries(value).map(([key, inner]) => `${key} ${show(inner)}`)
}

/** One value in words. */
export function show (value: unknown): string {
  if (value === undefined || value === null) return '(none)'
  if (typeof value === 'string') return value === '' ? '""' : firstLine(value)
  if (typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return value.map(show).join(', ') || '(none)'
  if ('peer' in value) return showRule(value as Rule)
  const [only, ...more] = Object.entries(value)
  if (only !== undefined && more.length === 0 && typeof only[1] === 'string') {
    return `${only[0]} ${only[1]}`
  }
  return canonicalJson(value)
}

function showRule ({ protocol, from, to, peer, description }: Rule): string {
  const ports = from === -1 && to === -1 ? '' : from === to ? ` ${String(from)}`
    : ` ${String(from)}-${String(to)}`
  const note = description === '' ? '' : ` (${description})`
  return `${protocol === '-1' ? 'all' : protocol}${ports} ${peer}${note}`
}

const LINE_CHARACTERS_MAX = 60

function firstLine (text: string): string {
  const [line = '', ...more] = text.trim().split('\n')
  return line.length > LINE_CHARACTERS_MAX
    ? `${line.slice(0, LINE_CHARACTERS_MAX)}…`
    : more.length > 0 ? `${line} …` : line
}
