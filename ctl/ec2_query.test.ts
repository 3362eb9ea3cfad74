import test from 'ava'
import { encodeQuery } from './ec2_query.ts'

function pairsOf (body: string): string[] {
  return body.split('&').map(decodeURIComponent)
}

test('encodeQuery flattens lists and structures when they nest', (t) => {
  t.deepEqual(pairsOf(encodeQuery('DescribeSubnets', {
    Filter: [
      { Name: 'vpc-id', Value: ['vpc-1', 'vpc-2'] },
      { Name: 'tag:Name', Value: ['a'] }
    ]
  })), [
    'Action=DescribeSubnets', 'Version=2016-11-15',
    'Filter.1.Name=vpc-id', 'Filter.1.Value.1=vpc-1', 'Filter.1.Value.2=vpc-2',
    'Filter.2.Name=tag:Name', 'Filter.2.Value.1=a'
  ])
  t.deepEqual(pairsOf(encodeQuery('CreateVpc', {
    TagSpecification: [{ ResourceType: 'vpc', Tag: [{ Key: 'Name', Value: 'x' }] }]
  })).slice(2), [
    'TagSpecification.1.ResourceType=vpc',
    'TagSpecification.1.Tag.1.Key=Name', 'TagSpecification.1.Tag.1.Value=x'
  ])
})

test('encodeQuery leaves out what is undefined and lists that are empty', (t) => {
  t.is(encodeQuery('CreateVpc', { CidrBlock: undefined, Tag: [], Placement: {} }),
    'Action=CreateVpc&Version=2016-11-15')
})

test('encodeQuery writes false, 0 and the empty text', (t) => {
  t.deepEqual(pairsOf(encodeQuery('X', { A: false, B: 0, C: '' })).slice(2),
    ['A=false', 'B=0', 'C='])
})

test('encodeQuery escapes what a form body gives a meaning', (t) => {
  const body = encodeQuery('CreateTags', { Tag: [{ Key: 'a&b=c', Value: 'ü +%' }] })
  t.true(body.endsWith('Tag.1.Key=a%26b%3Dc&Tag.1.Value=%C3%BC%20%2B%25'))
  t.is(new URLSearchParams(body).get('Tag.1.Value'), 'ü +%')
})
