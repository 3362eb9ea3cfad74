import test from 'ava'
import { readFileSync } from 'node:fs'
import { AwsError } from '../../model/aws_error.ts'
import type { OperationShape } from '../schema.ts'
import { Call } from '../service.ts'
import type { Service } from '../service.ts'
import { CALL_SERIES_MAX, CallMetrics } from './call_metrics.ts'
import { Exposition } from './exposition.ts'
import type { Family } from './exposition.ts'
import { FAMILIES } from './families.ts'

const ROOT = new URL('../../../', import.meta.url)
const NAME = /^[a-z][a-z0-9_]*$/

function read (path: string): string { return readFileSync(new URL(path, ROOT), 'utf8') }

function callOf (action: string, refusal: AwsError | null = null): Call {
  const call = new Call('id', { method: 'POST', path: '/', query: '', headers: {}, body: '' },
    '127.0.0.1', 0)
  call.service = { name: 'ec2' } as Service
  call.action = action
  call.operation = {} as OperationShape
  call.refusal = refusal
  return call
}

function textOf (calls: CallMetrics): string {
  const page = new Exposition()
  calls.writeTo(page)
  return page.text()
}

test('a page has help, type and escaped labels of each family, its samples together', (t) => {
  const page = new Exposition()
  const one: Family = { name: 'a_total', type: 'counter', help: 'A \\ and\na line.', labels: ['l'] }
  const two: Family = { name: 'b', type: 'gauge', help: 'B.', labels: [] }
  page.add(one, ['x"y\\z\n'], 1)
  page.add(two, [], 2.5)
  page.add(one, ['é'], 3)
  t.is(page.text(), '# HELP a_total A \\\\ and\\na line.\n# TYPE a_total counter\n' +
    'a_total{l="x\\"y\\\\z\\n"} 1\na_total{l="é"} 3\n# HELP b B.\n# TYPE b gauge\nb 2.5\n')
  t.throws(() => { page.add(one, [], 1) }, { message: /a_total has the labels l/ })
})

test('calls count by service, action and code, durations in rising buckets', (t) => {
  const calls = new CallMetrics()
  calls.observe(callOf('CreateVpc'), 0.5)
  calls.observe(callOf('CreateVpc'), 30)
  calls.observe(callOf('CreateVpc', new AwsError('VpcLimitExceeded', 'no')), 99_999)
  const text = textOf(calls)
  const has = (line: string): void => { t.true(text.includes(`${line}\n`), `${line}\n${text}`) }
  has('vpclab_api_calls_total{service="ec2",action="CreateVpc",code="OK"} 2')
  has('vpclab_api_calls_total{service="ec2",action="CreateVpc",code="VpcLimitExceeded"} 1')
  const name = 'vpclab_api_call_duration_seconds'
  const of = 'service="ec2",action="CreateVpc"'
  has(`${name}_bucket{${of},le="0.001"} 1`)
  has(`${name}_bucket{${of},le="0.025"} 1`)
  has(`${name}_bucket{${of},le="0.05"} 2`)
  has(`${name}_bucket{${of},le="2.5"} 2`)
  has(`${name}_bucket{${of},le="+Inf"} 3`)
  has(`${name}_count{${of}} 3`)
  t.true(Math.abs(Number(/_sum\{[^}]*\} (\S+)/.exec(text)?.[1]) - 100.0295) < 1e-9)
})

test('what callers make up does not make series', (t) => {
  const calls = new CallMetrics()
  const madeUp = callOf('MadeUp')
  madeUp.operation = null
  calls.observe(madeUp, 1)
  t.true(textOf(calls).includes('action="unknown",code="OK"} 1\n'))
  for (let index = 0; index < CALL_SERIES_MAX + 10; index++) {
    calls.observe(callOf(`Action${String(index)}`), 1)
  }
  const text = textOf(calls)
  t.is(text.match(/^vpclab_api_calls_total/gm)?.length, CALL_SERIES_MAX + 1)
  t.true(text.includes('vpclab_api_calls_total{service="ec2",action="other",code="other"} 11\n'))
})

test('names follow the conventions of Prometheus, and are different', (t) => {
  t.is(new Set(FAMILIES.map(({ name }) => name)).size, FAMILIES.length)
  for (const { name, type, help, labels } of FAMILIES) {
    t.true(NAME.test(name) && labels.every((label) => NAME.test(label)), name)
    t.is(name.endsWith('_total'), type === 'counter', name)
    t.regex(help, /^[A-Z].*\.$/, name)
  }
})

test('docs/metrics.md lists every metric as it is', (t) => {
  const listed = [...read('docs/metrics.md')
    .matchAll(/^\| `(\w+)` \| (\w+) \| ([^|]+) \| (.+) \|$/gm)]
    .map(([, name, type, labels, help]) => [name, type, labels, help])
  t.deepEqual(listed, FAMILIES.map(({ name, type, labels, help }) =>
    [name, type, labels.length === 0 ? '–' : labels.join(', '), help]))
})

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number, readonly w: number }
  readonly datasource?: { readonly uid: string }
  readonly targets?: readonly { readonly refId: string, readonly expr: string }[]
}

test('the dashboard names metrics and labels that exist, in panels that Grafana places', (t) => {
  const text = read('tools/grafana/vpclab.json')
  const dashboard = JSON.parse(text) as {
    readonly uid: string
    readonly schemaVersion: number
    readonly __inputs: readonly { readonly name: string }[]
    readonly panels: readonly Panel[]
  }
  t.deepEqual(dashboard.__inputs.map(({ name }) => name), ['DS_PROMETHEUS'])
  t.true(dashboard.schemaVersion >= 36)
  t.is(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
  const series = new Set(FAMILIES.flatMap(({ name, type }) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]))
  const named = new Set(text.match(/\b(vpclab|process)_\w+/g))
  t.deepEqual([...named].filter((name) => !series.has(name)), [])
  const labels = new Set(FAMILIES.flatMap((family) => family.labels))
  for (const [, label = ''] of text.matchAll(/\{\{(\w+)\}\}/g)) t.true(labels.has(label), label)
  for (const { type, title, gridPos, datasource, targets = [] } of dashboard.panels) {
    t.true(gridPos.x >= 0 && gridPos.x + gridPos.w <= 24, title)
    if (type === 'row') continue
    t.is(datasource?.uid, '${DS_PROMETHEUS}', title)
    t.true(targets.length > 0 && targets.every(({ expr }) => balanced(expr)), title)
  }
})

/** Whether every bracket of a query is closed. */
function balanced (text: string): boolean {
  const closing: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' }
  const open: string[] = []
  for (const character of text) {
    if (closing[character] !== undefined) open.push(closing[character])
    else if (')]}'.includes(character) && open.pop() !== character) return false
  }
  return open.length === 0
}
