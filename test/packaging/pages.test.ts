/**
 * The pipelines that the project shows do what they say: `.github/workflows/` and `docs/ci.md` are
 * YAML whose scripts are shell, whose programs and commands exist, and whose lab job runs.
 */
import test from 'ava'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { NOUNS } from '../../ctl/commands/registry.ts'
import { logPath } from '../../daemon/host/paths.ts'
import { ROOT, command, tryCommand } from '../harness/command.ts'
import { freePort } from '../harness/lab.ts'
import { leftovers } from '../harness/leftovers.ts'

const WORKFLOWS = '.github/workflows'

interface Step { readonly name?: string, readonly run?: string, readonly if?: string }
interface Workflow {
  readonly jobs: Readonly<Record<string, {
    readonly container?: { readonly options: string }
    readonly steps: readonly Step[]
  }>>
}
interface GitlabJob { readonly script: readonly string[], readonly after_script: readonly string[] }

const readText = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const readWorkflow = (file: string): Workflow =>
  parse(readText(`${WORKFLOWS}/${file}`)) as Workflow

/** Every script of the pipelines, with the place where it stands. */
function scripts (): { place: string, text: string }[] {
  const workflows = readdirSync(join(ROOT, WORKFLOWS)).flatMap((file) =>
    Object.values(readWorkflow(file).jobs).flatMap(({ steps }) =>
      steps.flatMap(({ run }) => run === undefined ? [] : [{ place: file, text: run }])))
  const snippets = [...readText('docs/ci.md').matchAll(/^```yaml\n([\s\S]*?)^```$/gm)]
    .flatMap(([, yaml = '']) => Object.values(parse(yaml) as Record<string, GitlabJob>))
    .map((job) => [...job.script, ...job.after_script].join('\n'))
  return [...workflows, ...snippets.map((text) => ({ place: 'docs/ci.md', text }))]
}

test('scripts of the pipelines are shell, and their programs exist', async (t) => {
  t.true(scripts().length >= 8)
  for (const { place, text } of scripts()) {
    const { code, stderr } = await tryCommand('bash', ['-n', '-c', text])
    t.is(code, 0, `${place}: ${text}\n${stderr}`)
    for (const [path] of text.matchAll(/(?:\.ci|scripts|packaging|labs)\/[\w./-]+/g)) {
      t.true(existsSync(join(ROOT, path)), `${place} names ${path}`)
    }
  }
})

test('commands of vpcctl in the pipelines exist with their options', async (t) => {
  const calls = scripts().flatMap(({ place, text }) =>
    [...text.matchAll(/\bvpcctl ([a-z-]+)([^\n|&;]*)/g)]
      .map(([, noun = '', rest = '']) => ({ place, noun, rest })))
  t.true(calls.length >= 8)
  for (const { place, noun, rest } of calls) {
    const found = await NOUNS.find(({ name }) => name === noun)?.load()
    if (found === undefined) {
      t.fail(`${place}: vpcctl has no noun "${noun}"`)
      continue
    }
    const words = rest.trim().split(/\s+/)
    const verb = 'run' in found ? found : found.find(({ name }) => name === words[0])
    const flags = `${(verb?.options ?? []).map((option) => option.flags).join(' ')} --json`
    for (const word of words.filter((text) => /^--?[a-z]/.test(text))) {
      t.true(flags.split(/[\s,]+/).includes(word), `${place}: vpcctl ${noun}${rest}: ${word}`)
    }
  }
})

test('the job has the rights that packaging/container/flags prints', async (t) => {
  const flags = (await command(join(ROOT, 'packaging/container/flags'), 'docker')).trim()
  t.is(readWorkflow('lab.yml').jobs['two_tier_web']?.container?.options, flags)
  t.true(readText('docs/ci.md').replace(/\s+/g, ' ').includes(flags))
})

test.serial('the steps of the lab job run, and leave nothing', async (t) => {
  const lab = `t${randomBytes(3).toString('hex')}`
  const port = String(await freePort())
  const directory = mkdtempSync(join(tmpdir(), 'job-'))
  symlinkSync(join(ROOT, 'labs'), join(directory, 'labs'))
  const run = (script: string): Promise<{ code: number, stdout: string, stderr: string }> =>
    tryCommand('bash', ['-e', '-c', [
      `cd ${directory}; export VPCLAB_LAB=${lab} PATH=${ROOT}/bin:$PATH`,
      script.replaceAll('vpcctl apply', `vpcctl apply --api-port ${port}`)
        .replaceAll(logPath('vpclab'), logPath(lab))
    ].join('\n')])
  const steps = readWorkflow('lab.yml').jobs['two_tier_web']?.steps ?? []
  try {
    for (const { name, run: script } of steps) {
      if (script === undefined || name === 'Install vpclab') continue
      const { code, stdout, stderr } = await run(script)
      t.is(code, 0, `${String(name)}: ${stdout}${stderr}`)
    }
    const packets = await command('tshark', '-r', join(directory, 'artifacts/lab.pcapng'))
    t.true(packets.trim() !== '', 'the capture holds packets')
    const artifacts = readdirSync(join(directory, 'artifacts'))
    for (const file of ['checks.xml', 'drops.txt', 'flows.txt', 'status.txt', 'vpcd.log']) {
      t.true(artifacts.includes(file), file)
    }
    t.deepEqual(await leftovers(lab), [])
  } finally {
    await command(join(ROOT, 'bin/vpcd'), '--lab', lab, '--teardown')
    rmSync(directory, { recursive: true })
  }
})
