/**
 * The manual page vpcctl(1), made of the values of `commands/`, so that it says what the commands
 * do. `scripts/man.ts` writes it. Source: groff_man(7), man-pages(7).
 *
 *     .SS vpc                      a noun, in the section of its group
 *     .TP                          a verb of it, with its arguments
 *     .B vpcctl vpc create <cidr>
 *     Create a VPC.
 *     .RS                          arguments, options and examples, indented beneath
 */
import { LAB_NAME_DEFAULT } from '../daemon/host/paths.ts'
import type { Command, CommandArgument } from './command.ts'
import { NOUN_GROUPS, NOUNS, type Noun } from './commands/registry.ts'
import { EXIT_CODE_MEANINGS } from './exit_codes.ts'
import { GLOBAL_OPTIONS } from './global_options.ts'

export interface ManPageOptions {
  readonly version: string
  /** Of the page: `2026-11-20`. */
  readonly date: string
}

const ENVIRONMENT = [
  ['VPCLAB_LAB', `The lab to speak to where no option names one (default: ${LAB_NAME_DEFAULT}).`],
  ['VPCLAB_STATE_DIR', 'Where labs keep their files (default: /var/lib/vpclab for root, ' +
    '~/.local/state/vpclab for others).'],
  ['COLUMNS', 'Width of tables on a terminal, instead of the width of the terminal itself.']
] as const

/** The page as roff, a newline at its end. */
export async function formatManPage (options: ManPageOptions): Promise<string> {
  const groups = await Promise.all(NOUN_GROUPS.map(groupSection))
  return [
    ...head(options),
    ...groups.flat(),
    '.SH EXIT STATUS',
    ...EXIT_CODE_MEANINGS.flatMap((meaning, code) => tagged(String(code), `${meaning}.`)),
    '.PP',
    roff('"instance exec" and "instance shell" end with the code of the command they ran.'),
    '.SH ENVIRONMENT',
    ...ENVIRONMENT.flatMap(([name, meaning]) => tagged(name, meaning)),
    '.SH SEE ALSO',
    '.BR aws (1),',
    '.BR ip\\-netns (8)',
    ''
  ].join('\n')
}

function head ({ version, date }: ManPageOptions): string[] {
  return [
    `.TH VPCCTL 1 "${roff(date)}" "vpclab ${roff(version)}" "vpclab"`,
    '.SH NAME',
    'vpcctl \\- control vpclab, a real VPC on Linux with the EC2 API',
    '.SH SYNOPSIS',
    '.B vpcctl',
    '.RI [ options ]',
    '.I noun verb',
    '.RI [ arguments ]',
    '.SH DESCRIPTION',
    roff('vpcctl speaks to the daemon of one lab: to its EC2 API, as AWS clients do, and to its ' +
      'admin API over a socket. Every verb names what it calls. Where a command takes the ' +
      'id of a resource it takes the value of the tag "Name" as well.'),
    '.SH OPTIONS',
    ...GLOBAL_OPTIONS.flatMap(({ flags, description }) => tagged(flags, `${description}.`))
  ]
}

async function groupSection (group: string): Promise<string[]> {
  const nouns = await Promise.all(NOUNS.filter((noun) => noun.group === group).map(nounSection))
  return [`.SH ${roff(group.toUpperCase())}`, ...nouns.flat()]
}

async function nounSection (noun: Noun): Promise<string[]> {
  const loaded = await noun.load()
  const commands = Array.isArray(loaded)
    ? (loaded as readonly Command[])
        .flatMap((verb) => commandLines(`${noun.name} ${verb.name}`, verb))
    : commandLines(noun.name, loaded as Command)
  return [`.SS ${roff(noun.name)}`, roff(`${noun.summary}.`), ...commands]
}

function commandLines (path: string, command: Command): string[] {
  const syntax = (command.arguments ?? []).map((argument) => argument.syntax)
  return [
    ...tagged(['vpcctl', path, ...syntax].join(' '), `${command.summary}.`),
    '.RS',
    ...(command.arguments ?? []).flatMap((argument) =>
      tagged(argument.syntax, `${argument.description}${choices(argument)}.`)),
    ...(command.options ?? []).flatMap((option) => tagged(option.flags, `${option.description}${
      choices(option)}${option.repeats === true ? ' (may be repeated)' : ''}.`)),
    ...command.note === undefined ? [] : ['.PP', ...command.note.split('\n').map(roff)],
    '.PP',
    roff(`Action: ${command.action}.`),
    '.PP',
    '.EX',
    ...command.examples.map((example) => roff(`$ ${example}`)),
    '.EE',
    '.RE'
  ]
}

function choices ({ values }: Pick<CommandArgument, 'values'>): string {
  return values === undefined ? '' : ` (${values.join(', ')})`
}

/** A paragraph behind a bold tag. */
function tagged (tag: string, paragraph: string): string[] {
  return ['.TP', `.B ${roff(tag)}`, roff(paragraph)]
}

/**
 * A line of text that roff leaves as it is: no request at its beginning, hyphens and quotation
 * marks that a person may copy, characters beyond ASCII by their code point.
 */
function roff (line: string): string {
  return line.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('"', '\\(dq')
    .replaceAll('`', '\\(ga').replaceAll('^', '\\(ha').replaceAll('~', '\\(ti')
    .replace(/^\s*(?=[.'])/, '\\&').replaceAll('\'', '\\(aq')
    .replace(/[^\u0000-\u007f]/gu, (letter) =>
      `\\[u${(letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`)
}
