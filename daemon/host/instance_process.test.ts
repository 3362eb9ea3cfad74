import test from 'ava'
import { parseUserData } from './instance_process.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

test('a script is one that begins with #!', (t) => {
  const text = '#!/bin/sh\necho hello\n'
  t.deepEqual(parseUserData(base64(text)), { kind: 'script', everyBoot: false, text })
})

test('a boot hook runs at every boot, with the shell when it names no interpreter', (t) => {
  t.deepEqual(parseUserData(base64('#cloud-boothook\n#!/bin/bash\ntrue\n')),
    { kind: 'script', everyBoot: true, text: '#!/bin/bash\ntrue\n' })
  t.deepEqual(parseUserData(base64('#cloud-boothook\ntrue\n')),
    { kind: 'script', everyBoot: true, text: '#!/bin/sh\ntrue\n' })
})

test('anything else is data, and nothing is none', (t) => {
  t.deepEqual(parseUserData(base64('#cloud-config\npackages: []\n')),
    { kind: 'data' })
  t.deepEqual(parseUserData(''), { kind: 'none' })
  t.deepEqual(parseUserData(base64(' \n')), { kind: 'none' })
})
