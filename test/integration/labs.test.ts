/**
 * Every ready lab of `labs/`, as its page says: apply starts it, all of its checks pass, a second
 * apply has nothing to do, its export means the same lab, and nothing of it stays behind.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { ROOT, tryCommand } from '../harness/command.ts'
import { leftovers } from '../harness/leftovers.ts'

const LABS = readdirSync(join(ROOT, 'labs'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory()).map((entry) => entry.name)

for (const name of LABS) {
  test.serial(`the lab ${name} does what its file says`, async (t) => {
    const lab = `t${randomBytes(3).toString('hex')}`
    const folder = join(ROOT, 'labs', name)
    const file = join(folder, 'lab.yaml')
    const scratch = mkdtempSync(join(tmpdir(), 'vpclab-labs-'))
    const vpcctl = (...words: string[]) =>
      tryCommand(join(ROOT, 'bin/vpcctl'), ['--lab', lab, ...words])
    try {
      const applied = await vpcctl('apply', file, '--api-port', '0')
      t.is(applied.code, 0, applied.stderr)
      const checked = await vpcctl('validate', file)
      t.is(checked.code, 0, checked.stdout + checked.stderr)
      t.regex((await vpcctl('apply', file)).stdout, /nothing to do/)
      const exported = join(scratch, 'lab.yaml')
      writeFileSync(exported, (await vpcctl('export')).stdout)
      t.regex((await vpcctl('apply', exported)).stdout, /nothing to do/)
    } finally {
      await vpcctl('lab', 'down')
      rmSync(scratch, { recursive: true })
    }
    t.deepEqual(await leftovers(lab), [], 'the lab left something behind')
  })

  test(`the lab ${name} has a page and a picture`, (t) => {
    const page = readFileSync(join(ROOT, 'labs', name, 'README.md'), 'utf8')
    t.true(page.includes(`vpcctl apply labs/${name}/lab.yaml`), 'the page says how to start it')
    t.true(page.includes('picture.svg'), 'the page shows the picture')
    t.true(existsSync(join(ROOT, 'labs', name, 'picture.svg')))
    const picture = readFileSync(join(ROOT, 'labs', name, 'picture.svg'), 'utf8')
    t.notRegex(picture, /<script|\bon\w+=/i, 'a picture runs nothing')
  })
}
