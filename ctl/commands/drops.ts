/**
 * `vpcctl drops`: why packets were dropped. Every dropped packet has exactly one reason and stands
 * in one counter of one ENI (docs/errors.md lists the reasons); packets that no ENI can be named
 * for stand under their host alone.
 *
 *     PACKETS  REASON    ENI                    NAME  HOST
 *           3  no-route  eni-0123456789abcdef0  a     host-1
 *
 *     no-route: The route table of the subnet has no route for the destination.
 *       a: subnet-… (front) goes by rtb-…, which knows 10.0.0.0/16 alone. …
 */
import type { DropsAnswer } from '../../daemon/api/admin/contract.ts'
import type { Command, Input } from '../command.ts'
import type { Context } from '../context.ts'
import { ENI_FILTER_OPTIONS, eniFilter, isWanted, ownerName } from '../eni_filter.ts'
import { usageError } from '../exit_codes.ts'
import { untilInterrupted } from '../interrupt.ts'
import type { Output } from '../print/output.ts'
import { oneLine } from '../print/one_line.ts'
import type { Column } from '../print/table.ts'
import { wrapText } from '../print/wrap.ts'
import { pause, printAgain, secondsOption, WATCH_OPTION, watchMs } from '../repeat.ts'

type Drop = DropsAnswer['drops'][number]

const COLUMNS: readonly Column<Drop>[] = [
  { header: 'packets', value: (drop) => String(drop.packets), align: 'right' },
  { header: 'reason', value: (drop) => drop.reason },
  { header: 'eni', value: (drop) => drop.eni ?? '' },
  { header: 'name', value: ownerName, shrinks: true, hides: true },
  { header: 'host', value: (drop) => drop.host, hides: true }
]

/** ENIs whose advice is printed for one reason; `--eni` and `--json` have that of the others. */
const ADVICES_MAX = 3

export const dropsCommand: Command = {
  name: 'drops',
  summary: 'Print how many packets were dropped, why, and what to look at',
  action: 'GET /drops (admin API)',
  options: [
    ...ENI_FILTER_OPTIONS,
    { flags: '--reason <reason>', description: 'for one reason, for example no-route' },
    { flags: '--delta <seconds>', description: 'only those of the next so many seconds' },
    WATCH_OPTION
  ],
  note: 'The counters begin with the daemon and end with the ENI. --watch prints what was ' +
    'dropped since it looked last, if anything.',
  examples: [
    'vpcctl drops',
    'vpcctl drops --instance web --delta 5',
    'vpcctl drops --reason no-route --json'
  ],
  async run (context, input) {
    const [intervalMs, deltaMs] = [watchMs(input), secondsOption(input, 'delta')]
    if (intervalMs !== undefined && deltaMs !== undefined) {
      throw usageError('--delta and --watch exclude each other')
    }
    const read = await reader(context, input)
    await untilInterrupted(async (signal) => {
      if (deltaMs !== undefined) {
        const before = await read()
        await pause(deltaMs, signal)
        print(context, since(before, await read()))
      } else if (intervalMs === undefined) print(context, await read())
      else await watch(context, read, intervalMs, signal)
    })
  }
}

/** Prints what there is, and then what is new each time that something is. */
async function watch (context: Context, read: () => Promise<Drop[]>, intervalMs: number,
  signal: AbortSignal): Promise<void> {
  const { output } = context
  let before: Drop[] = []
  do {
    const now = await read()
    const fresh = since(before, now)
    before = now
    if (fresh.length === 0) continue
    printAgain(output, fresh, COLUMNS, idOf)
    explain(output, fresh)
  } while (await pause(intervalMs, signal))
}

/** Reads what the options want, most packets first. */
async function reader (context: Context, input: Input): Promise<() => Promise<Drop[]>> {
  const filter = await eniFilter(context, input)
  const query = { eni: filter.eni, reason: input.text('reason') }
  return async () => (await context.admin.drops(query)).drops
    .filter((drop) => isWanted(filter, drop))
    .toSorted((one, other) => other.packets - one.packets)
}

/** What was counted between two readings. A counter that began anew counts from there. */
export function since (before: readonly Drop[], now: readonly Drop[]): Drop[] {
  const keyOf = ({ host, eni, reason }: Drop): string => `${host} ${eni ?? ''} ${reason}`
  const past = new Map(before.map((drop) => [keyOf(drop), drop.packets]))
  return now.flatMap((drop) => {
    const earlier = past.get(keyOf(drop)) ?? 0
    const packets = drop.packets >= earlier ? drop.packets - earlier : drop.packets
    return packets === 0 ? [] : [{ ...drop, packets }]
  }).toSorted((one, other) => other.packets - one.packets)
}

function print ({ output }: Context, drops: readonly Drop[]): void {
  output.rows(drops, COLUMNS, idOf)
  if (output.form === 'human' && drops.length > 0) output.text('')
  explain(output, drops)
}

function idOf (drop: Drop): string { return drop.eni ?? drop.host }

/** For a person: what each reason means, and what to look at. */
function explain (output: Output, drops: readonly Drop[]): void {
  if (output.form !== 'human') return
  for (const [reason, rows] of Map.groupBy(drops, (drop) => drop.reason)) {
    output.text(wrapText(`${reason}: ${rows[0]?.meaning ?? ''}`, output.width))
    for (const row of rows.slice(0, ADVICES_MAX)) {
      const where = ownerName(row) || (row.eni ?? row.host)
      output.text(wrapText(oneLine(`${where}: ${row.advice}`), output.width, '  '))
    }
    const more = rows.length - ADVICES_MAX
    if (more > 0) output.text(`  and ${String(more)} more: see --eni`)
  }
}
