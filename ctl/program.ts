/**
 * `vpcctl` as a tree of commander commands, built from the values of `commands/`.
 *
 *     arguments ─▶ noun ─ registry: load one file ─▶ commander ─▶ Input ─▶ command.run ─▶ exit code
 *
 * Only the file of the noun that was typed is loaded; the others appear in the help by the summary
 * in the registry. That keeps `vpcctl --help` quick however many nouns there are.
 */
import { Command as CommanderCommand, CommanderError, Option } from 'commander'
import type { Clock } from '../daemon/base/clock.ts'
import { LAB_NAME_DEFAULT, LAB_NAME_PATTERN } from '../daemon/host/paths.ts'
import { type Command, type CommandOption, Input, isEc2Action } from './command.ts'
import { NOUNS, type Noun } from './commands/registry.ts'
import { Context } from './context.ts'
import {
  asCtlError, CtlError, EXIT_CODE_MEANINGS, EXIT_DONE, EXIT_USAGE, usageError
} from './exit_codes.ts'
import { Output, type OutputForm, type OutputOptions } from './print/output.ts'

export interface ProgramOptions extends Omit<OutputOptions, 'form'> {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** Printed by `--version`. */
  readonly version: string
}

interface GlobalOptions {
  readonly lab?: string
  readonly json?: true
  readonly quiet?: true
  readonly dryRun?: true
}

/**
 * Runs one command line and reports its failure.
 * @param words without the names of node and of the script
 * @returns the exit code (exit_codes.ts)
 */
export async function runProgram (words: readonly string[],
  options: ProgramOptions): Promise<number> {
  let exitCode = EXIT_DONE
  const program = makeProgram(options)
  try {
    const loaded = nounsTyped(program, words)
    const separated = await separateCommandLine(program, words)
    for (const noun of NOUNS) {
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
    const { code, message } = failure
    options.stderr.write(program.opts<GlobalOptions>().json === true
      ? `${JSON.stringify({ error: { code, message } })}\n`
      : `vpcctl: ${code}: ${message}\n`)
    return failure.exitCode
  }
}

function makeProgram (options: ProgramOptions): CommanderCommand {
  return configure(new CommanderCommand('vpcctl'), options)
    .description('Controls vpclab: a real VPC on Linux, with the EC2 API.')
    .usage('[options] <noun> <verb> ...')
    .version(options.version)
    .option('--lab <name>', `the lab to speak to (default: $VPCLAB_LAB or ${LAB_NAME_DEFAULT})`)
    .option('--json', 'print JSON, with the names that the aws CLI uses')
    .option('-q, --quiet', 'print ids alone')
    .option('--dry-run', 'ask whether an EC2 action would be allowed, without doing it')
    .addHelpText('after', `
Exit codes:
${EXIT_CODE_MEANINGS.map((meaning, code) => `  ${String(code)}  ${meaning}`).join('\n')}
  "instance exec" and "instance shell" end with the code of the command they ran.

Examples:
  $ vpcctl lab up --hosts 2
  $ vpcctl vpc create 10.0.0.0/16 --name web
  $ vpcctl subnet create web 10.0.1.0/24 --name front
  $ vpcctl instance run front --name a
  $ vpcctl instance exec a -- ip address
  $ eval "$(vpcctl env)"`)
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
  for (const { syntax, description } of definition.arguments ?? []) {
    command.argument(syntax, description)
  }
  for (const option of definition.options ?? []) command.addOption(makeOption(option))
  command.addHelpText('after', furtherHelp(definition))
  command.allowExcessArguments().action(async () => {
    checkMeant(command, path, definition, program.opts<GlobalOptions>())
    const values = new Map<string, string | readonly string[]>()
    command.registeredArguments.forEach((argument, index) => {
      const value: unknown = command.processedArgs[index]
      if (value !== undefined) values.set(argument.name(), value as string | readonly string[])
    })
    const context = makeContext(program.opts<GlobalOptions>(), options)
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
function checkMeant (command: CommanderCommand, path: string, { action }: Command,
  { dryRun }: GlobalOptions): void {
  const { args, registeredArguments } = command
  const extra = args[registeredArguments.length]
  if (extra !== undefined && registeredArguments.at(-1)?.variadic !== true) {
    const hint = path.startsWith('lab ') && LAB_NAME_PATTERN.test(extra)
      ? `the lab of this name is "vpcctl --lab ${extra} ${path}"`
      : `see: vpcctl ${path} --help`
    throw usageError(`"${extra}" is one argument too many: ${hint}`)
  }
  if (dryRun === true && !isEc2Action(action)) {
    throw usageError(`"vpcctl ${path}" has no --dry-run, because it is not one EC2 action ` +
      `(it is: ${action}). Nothing was done`)
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

function makeContext (globals: GlobalOptions, options: ProgramOptions): Context {
  const lab = globals.lab ?? (options.environment['VPCLAB_LAB'] || LAB_NAME_DEFAULT)
  if (!LAB_NAME_PATTERN.test(lab)) {
    throw usageError('the name of a lab is a lower-case letter and up to 19 letters and digits, ' +
      `not "${lab}"`)
  }
  const form: OutputForm =
    globals.json === true ? 'json' : globals.quiet === true ? 'quiet' : 'human'
  return new Context({
    lab,
    dryRun: globals.dryRun === true,
    output: new Output({ form, stdout: options.stdout, stderr: options.stderr }),
    clock: options.clock,
    environment: options.environment
  })
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

function makeOption (definition: CommandOption): Option {
  const option = new Option(definition.flags, definition.description)
  if (definition.required === true) option.makeOptionMandatory()
  if (definition.repeats === true) {
    option.description += ' (may be repeated)'
    option.argParser((value: string, previous: string[] | undefined) => [...previous ?? [], value])
  }
  return option
}
