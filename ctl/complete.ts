/**
 * What may stand at the end of a command line: nouns, verbs, options, and the values that the
 * running lab knows. The scripts of `vpcctl completion` ask it: `vpcctl __complete <word...>`.
 *
 *     vpcctl __complete subnet create w          a line per candidate: word, tab, what it is
 *     web     vpc-0123456789abcdef0
 *
 * The last word is the one being typed, empty perhaps. The line `:files` alone asks the shell to
 * complete the name of a file. Where nothing is known, as while the lab is down, nothing is said.
 */
import { readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { stateDirectory } from '../daemon/host/paths.ts'
import type { Command, CommandOption } from './command.ts'
import { NOUNS } from './commands/registry.ts'
import type { Context } from './context.ts'
import { GLOBAL_OPTIONS } from './global_options.ts'
import { NAMEABLES } from './resolve.ts'

export interface Candidate {
  readonly word: string
  /** One line, or an empty text. */
  readonly about: string
}

/** Instead of candidates: names of files. */
export const FILES = ':files'

/** Placeholders for files on this machine. */
const FILE_PLACEHOLDERS = new Set(['file', 'path', 'directory', 'archive', 'template'])

/** Values of the lab by placeholder (`<zone>`), besides those that NAMEABLES lists. */
const LAB_VALUES: Readonly<Record<string, (context: Context) => Promise<Candidate[]>>> = {
  lab: () => Promise.resolve(labNames()),
  host: async ({ admin }) => (await admin.status()).hosts
    .map(({ name, zoneId }) => ({ word: name, about: zoneId })),
  zone: async (context) =>
    ((await (await context.ec2()).call('DescribeAvailabilityZones', {})).AvailabilityZones ?? [])
      .map(({ ZoneName = '', ZoneId = '' }) => ({ word: ZoneName, about: ZoneId })),
  image: async (context) =>
    ((await (await context.ec2()).call('DescribeImages', {})).Images ?? [])
      .map(({ ImageId = '', Name = '' }) => ({ word: ImageId, about: Name })),
  type: async (context) => (await (await context.ec2()).all('DescribeInstanceTypes', {},
    (page) => page.InstanceTypes))
    .map(({ InstanceType = '' }) => ({ word: InstanceType, about: '' })),
  quota: async ({ admin }) => (await admin.quotas()).quotas
    .map(({ name, what }) => ({ word: name, about: what })),
  id: async (context) => {
    const all = await Promise.all(NAMEABLES.map(({ idPrefix }) => namedOf(idPrefix, context)))
    return all.flat().filter(({ word }) => NAMEABLES.some((kind) => word.startsWith(kind.idPrefix)))
  }
}

/** Placeholders that stand for a kind of resource, by its id prefix. */
const PREFIX_OF_PLACEHOLDER: Readonly<Record<string, string>> = {
  ...Object.fromEntries(NAMEABLES.map(({ noun, idPrefix }) => [noun, idPrefix])),
  group: 'sg-'
}

/**
 * @param words all behind `vpcctl`, the last one as far as it was typed
 * @param contextOf makes the context of a lab, for `--lab` may stand among the words
 * @returns FILES, or candidates that begin with the last word
 */
export async function complete (words: readonly string[],
  contextOf: (lab: string | undefined) => Context): Promise<readonly Candidate[] | typeof FILES> {
  const typed = words.at(-1) ?? ''
  const line = await readLine(words.slice(0, -1))
  const found = await candidatesFor(line, typed, contextOf(line.lab))
  if (found === FILES) return FILES
  return found.filter(({ word }) => word.startsWith(typed))
}

/** What the words before the last one mean. */
interface Line {
  readonly nounName: string | undefined
  /** The noun's verbs, or nothing for a noun that is a command by itself. */
  readonly verbs: readonly Command[]
  readonly command: Command | undefined
  /** Arguments given. */
  readonly argumentCount: number
  /** The option whose value is being typed. */
  readonly option: CommandOption | undefined
  /** Behind `--`, or in the command line of `instance exec`: words of another program. */
  readonly isForeign: boolean
  readonly lab: string | undefined
}

async function readLine (words: readonly string[]): Promise<Line> {
  let nounName: string | undefined
  let verbs: readonly Command[] = []
  let command: Command | undefined
  let argumentCount = 0
  let option: Line['option']
  let lab: string | undefined
  let isForeign = false
  for (const word of words) {
    if (isForeign) break
    if (option !== undefined) {
      if (option.flags.startsWith('--lab ')) lab = word
      option = undefined
    } else if (word === '--') {
      isForeign = true
    } else if (word.startsWith('-')) {
      const known = optionsOf(command).find(({ flags }) =>
        flags.split(/[ ,]+/).includes(word))
      if (known?.flags.includes('<') === true) option = known
    } else if (nounName === undefined) {
      nounName = word
      const loaded = await NOUNS.find((noun) => noun.name === word)?.load()
      if (Array.isArray(loaded)) verbs = loaded as readonly Command[]
      else command = loaded as Command | undefined
    } else if (command === undefined) {
      command = verbs.find((verb) => verb.name === word)
    } else {
      argumentCount++
      isForeign = command.endsInCommandLine === true &&
        argumentCount >= (command.arguments?.length ?? 0) - 1
    }
  }
  return { nounName, verbs, command, argumentCount, option, isForeign, lab }
}

async function candidatesFor (line: Line, typed: string,
  context: Context): Promise<readonly Candidate[] | typeof FILES> {
  const { nounName, verbs, command, option } = line
  if (line.isForeign) return FILES
  if (option !== undefined) return await valuesOf(placeholderOf(option.flags), option, context)
  if (typed.startsWith('-')) return optionsOf(command).flatMap(optionWords)
  if (nounName === undefined) {
    return NOUNS.map(({ name, summary }) => ({ word: name, about: summary }))
  }
  if (command === undefined) {
    return verbs.map(({ name, summary }) => ({ word: name, about: summary }))
  }
  const last = command.arguments?.at(-1)
  const argument = command.arguments?.[line.argumentCount] ??
    (last?.syntax.includes('...') === true ? last : undefined)
  return argument === undefined
    ? []
    : await valuesOf(placeholderOf(argument.syntax), argument, context)
}

function optionsOf (command: Command | undefined): readonly CommandOption[] {
  return [...command?.options ?? [], ...GLOBAL_OPTIONS]
}

/** The long forms of an option. */
function optionWords ({ flags, description }: CommandOption): Candidate[] {
  return flags.split(/[ ,]+/).filter((word) => word.startsWith('--'))
    .map((word) => ({ word, about: description }))
}

/** `vpc` of `--vpc <vpc>`, of `[vpc]` and of `<vpc...>`. */
function placeholderOf (syntax: string): string {
  return /[<[]([^\]>.]+)/.exec(syntax)?.[1] ?? ''
}

async function valuesOf (placeholder: string, { values }: Pick<CommandOption, 'values'>,
  context: Context): Promise<readonly Candidate[] | typeof FILES> {
  const fixed = values ?? (placeholder.includes('|') ? placeholder.split('|') : undefined)
  if (fixed !== undefined) return fixed.map((word) => ({ word, about: '' }))
  if (FILE_PLACEHOLDERS.has(placeholder)) return FILES
  const prefix = PREFIX_OF_PLACEHOLDER[placeholder]
  const find = prefix === undefined
    ? LAB_VALUES[placeholder]
    : (of: Context) => namedOf(prefix, of)
  // No lab, no values: a person who presses the tab key has not asked for an error.
  return await find?.(context).catch(() => []) ?? []
}

/** Names, and ids, of all resources of a kind. */
async function namedOf (idPrefix: string, context: Context): Promise<Candidate[]> {
  const kind = NAMEABLES.find((one) => one.idPrefix === idPrefix)
  const all = await kind?.list(await context.ec2(), []) ?? []
  return [
    ...all.flatMap(({ id, names }) => names.map((name) => ({ word: name, about: id }))),
    ...all.map(({ id, names }) => ({ word: id, about: names.join(', ') }))
  ]
}

function labNames (): Candidate[] {
  try {
    return readdirSync(dirname(stateDirectory('lab'))).map((word) => ({ word, about: '' }))
  } catch {
    return []
  }
}
