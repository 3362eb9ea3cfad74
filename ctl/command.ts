/**
 * What a command of `vpcctl` is: a value. `program.ts` turns it into commander's commands, help and
 * checks; a noun's file under `commands/` holds nothing else.
 *
 * A verb maps to one action of the EC2 API (or one route of the admin API), named in `action` and
 * printed by `--help`: nothing is possible only through `vpcctl`. To add a command: one value in
 * `commands/<noun>.ts`; to add a noun: that file and one line in `commands/registry.ts`.
 */
import type { Context } from './context.ts'
import { usageError } from './exit_codes.ts'

export interface Command {
  /** The verb, `create`; for a noun that is a command by itself (`vpcctl env`), the noun. */
  readonly name: string
  /** One line without a full stop, beginning with an imperative. */
  readonly summary: string
  /**
   * `CreateVpc`, `A, or B when …` for one of two actions, `GET /drops (admin API)`, or what it does
   * on this machine. `--dry-run` is for the first two forms alone (`isEc2Action`).
   */
  readonly action: string
  /** In order: `<needed>`, `[optional]`, `[rest...]`. */
  readonly arguments?: readonly CommandArgument[]
  readonly options?: readonly CommandOption[]
  /** It answers `--dry-run` itself, though it is not one EC2 action: see `Context.dryRun`. */
  readonly plansDryRun?: true
  /** The last argument is a command line: options behind its first word are its own. */
  readonly endsInCommandLine?: true
  /** Whole sentences for the help, about what the options do not say. */
  readonly note?: string
  /** At least one whole command line. */
  readonly examples: readonly string[]
  /** @returns an exit code; nothing is 0 */
  readonly run: (context: Context, input: Input) => Promise<number> | Promise<void>
}

/** EC2's words for what changes nothing. */
export const READING_ACTION = /^(Describe|Get)[A-Z]/

/** Marks a command. (It gives `run` its types; the value is the argument itself.) */
export function defineCommand (command: Command): Command { return command }

/**
 * Whether a command is one action of the EC2 API, so that the API itself can answer `--dry-run`.
 * @param action as in Command
 */
export function isEc2Action (action: string): boolean {
  return /^[A-Z][A-Za-z0-9]*[a-z0-9](, or [A-Z].*)?$/.test(action)
}

/** Whether a command that is one action of the EC2 API changes nothing. */
export function onlyReads (action: string): boolean {
  return READING_ACTION.test(action)
}

export interface CommandArgument {
  /** `<vpc>` */
  readonly syntax: string
  readonly description: string
  /** All that it may be, checked and completed. */
  readonly values?: readonly string[]
}

export interface CommandOption {
  /** As commander writes it: `--name <name>`, `--ipv6 [block]`, `--no-wait`. */
  readonly flags: string
  readonly description: string
  /** May be given several times. */
  readonly repeats?: boolean
  readonly required?: boolean
  /** All that its value may be, checked and completed. */
  readonly values?: readonly string[]
}

/** What was typed, checked while it is read. Every method throws a usage error (exit code 2). */
export class Input {
  readonly #arguments: ReadonlyMap<string, string | readonly string[]>
  readonly #options: Readonly<Record<string, unknown>>

  /**
   * @param argumentValues by name without brackets
   * @param options by commander's camelCase name
   */
  constructor (argumentValues: ReadonlyMap<string, string | readonly string[]>,
    options: Readonly<Record<string, unknown>>) {
    this.#arguments = argumentValues
    this.#options = options
  }

  /** A needed argument: `argument('vpc')` for `<vpc>`. */
  argument (name: string): string {
    const value = this.#arguments.get(name)
    if (typeof value !== 'string') throw usageError(`<${name}> is missing`)
    return value
  }

  optionalArgument (name: string): string | undefined {
    const value = this.#arguments.get(name)
    return typeof value === 'string' ? value : undefined
  }

  /** All values of `[name...]` or `<name...>`. */
  rest (name: string): readonly string[] {
    const value = this.#arguments.get(name)
    return Array.isArray(value) ? value as readonly string[] : []
  }

  /** Value of `--name <value>`; undefined when it was not given, or given without a value. */
  text (name: string): string | undefined {
    const value = this.#options[name]
    return typeof value === 'string' ? value : undefined
  }

  needed (name: string): string {
    const value = this.text(name)
    if (value === undefined) throw usageError(`${flagOf(name)} is missing`)
    return value
  }

  /** True for `--name` and for `--name [value]` without a value. */
  flag (name: string): boolean { return this.#options[name] === true }

  /** Values of an option that repeats; each may hold several, separated by commas. */
  list (name: string): string[] {
    const value = this.#options[name]
    if (!Array.isArray(value)) return []
    return (value as string[]).flatMap((text) => text.split(',')).filter((text) => text !== '')
  }

  /** Values of an option that repeats, as they were given: a comma is part of the value. */
  texts (name: string): readonly string[] {
    const value = this.#options[name]
    return Array.isArray(value) ? value as readonly string[] : []
  }

  /** `--name on|off` */
  onOff (name: string): boolean | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    if (value !== 'on' && value !== 'off') {
      throw usageError(`${flagOf(name)} is "on" or "off", not "${value}"`)
    }
    return value === 'on'
  }

  integer (name: string, min: number, max: number): number | undefined {
    const value = this.text(name)
    return value === undefined ? undefined : parseInteger(flagOf(name), value, min, max)
  }

  /** Tags from `--name` and `--tag key=value`, for TagSpecifications. */
  tags (): { Key: string, Value: string }[] {
    const tags = this.list('tag').map(parseTag)
    const name = this.text('name')
    return name === undefined ? tags : [{ Key: 'Name', Value: name }, ...tags]
  }
}

/** The options that every command which makes a resource has. */
export const TAG_OPTIONS: readonly CommandOption[] = [
  {
    flags: '--name <name>',
    description: 'value of the tag "Name"; other commands accept it for the id'
  },
  { flags: '--tag <key=value>', description: 'a tag', repeats: true }
]

export const TIMEOUT_OPTION: CommandOption = {
  flags: '--timeout <seconds>', description: 'longest wait, 1 to 3600 (default: 60)'
}

/** ms; the default of TIMEOUT_OPTION is 60 s. */
export function timeoutMs (input: Input): number {
  return (input.integer('timeout', 1, 3600) ?? 60) * 1000
}

/** @param what what the person would recognise: `--count`, `<revision>` */
export function parseInteger (what: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw usageError(`${what} is an integer from ${String(min)} to ${String(max)}, not "${text}"`)
  }
  return value
}

/** `key=value`; a key alone has the empty value. */
export function parseTag (text: string): { Key: string, Value: string } {
  const at = text.indexOf('=')
  if (at === 0) throw usageError(`a tag is "key=value", not "${text}"`)
  return at === -1
    ? { Key: text, Value: '' }
    : { Key: text.slice(0, at), Value: text.slice(at + 1) }
}

function flagOf (name: string): string {
  return `--${name.replace(/[A-Z0-9]+/g, (letters, at) =>
    at === 0 || /^\d/.test(letters) ? letters : `-${letters.toLowerCase()}`)}`
}
