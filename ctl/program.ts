/**
 * `vpcctl` as a tree of commander commands, built from the values of `commands/`.
 *
 *     arguments ─▶ noun ─ registry: load one file ─▶ commander ─▶ Input ─▶ command.run ─▶ exit code
 *
 * Only the file of the noun that was typed is loaded; the others appear in the help by the summary
 * in the registry. That keeps `vpcctl --help` quick however many nouns there are.
 */
import { Argument, Command as CommanderCommand, CommanderError, Option } from 'commander'
import type { Clock } from '../daemon/base/clock.ts'
import { LAB_NAME_DEFAULT, LAB_NAME_PATTERN } from '../daemon/host/paths.ts'
import {
  type Command, type CommandArgument, type CommandOption, Input, isEc2Action, onlyReads
} from './command.ts'
import { NOUN_GROUPS, NOUNS, type Noun } from './commands/registry.ts'
import { Context } from './context.ts'
import {
  asCtlError, CtlError, EXIT_CODE_MEANINGS, EXIT_DONE, EXIT_USAGE, usageError
} from './exit_codes.ts'
import { GLOBAL_OPTIONS, type GlobalOptions } from './global_options.ts'
import { Output, type OutputOptions } from './print/output.ts'

export interface ProgramOptions extends Omit<OutputOptions, 'form'> {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** Printed by `--version`. */
  readonly version: string
}

/** The word by which the scripts of `vpcctl completion` ask for candidates. */
const COMPLETE = '__complete'

/**
 * Runs one command line and reports its failure.
 * @param words without the names of node and of the script
 * @returns the exit code (exit_codes.ts)
 */
export async function runProgram (words: readonly string[],
  options: ProgramOptions): Promise<number> {
  let exitCode = EXIT_DONE
  const program = makeProgram(options)
  if (words[0] === COMPLETE) return await printCandidates(words.slice(1), options)
  try {
    const loaded = nounsTyped(program, words)
    const separated = await separateCommandLine(program, words)
    // commander shows headings in the order in which their first command was added.
    for (const noun of NOUN_GROUPS.flatMap((group) => NOUNS.filter((one) => one.group === group))) {
      program.addCommand(await makeNoun(noun, loaded.has(noun.name), options, program,
        (code) => { exitCode = code }))
    }
    await program.parseAsync(separated, { from: 'user' })
    return exitCode
  } catch (error) {
    // commander has printed its own complaint or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_DONE : EXIT_USAGE
    const failure = asCtlError(error)
    if (failure === null) throw error
    const globals = program.opts<GlobalOptions>()
    const hint = await hintOf(failure, globals, options)
    const { code, message } = failure
    options.stderr.write(globals.json === true
      ? `${JSON.stringify({ error: { code, message, hint } })}\n`
      : `vpcctl: ${code}: ${message}\n${hint === undefined ? '' : indented(`hint: ${hint}`)}`)
    return failure.exitCode
  }
}

/** Answers the completion scripts, which show no error: what fails has no candidates. */
async function printCandidates (words: readonly string[],
  options: ProgramOptions): Promise<number> {
  const { complete, FILES } = await import('./complete.ts')
  const found = await complete(words, (lab) => quietContext({ lab }, options))
  const lines = found === FILES
    ? [FILES]
    : found.map(({ word, about }) => about === '' ? word : `${word}\t${about}`)
  for (const line of lines) options.stdout.write(`${line}\n`)
  return EXIT_DONE
}

/** What to do about a failure, if the table of hints knows it and the lab still answers. */
async function hintOf (failure: CtlError, globals: GlobalOptions,
  options: ProgramOptions): Promise<string | undefined> {
  if (failure.code === 'Usage') return undefined
  const { findHint } = await import('./hints.ts')
  return await findHint(failure, quietContext(globals, options))
}

/** For looking at the lab besides the command proper. */
function quietContext (globals: GlobalOptions, options: ProgramOptions): Context {
  const { stdout, stderr, clock, environment } = options
  const output = new Output({ form: 'quiet', stdout, stderr })
  return new Context({ lab: labName(globals, options), dryRun: false, output, clock, environment })
}

function indented (text: string): string {
  return text.split('\n').map((line) => `  ${line}\n`).join('')
}

