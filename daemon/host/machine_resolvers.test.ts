import test from 'ava'
import { machineResolvers, resolversIn } from './machine_resolvers.ts'

test('resolvers are the nameserver lines, three of one family', (t) => {
  t.deepEqual(resolversIn('# nameserver 192.0.2.9\nsearch example\nnameserver 192.0.2.1\n' +
    'nameserver\t2001:db8::1\nnameserver 192.0.2.2 # two\nnameserver x\n'),
  ['192.0.2.1', '192.0.2.2'])
  t.deepEqual(resolversIn('nameserver fe80::1%eth0\nnameserver 2001:db8::1\n'), ['2001:db8::1'])
  t.is(resolversIn('nameserver 192.0.2.1\n'.repeat(5)).length, 3)
  t.deepEqual(resolversIn(''), [])
  t.deepEqual(machineResolvers('/nonexistent/resolv.conf'), [])
})
