/**
 * `vpcctl events`: what `GET /events` tells, as it is for a pipe, as sentences for a person.
 * docs/events.md describes the lines.
 */
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { EventLine } from '../../daemon/api/admin/contract.ts'
import type { Command, Input } from '../command.ts'
import type { Context } from '../context.ts'
import { EventSentences } from '../event_sentences.ts'
import { CtlError } from '../exit_codes.ts'
import { untilInterrupted } from '../interrupt.ts'

export const eventsCommand: Command = {
  name: 'events',
  summary: 'Print every change of the lab as it happens, after what is there',
  action: 'GET /events (admin API)',
  options: [
    {
      flags: '--noun <noun>',
      description: 'of one kind of record: vpc, subnet, networkInterface, instance …'
    },
    { flags: '--id <id>', description: 'of one record' },
    { flags: '--no-initial', description: 'without what is there already' },
    {
      flags: '--until-revision <revision>',
      description: 'end when every host has applied this revision'
    }
  ],
  note: 'On a terminal each event is a sentence; a pipe, --json and --query get one JSON object ' +
    'per line, which docs/events.md describes. Interrupting the command is its normal end.',
  examples: [
    'vpcctl events',
    'vpcctl events --noun instance --no-initial',
    'vpcctl events --json --until-revision 42'
  ],
  run: async (context, input) => {
    const untilRevision = input.integer('untilRevision', 0, Number.MAX_SAFE_INTEGER)
    const printer = context.output.form === 'human' && context.output.isTerminal
      ? await sentencePrinter(context, input)
      : jsonPrinter(context, input)
    await untilInterrupted(async (signal) => {
      const stream = await context.admin.events(printer.query)
      await follow(stream, signal, context.lab, (event) => {
        printer.print(event)
        return untilRevision !== undefined && isApplied(event, untilRevision)
      })
    })
  }
}

interface Printer {
  /** Of GET /events. */
  readonly query: Readonly<Record<string, string | undefined>>
  readonly print: (event: EventLine) => void
}

function jsonPrinter ({ output }: Context, input: Input): Printer {
  return {
    query: { noun: input.text('noun'), id: input.text('id'), initial: initialOf(input) },
    print: (event) => {
      if (output.form !== 'quiet') output.jsonLine(event)
      else if ('id' in event) output.text(event.id)
    }
  }
}

/**
 * Asks for everything, so that every record's name is known, and prints what is wanted.
 * @throws CtlError InvalidParameterValue for a noun that is none
 */
async function sentencePrinter ({ admin, output }: Context, input: Input): Promise<Printer> {
  const sentences = new EventSentences()
  const [noun, id] = [input.text('noun'), input.text('id')]
  if (noun !== undefined) (await admin.events({ noun, initial: 'false' })).destroy()
  const isWanted = (event: EventLine): boolean => !('noun' in event) ||
    ((noun ?? event.noun) === event.noun && (id ?? event.id) === event.id &&
      (event.type !== 'initial' || initialOf(input) === 'true'))
  return {
    query: {},
    print: (event) => {
      sentences.learn(event)
      if (isWanted(event)) output.text(sentences.say(event))
    }
  }
}

/** commander calls the absence of `--no-initial` `initial`. */
function initialOf (input: Input): string { return String(input.flag('initial')) }

/**
 * Reads events until `take` returns true, the signal is aborted, or the stream ends.
 * @throws CtlError EventsLost, VPCLAB_ERR_LAB_DOWN when the daemon ended the stream
 */
async function follow (stream: Readable, signal: AbortSignal, lab: string,
  take: (event: EventLine) => boolean): Promise<void> {
  const lines = createInterface({ input: stream, signal })
  let failure: unknown = null
  stream.on('error', (error) => {
    failure = error
    lines.close()
  })
  try {
    for await (const line of lines) {
      const event = JSON.parse(line) as EventLine
      if (take(event)) return
      if (event.type === 'overflow') throw new CtlError('EventsLost', event.message)
    }
  } finally {
    stream.destroy()
  }
  if (signal.aborted) return
  const why = failure === null ? '' : `: ${(failure as Error).message}`
  throw new CtlError('VPCLAB_ERR_LAB_DOWN', `The daemon of the lab "${lab}" stopped${why}`)
}

function isApplied (event: EventLine, revision: number): boolean {
  return event.type === 'synced'
    ? event.appliedRevision >= revision
    : event.type === 'applied' && event.host === 'all' && event.revision >= revision
}