function makeProgram (options: ProgramOptions): CommanderCommand {
  const program = configure(new CommanderCommand('vpcctl'), options)
    .description('Controls vpclab: a real VPC on Linux, with the EC2 API.')
    .usage('[options] <noun> <verb> ...')
    .version(options.version)
    .addHelpText('after', `
Exit codes:
${EXIT_CODE_MEANINGS.map((meaning, code) => `  ${String(code)}  ${meaning}`).join('\n')}
  "instance exec" and "instance shell" end with the code of the command they ran.

Examples:
  $ vpcctl lab up --hosts 2
  $ vpcctl vpc create 10.0.0.0/16 --name web
  $ vpcctl subnet create web 10.0.1.0/24 --name front
  $ vpcctl instance run front --name a`)
  for (const option of GLOBAL_OPTIONS) program.addOption(makeOption(option))
  return program
}

/** Names of the nouns whose files this command line needs. */
function nounsTyped (program: CommanderCommand, words: readonly string[]): Set<string> {
  const operands = operandIndexes(program, words).map((index) => words[index] ?? '')
  return new Set(operands[0] === 'help' ? operands.slice(1, 2) : operands.slice(0, 1))
}

/**
 * Where the words that are no option stand, up to `--`. Of options only the global ones that take
 * a value matter: no noun, and no command that `endsInCommandLine`, has any of its own.
 */
function operandIndexes (program: CommanderCommand, words: readonly string[]): number[] {
  const end = words.includes('--') ? words.indexOf('--') : words.length
  const withValue = program.options.filter((option) => option.required)
  const indexes: number[] = []
  for (let index = 0; index < end; index++) {
    const word = words[index] ?? ''
    if (!word.startsWith('-')) indexes.push(index)
    else if (withValue.some(({ short, long }) => word === short || word === long)) index++
  }
  return indexes
}

/**
 * `instance exec a ls -d /tmp` as `instance exec a -- ls -d /tmp`. (commander's passThroughOptions
 * would do it at the cost of global options behind the noun.)
 */
async function separateCommandLine (program: CommanderCommand,
  words: readonly string[]): Promise<readonly string[]> {
  const indexes = operandIndexes(program, words)
  const [nounName, verbName] = indexes.map((index) => words[index])
  const loaded = await NOUNS.find((noun) => noun.name === nounName)?.load()
  if (!Array.isArray(loaded)) return words
  const verb = (loaded as readonly Command[]).find((command) => command.name === verbName)
  if (verb?.endsInCommandLine !== true) return words
  const start = indexes[1 + (verb.arguments?.length ?? 0)]
  return start === undefined ? words : [...words.slice(0, start), '--', ...words.slice(start)]
}

async function makeNoun (noun: Noun, load: boolean, options: ProgramOptions,
  program: CommanderCommand, setExitCode: (code: number) => void): Promise<CommanderCommand> {
  const command = configure(new CommanderCommand(noun.name), options).description(noun.summary)
  command.helpGroup(`${noun.group}:`)
  if (!load) return command
  const loaded = await noun.load()
  if (!Array.isArray(loaded)) {
    return fill(command, noun.name, loaded as Command, options, program, setExitCode)
  }
  for (const verb of loaded as readonly Command[]) {
    const path = `${noun.name} ${verb.name}`
    command.addCommand(fill(configure(new CommanderCommand(verb.name), options), path, verb,
      options, program, setExitCode))
  }
  return command
}

/** Gives a commander command the arguments, options, help and action of `definition`. */
function fill (command: CommanderCommand, path: string, definition: Command,
  options: ProgramOptions, program: CommanderCommand,
  setExitCode: (code: number) => void): CommanderCommand {
  command.description(`${definition.summary}.`).summary(definition.summary)
  for (const argument of definition.arguments ?? []) command.addArgument(makeArgument(argument))
  for (const option of definition.options ?? []) command.addOption(makeOption(option))
  command.addHelpText('after', furtherHelp(definition))
  command.allowExcessArguments().action(async () => {
    checkMeant(command, path, definition, program.opts<GlobalOptions>())
    const values = new Map<string, string | readonly string[]>()
    command.registeredArguments.forEach((argument, index) => {
      const value: unknown = command.processedArgs[index]
      if (value !== undefined) values.set(argument.name(), value as string | readonly string[])
    })
    const context = await makeContext(program.opts<GlobalOptions>(), options)
    const exitCode = await runCommand(definition, path, context, new Input(values, command.opts()))
    setExitCode(exitCode)
  })
  return command
}

