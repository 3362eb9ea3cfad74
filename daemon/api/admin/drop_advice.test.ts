import test from 'ava'
import { DROP_REASONS } from '../../dataplane/drop_reason.ts'
import { put } from '../../model/snapshot.ts'
import { TestNetwork } from '../../model/test_network.ts'
import { ADVICE, dropAdvice } from './drop_advice.ts'

test('every drop reason has its advice, and no other', (t) => {
  t.deepEqual(Object.keys(ADVICE).toSorted(),
    DROP_REASONS.slice(1).map(({ name }) => name).toSorted())
})

test('every advice is a sentence, also where no ENI can be named', (t) => {
  const { snapshot } = new TestNetwork()
  for (const reason of Object.keys(ADVICE)) {
    for (const eni of [null, 'eni-00000000000000009']) {
      const sentence = dropAdvice(snapshot, 'host-1', eni, reason)
      t.regex(sentence, /^[A-Za-z"].*[.…")]$/, reason)
      t.notRegex(sentence, /undefined|null/, reason)
    }
  }
})

test('the advice for no-route names the subnet, its table, its routes and the capture', (t) => {
  const network = new TestNetwork()
  const eni = network.interfaceOf(network.createInterface())
  const sentence = dropAdvice(network.snapshot, 'host-1', eni.id, 'no-route')
  t.true(sentence.includes(network.subnetId), sentence)
  t.regex(sentence, /rtb-[0-9a-f]{17}, which knows 10\.0\.0\.0\/16, 2001:db8:0:100::\/56 alone/)
  t.true(sentence.includes(`"vpcctl capture ${eni.id} --drops-only"`), sentence)
})

test('the advice for blackhole names the routes that lead nowhere', (t) => {
  const network = new TestNetwork()
  const eni = network.createInterface()
  const target = network.createInterface()
  t.regex(dropAdvice(network.snapshot, 'host-1', eni, 'blackhole'), /these are past/)
  const [table] = network.snapshot.tables.routeTable.by('vpcId', network.vpcId)
  if (table === undefined) throw new Error('the VPC has no route table')
  network.apply([put('routeTable', {
    ...table,
    routes: [...table.routes, {
      destination: '192.0.2.0/24',
      origin: 'CreateRoute',
      target: { kind: 'network-interface', networkInterfaceId: target }
    }]
  })])
  t.true(dropAdvice(network.snapshot, 'host-1', eni, 'blackhole')
    .startsWith(`Blackholes of ${table.id}: 192.0.2.0/24 → ${target}. `))
})

test('the advice names an instance as a person would, unless a shell would misread it', (t) => {
  const network = new TestNetwork()
  const [id] = network.launch()
  const instance = network.view().get('instance', id ?? '')
  if (instance === undefined) throw new Error('nothing was launched')
  const [eni] = network.snapshot.tables.networkInterface.by('attachment.instanceId', instance.id)
  const capture = (name: string): string => {
    network.apply([put('instance', { ...instance, tags: { Name: name } })])
    return dropAdvice(network.snapshot, 'host-1', eni?.id ?? '', 'fragment-invalid')
  }
  t.is(capture('web-1'), '"vpcctl capture web-1 --drops-only" shows the packets.')
  t.is(capture('a; b'), `"vpcctl capture ${eni?.id ?? ''} --drops-only" shows the packets.`)
})
