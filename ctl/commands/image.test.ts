/** `vpcctl image` and refusals of `vpcctl attach`, against a daemon that serves the API alone. */
import test from 'ava'
import { BusyboxTree } from '../../test/harness/busybox_tree.ts'
import { makeVpcctl, succeed } from '../test_vpcctl.ts'
import { isDirectory } from './image.ts'

test('an image is made of a directory, found by name, shown and forgotten', async (t) => {
  using tree = new BusyboxTree()
  const { vpcctl } = makeVpcctl(t)
  await succeed(t, vpcctl('lab', 'up', '--hosts', '0', '--api-port', '0'))
  const id = (await succeed(t, vpcctl(
    'image', 'register', tree.directory, '--image-name', 'small one', '--quiet'))).trim()
  t.regex(id, /^ami-0[0-9a-f]{16}$/)
  t.regex(await succeed(t, vpcctl('image', 'list')), new RegExp(`^${id} +small one +/`, 'm'))
  t.regex(await succeed(t, vpcctl('image', 'show', 'small one')), /^ImageLocation +\/.*vpclab-/m)
  t.is(await succeed(t, vpcctl('image', 'deregister', 'small one')), `Deregistered ${id}.\n`)
  t.is((await vpcctl('image', 'show', 'small one')).code, 1)
  const refused = await vpcctl('image', 'register', '/etc')
  t.regex(refused.stderr, /InvalidParameterValue: .* it has no \/bin\/sh/)
})

test('attach wants one guest and one place, and says what is missing', async (t) => {
  const { vpcctl } = makeVpcctl(t)
  for (const [words, complaint] of [
    [['front'], /either --netns or --container is needed/],
    [['front', '--netns', 'a', '--container', 'b'], /either --netns or --container/],
    [['--netns', '/proc/self/ns/net'], /either \[subnet\] or --eni is needed/]
  ] as const) {
    const { code, stderr } = await vpcctl('attach', ...words)
    t.is(code, 2)
    t.regex(stderr, complaint)
  }
  const absent = await vpcctl('attach', 'front', '--netns', 'no-such-namespace')
  t.regex(absent.stderr, /There is no network namespace \/run\/netns\/no-such-namespace/)
})

test('an image is a directory when it is written like one', (t) => {
  t.deepEqual(['/srv/x', './x', '../x', '.', 'ami-1', 'debian', 'a/b'].map(isDirectory),
    [true, true, true, true, false, false, false])
})