function furtherHelp ({ action, note, examples }: Command): string {
  return [
    `\nAction: ${action}`,
    ...note === undefined ? [] : [`\n${note}`],
    '\nExamples:',
    ...examples.map((example) => `  $ ${example}`)
  ].join('\n')
}

/** @throws CtlError Usage for words too many, and for a dry run of what has none */
function checkMeant (command: CommanderCommand, path: string,
  { action, plansDryRun }: Command, { dryRun }: GlobalOptions): void {
  const { args, registeredArguments } = command
  const extra = args[registeredArguments.length]
  if (extra !== undefined && registeredArguments.at(-1)?.variadic !== true) {
    const hint = path.startsWith('lab ') && LAB_NAME_PATTERN.test(extra)
      ? `the lab of this name is "vpcctl --lab ${extra} ${path}"`
      : `see: vpcctl ${path} --help`
    throw usageError(`"${extra}" is one argument too many: ${hint}`)
  }
  if (dryRun === true && plansDryRun !== true && !isEc2Action(action)) {
    throw usageError(`"vpcctl ${path}" has no --dry-run, because it is not one EC2 action ` +
      `(it is: ${action}). Nothing was done`)
  }
  if (dryRun === true && plansDryRun !== true && onlyReads(action)) {
    throw usageError(`"vpcctl ${path}" changes nothing (${action}): leave --dry-run out`)
  }
}

async function runCommand (definition: Command, path: string, context: Context,
  input: Input): Promise<number> {
  try {
    const exitCode = await definition.run(context, input)
    return typeof exitCode === 'number' ? exitCode : EXIT_DONE
  } catch (error) {
    if (!(error instanceof CtlError)) throw error
    if (error.code === 'DryRunOperation') {
      context.output.done(`vpcctl ${path}: allowed. Nothing was changed.`, { DryRun: true })
      return EXIT_DONE
    }
    if (error.code === 'Usage') {
      throw usageError(`${error.message}. See: vpcctl ${path} --help`)
    }
    throw error
  }
}

async function makeContext (globals: GlobalOptions, options: ProgramOptions): Promise<Context> {
  const lab = labName(globals, options)
  if (!LAB_NAME_PATTERN.test(lab)) {
    throw usageError('the name of a lab is a lower-case letter and up to 19 letters and digits, ' +
      `not "${lab}"`)
  }
  const { stdout, stderr } = options
  const columns = columnsOf(options.environment['COLUMNS'])
  return new Context({
    lab,
    dryRun: globals.dryRun === true,
    output: new Output({ ...await outputForm(globals), stdout, stderr, columns }),
    clock: options.clock,
    environment: options.environment
  })
}

/** As POSIX has it: COLUMNS wins over what the terminal says of itself. */
function columnsOf (text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,4}$/.test(text) ? Number(text) : undefined
}

function labName (globals: GlobalOptions, { environment }: ProgramOptions): string {
  return globals.lab ?? (environment['VPCLAB_LAB'] || LAB_NAME_DEFAULT)
}

/** @throws CtlError Usage for a query that is none */
async function outputForm (
  { json, quiet, query }: GlobalOptions): Promise<Pick<OutputOptions, 'form' | 'query'>> {
  if (query === undefined) {
    return { form: json === true ? 'json' : quiet === true ? 'quiet' : 'human' }
  }
  const { compileQuery } = await import('./print/query.ts')
  return { form: 'json', query: { select: compileQuery(query), isBare: quiet === true } }
}

function configure (command: CommanderCommand, options: ProgramOptions): CommanderCommand {
  return command
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => { options.stdout.write(text) },
      writeErr: (text) => { options.stderr.write(text) }
    })
}

function makeArgument ({ syntax, description, values }: CommandArgument): Argument {
  const argument = new Argument(syntax, description)
  return values === undefined ? argument : argument.choices(values)
}

function makeOption (definition: CommandOption): Option {
  const option = new Option(definition.flags, definition.description)
  if (definition.required === true) option.makeOptionMandatory()
  if (definition.values !== undefined) option.choices(definition.values)
  if (definition.repeats === true) {
    option.description += ' (may be repeated)'
    option.argParser((value: string, previous: string[] | undefined) => [...previous ?? [], value])
  }
  return option
}
