/** The codec of REST XML, over Route 53's schemas. */
import * as sdk from '@aws-sdk/client-route-53'
import test from 'ava'
import { AwsError } from '../model/aws_error.ts'
import { XML_DEPTH_MAX, restXmlProtocol } from './rest_xml.ts'
import { SchemaRegistry } from './schema.ts'
import { Call } from './service.ts'

const PROTOCOL = restXmlProtocol({ namespace: 'https://ns/', invalidCode: 'InvalidInput' })
const SCHEMAS = new SchemaRegistry(sdk)

function callOf (method: string, url: string, body = ''): Call {
  const [path = '', query = ''] = url.split('?')
  return new Call('request-1', { method, path: `/2013-04-01${path}`, query, headers: {}, body },
    '127.0.0.1', 0)
}

const operationOf = (method: string, url: string): string =>
  PROTOCOL.operationOf(callOf(method, url), SCHEMAS)

/** The input, or the code of the refusal. */
function decode (method: string, url: string, body = ''): unknown {
  const call = callOf(method, url, body)
  const operation = SCHEMAS.operation(PROTOCOL.operationOf(call, SCHEMAS))
  if (operation === undefined) return null
  try {
    return PROTOCOL.decode(operation, call)
  } catch (error) {
    return error instanceof AwsError ? error.code : error
  }
}

const batch = (changes: string): string => '<?xml version="1.0" encoding="UTF-8"?>\n' +
  '<ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/">' +
  `<ChangeBatch><Changes>${changes}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>`
const RRSET = '/hostedzone/Z1/rrset'

test('method and path name the operation, and a slash at the end says nothing', (t) => {
  t.is(operationOf('POST', '/hostedzone'), 'CreateHostedZone')
  t.is(operationOf('GET', '/hostedzone'), 'ListHostedZones')
  t.is(operationOf('GET', '/hostedzone/Z1'), 'GetHostedZone')
  t.is(operationOf('DELETE', '/hostedzone/Z1'), 'DeleteHostedZone')
  t.is(operationOf('POST', `${RRSET}/`), 'ChangeResourceRecordSets')
  t.is(operationOf('GET', '/trafficpolicyinstances/hostedzone'),
    'ListTrafficPolicyInstancesByHostedZone')
  for (const [method, url] of [
    ['PUT', '/hostedzone'], ['GET', '/hostedzone/Z1/rrset/x'], ['GET', '/'], ['GET', '']
  ] as const) t.is(operationOf(method, url), '', `${method} ${url}`)
})

test('an input comes from path, query and body', (t) => {
  t.deepEqual(decode('GET', `${RRSET}?name=a.b&maxitems=2&other=x`),
    { HostedZoneId: 'Z1', StartRecordName: 'a.b', MaxItems: 2 })
  t.deepEqual(decode('GET', '/hostedzone/Z%201'), { Id: 'Z 1' })
  t.deepEqual(decode('POST', RRSET, batch(`<Change><Action>CREATE</Action><ResourceRecordSet>
      <Name>a &lt; b</Name><Type>A</Type><TTL>60</TTL><ResourceRecords>
        <ResourceRecord><Value>10.0.0.1</Value></ResourceRecord>
        <ResourceRecord><Value>10.0.0.2</Value></ResourceRecord>
      </ResourceRecords><Unknown><Deep/></Unknown></ResourceRecordSet></Change>`)), {
    HostedZoneId: 'Z1', ChangeBatch: { Changes: [{ Action: 'CREATE', ResourceRecordSet: {
      Name: 'a < b', Type: 'A', TTL: 60,
      ResourceRecords: [{ Value: '10.0.0.1' }, { Value: '10.0.0.2' }]
    } }] }
  })
  t.deepEqual(decode('POST', RRSET, batch('')),
    { HostedZoneId: 'Z1', ChangeBatch: { Changes: [] } })
})

test('what is not of the shape is refused by the service\'s own code', (t) => {
  const nested = (depth: number): string =>
    batch('<Change>'.repeat(depth) + '</Change>'.repeat(depth))
  for (const [what, body] of [
    ['no body', ''], ['no XML', '}{'], ['another root', '<Other/>'], ['text', batch('text')],
    ['a missing member', batch('<Change><Action>CREATE</Action></Change>')],
    ['no number', batch('<Change><Action>CREATE</Action><ResourceRecordSet><Name>a</Name>' +
      '<Type>A</Type><TTL>x</TTL></ResourceRecordSet></Change>')],
    ['a structure for a text', batch('<Change><Action><A/></Action></Change>')],
    ['one member twice', batch('<Change><Action>A</Action><Action>B</Action></Change>')],
    ['deep nesting', nested(XML_DEPTH_MAX + 1)], ['deeper nesting', nested(50_000)],
    ['a document type', '<!DOCTYPE a [<!ENTITY b "c">]>' + batch('')],
    ['too many items', batch('<Change/>'.repeat(1001))]
  ] as const) t.is(decode('POST', RRSET, body), 'InvalidInput', what)
  t.is(decode('GET', '/hostedzone/%zz'), 'InvalidInput')
  t.is(decode('GET', `${RRSET}?maxitems=x`), 'InvalidInput')
})

test('an output goes into the body, its status and headers', (t) => {
  const operation = SCHEMAS.operation('CreateHostedZone')
  if (operation === undefined) throw new Error('no such operation')
  const { status, headers, content } = PROTOCOL.encode(operation, {
    HostedZone: { Id: '/hostedzone/Z1', Name: 'a.', CallerReference: '<&>' },
    ChangeInfo: { Id: '/change/C1', Status: 'INSYNC', SubmittedAt: new Date(0) },
    Location: 'https://ns/hostedzone/Z1'
  }, 'request-1')
  t.is(status, 201)
  t.deepEqual(headers, { location: 'https://ns/hostedzone/Z1' })
  t.is(content, '<?xml version="1.0" encoding="UTF-8"?>\n' +
    '<CreateHostedZoneResponse xmlns="https://ns/"><HostedZone><Id>/hostedzone/Z1</Id>' +
    '<Name>a.</Name><CallerReference>&lt;&amp;&gt;</CallerReference></HostedZone><ChangeInfo>' +
    '<Id>/change/C1</Id><Status>INSYNC</Status>' +
    '<SubmittedAt>1970-01-01T00:00:00.000Z</SubmittedAt></ChangeInfo></CreateHostedZoneResponse>')
})
