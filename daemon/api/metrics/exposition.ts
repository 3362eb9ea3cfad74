/**
 * Prometheus' text format: what an answer to a scrape looks like.
 *
 *     # HELP vpclab_flows Conversations that the host remembers now.
 *     # TYPE vpclab_flows gauge
 *     vpclab_flows{host="host-1"} 12
 *
 * Samples of one family stand together, families in the order of their first sample. Source:
 * Prometheus documentation, "Exposition formats", text format 0.0.4; "Metric and label naming".
 */
import { assert } from '../../base/assert.ts'

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** A metric: everything about it but its values. */
export interface Family {
  /** Base units; `_total` at the end of a counter. */
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** One sentence. */
  readonly help: string
  /** Names of its labels, in order. */
  readonly labels: readonly string[]
}

export class Exposition {
  readonly #samples = new Map<Family, string[]>()

  /** @param values of the family's labels, in their order */
  add (family: Family, values: readonly string[], value: number): void {
    this.#line(family, family.name, family.labels, values, value)
  }

  /**
   * One histogram.
   * @param bounds upper bounds of the buckets, rising, without the last one, which has none
   * @param counts observations in each bucket alone, the last one's too
   */
  addHistogram (family: Family, values: readonly string[], bounds: readonly number[],
    counts: readonly number[], sum: number): void {
    const labels = [...family.labels, 'le']
    let total = 0
    counts.forEach((count, bucket) => {
      total += count
      const bound = bounds[bucket]
      this.#line(family, `${family.name}_bucket`, labels,
        [...values, bound === undefined ? '+Inf' : String(bound)], total)
    })
    this.#line(family, `${family.name}_sum`, family.labels, values, sum)
    this.#line(family, `${family.name}_count`, family.labels, values, total)
  }

  text (): string {
    const blocks = [...this.#samples].map(([{ name, type, help }, lines]) =>
      `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`)
    return blocks.join('')
  }

  #line (family: Family, name: string, labels: readonly string[], values: readonly string[],
    value: number): void {
    assert(labels.length === values.length, `${name} has the labels ${labels.join(', ')}`)
    const pairs = labels.map((label, at) => `${label}="${escapeValue(values[at] ?? '')}"`)
    const lines = this.#samples.get(family) ?? []
    lines.push(`${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${String(value)}`)
    this.#samples.set(family, lines)
  }
}

function escapeHelp (text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapeValue (text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"')
}
