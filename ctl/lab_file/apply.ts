/**
 * `vpcctl apply`: the lab becomes as the file says, and says what it does.
 *
 *     file ─▶ lab up? ─▶ read ─▶ plan ─▶ round 1, 2, 3 ─▶ nothing left? ─▶ applied ─▶ commands
 *                          ▲                 │
 *                          └── read, plan ◀──┘   (rounds.ts)
 *
 * Nothing is remembered between two runs but what stands in the lab: names, the tag of the owner,
 * hashes of the commands that ran. So the next apply goes on where a failed one stopped.
 */
import type { Context } from '../context.ts'
import { statusOrNull } from '../daemon_process.ts'
import { asCtlError, CtlError } from '../exit_codes.ts'
import { describeInstances, waitForApplied, waitForInstances } from '../instances.ts'
import { boundedAll } from './bounded.ts'
import {
  instanceInside, runInside, runningServices, startService, stopService
} from './inside.ts'
import { EMPTY_LAB, type LiveLab, readLab } from './live.ts'
import { type CommandRun, makePlan, type Plan, planLines, shownChange } from './plan.ts'
import { commandHash, keyOf, type Resource } from './resource.ts'
import { resourcesOf } from './resources_of.ts'
import { ROUNDS, type Step, stepsOf } from './rounds.ts'
import type { LabFile } from './schema.ts'
import { COMMANDS_TAG } from './schema_parts.ts'
import { connectClients, Session } from './session.ts'
import type { ReadFile } from './source.ts'
import { checkHosts, startLab } from './start.ts'
import { checkReasons, checkTypes } from './words.ts'

export interface ApplyOptions {
  readonly prune: boolean
  /** What has a name of the file and was not made by it may be replaced. */
  readonly adopt: boolean
  /** For a lab that is down. */
  readonly apiPort: string | undefined
  readonly timeoutMs: number
}

/** What `--json` prints. */
export interface ApplyResult {
  readonly file: string
  readonly lab: 'started' | 'running' | 'down'
  readonly dryRun: boolean
  readonly actions: readonly object[]
  readonly commands: readonly object[]
  readonly kept: readonly string[]
  /** What was done, in order. */
  readonly done: readonly string[]
}

export async function applyLabFile (context: Context, read: ReadFile,
  options: ApplyOptions): Promise<ApplyResult> {
  const { file } = read
  const isUp = await statusOrNull(context) !== null
  if (isUp) await checkHosts(context, file)
  if (!isUp && context.dryRun) return await planForEmptyLab(context, file, options)
  if (!isUp) await startLab(context, file, options.apiPort, options.timeoutMs)
  await checkTypes(await context.ec2(), read)
  await checkReasons(context.admin, read)
  return await new Apply(context, file, options, !isUp).run()
}

/** A dry run for a lab that is down: it will be started, and everything made. */
async function planForEmptyLab (context: Context, file: LabFile,
  options: ApplyOptions): Promise<ApplyResult> {
  const plan = makePlan(resourcesOf(file, new Map()), EMPTY_LAB,
    { owner: file.name, prune: options.prune, adopt: options.adopt, services: new Map() })
  context.output.note(`The lab "${context.lab}" is down: apply starts it` +
    (file.hosts === undefined ? '' : ` with the hosts ${JSON.stringify(file.hosts)}`) + '.')
  return await Promise.resolve(report(context, file, plan, 'down'))
}

class Apply {
  readonly #context: Context
  readonly #file: LabFile
  readonly #options: ApplyOptions
  readonly #isStarted: boolean
  readonly #done: string[] = []

  constructor (context: Context, file: LabFile, options: ApplyOptions, isStarted: boolean) {
    this.#context = context
    this.#file = file
    this.#options = options
    this.#isStarted = isStarted
  }

  async run (): Promise<ApplyResult> {
    const context = this.#context
    const session = new Session(context, await connectClients(context), this.#file.name,
      this.#options.timeoutMs)
    const first = await this.#look(session)
    checkFaults(this.#file, first.plan)
    const lab = this.#isStarted ? 'started' : 'running'
    const result = report(context, this.#file, first.plan, lab)
    if (context.dryRun) return result
    try {
      if (first.plan.actions.length > 0) await this.#converge(session)
      await this.#settle(session)
      await this.#runCommands(session, first.plan)
    } catch (error) {
      throw this.#interrupted(error)
    }
    return { ...result, done: this.#done }
  }

  async #look (session: Session): Promise<{ live: LiveLab, wanted: Resource[], plan: Plan }> {
    const wantsUserData = new Set<string>()
    for (const resource of resourcesOf(this.#file, new Map())) {
      if (resource.fields['user-data'] === undefined) continue
      wantsUserData.add(keyOf(resource.kind, resource.vpc, resource.name))
    }
    const live = await readLab(session.clients, {
      owner: this.#file.name, madeUpNames: false, wantsUserData: (key) => wantsUserData.has(key)
    })
    session.learn(live)
    const wanted = resourcesOf(this.#file, live.zones)
    const services = await this.#services(wanted, live)
    const { prune, adopt } = this.#options
    const plan = makePlan(wanted, live, { owner: this.#file.name, prune, adopt, services })
    return { live, wanted, plan }
  }

  /** What runs in the instances that are to run services. */
  async #services (wanted: readonly Resource[],
    live: LiveLab): Promise<Map<string, ReadonlySet<string>>> {
    const keys = wanted.filter(({ commands }) => commands?.some(({ background }) => background))
      .map(({ kind, vpc, name }) => keyOf(kind, vpc, name))
    const found = await boundedAll(keys, async (key) => {
      const instance = live.resources.get(key)
      if (instance === undefined) return [key, new Set<string>()] as const
      const { namespace, state } = await this.#context.admin.instance(instance.id)
      return [key, state === 'running' ? await runningServices(namespace) : new Set<string>()] as
        const
    })
    return new Map(found)
  }

  async #converge (session: Session): Promise<void> {
    await this.#context.output.progress('Applying', async (say) => {
      for (const round of ROUNDS) {
        const { plan } = await this.#look(session)
        const steps = stepsOf(plan, round)
        for (const [, rank] of Map.groupBy(steps, (step) => step.rank)) {
          await boundedAll(rank, (step) => this.#take(session, step, say))
        }
      }
    })
    const { plan: { actions } } = await this.#look(session)
    if (actions.length === 0) return
    throw new CtlError('NotConverged', 'The lab still differs from the file:\n' +
      planLines({ actions, commands: [], kept: [], faults: [] }).join('\n'))
  }

  async #take (session: Session, step: Step, say: (text: string) => void): Promise<void> {
    await step.run(session)
    if (step.done === '') return
    this.#done.push(step.done)
    say(step.done)
  }

  /** Every instance in its state, every host forwarding by the newest revision. */
  async #settle (session: Session): Promise<void> {
    const { wanted } = await this.#look(session)
    const ids = wanted
      .filter(({ kind, fields }) => kind === 'instance' && fields['state'] === 'running')
      .map(({ vpc, name }) => session.id('instance', vpc, name))
    if (ids.length > 0) {
      await this.#context.output.progress('Waiting for the instances', () =>
        waitForInstances(this.#context, session.ec2, ids, 'running', this.#options.timeoutMs))
    }
    await waitForApplied(this.#context, this.#options.timeoutMs)
  }

  /** Those of one instance in their order, instances side by side. */
  async #runCommands (session: Session, { commands }: Plan): Promise<void> {
    const byInstance = Map.groupBy(commands, ({ key }) => key)
    await this.#stopOldServices(session)
    await boundedAll([...byInstance], async ([key, runs]) => {
      for (const run of runs) await this.#runCommand(session, key, run)
    })
  }

  async #runCommand (session: Session, key: string, run: CommandRun): Promise<void> {
    const { command, hash } = run
    const resource = this.#resource(key)
    const id = session.id('instance', resource.vpc, resource.name)
    const inside = await instanceInside(this.#context, id)
    if (command.background) {
      await startService(this.#context,
        { inside, run: command.run, hash, listens: command.listens }, this.#options.timeoutMs)
      this.#done.push(`started in ${key}: ${command.run}`)
      return
    }
    const ended =
      await runInside(inside, ['/bin/sh', '-c', command.run], this.#options.timeoutMs)
    if (ended.code !== 0) {
      const how = ended.timedOut
        ? `did not end within ${String(this.#options.timeoutMs / 1000)} s`
        : `ended with code ${String(ended.code)}`
      throw new CtlError('CommandFailed', `The command "${command.run}" in ${key} ${how}:\n` +
        (ended.stderr + ended.stdout).trimEnd())
    }
    this.#done.push(`ran in ${key}: ${command.run}`)
    if (command.when === 'once') await this.#remember(session, resource, id, hash)
  }

  /** Hashes of commands that the file has no more are forgotten, so the tag stays short. */
  async #remember (session: Session, resource: Resource, id: string, hash: string): Promise<void> {
    const [instance] = await describeInstances(session.ec2, { InstanceId: [id] })
    const done = instance?.Tags?.find(({ Key }) => Key === COMMANDS_TAG)?.Value?.split(' ') ?? []
    const known = new Set((resource.commands ?? []).map(commandHash))
    const kept = [...new Set([...done, hash])].filter((one) => known.has(one))
    await session.ec2.call('CreateTags',
      { ResourceId: [id], Tag: [{ Key: COMMANDS_TAG, Value: kept.join(' ') }] })
  }

  /** A service whose text changed, or which the file has no more. */
  async #stopOldServices (session: Session): Promise<void> {
    const { wanted, live } = await this.#look(session)
    const instances = wanted.filter(({ kind, commands, fields }) =>
      kind === 'instance' && commands !== undefined && fields['state'] === 'running')
    await boundedAll(instances, async ({ kind, vpc, name, commands }) => {
      const id = live.resources.get(keyOf(kind, vpc, name))?.id ?? ''
      const { namespace } = await instanceInside(this.#context, id)
      const known = new Set((commands ?? []).map(commandHash))
      for (const hash of await runningServices(namespace)) {
        if (known.has(hash)) continue
        await stopService(this.#context, namespace, hash, this.#options.timeoutMs)
        this.#done.push(`stopped in ${keyOf(kind, vpc, name)}: a service that the file has no more`)
      }
    })
  }

  #resource (key: string): Resource {
    const found = resourcesOf(this.#file, new Map())
      .find(({ kind, vpc, name }) => keyOf(kind, vpc, name) === key)
    if (found === undefined) throw new Error(`the file has no ${key}`)
    return found
  }

  /** The failure with what was done before it. */
  #interrupted (error: unknown): Error {
    const failure = asCtlError(error)
    if (failure === null) return error as Error
    const done = this.#done.length === 0
      ? 'Nothing was changed before'
      : `Done before it:\n  ${this.#done.join('\n  ')}`
    return new CtlError(failure.code,
      `${failure.message}\n${done}\nThe next apply goes on from here`, failure.exitCode)
  }
}

function checkFaults (file: LabFile, { faults }: Plan): void {
  if (faults.length === 0) return
  throw new CtlError('BadLabFile', `The file "${file.name}" cannot be applied to this lab. ` +
    `Nothing was changed:\n  ${faults.join('\n  ')}`)
}

/** Prints the plan. */
function report (context: Context, file: LabFile, plan: Plan,
  lab: ApplyResult['lab']): ApplyResult {
  const { output, dryRun } = context
  const lines = planLines(plan)
  if (output.form === 'human') {
    for (const line of lines) output.text(line)
    if (plan.actions.length === 0 && plan.commands.length === 0) {
      output.text(`The lab "${context.lab}" is as the file "${file.name}" says: nothing to do.`)
    }
  }
  return {
    file: file.name,
    lab,
    dryRun,
    actions: plan.actions.map(({ action, key, live, changes, because }) =>
      ({ action, resource: key, id: live?.id, changes: changes.map(shownChange), because })),
    commands: plan.commands.map(({ key, command, hash }) =>
      ({ instance: key, run: command.run, background: command.background, hash })),
    kept: plan.kept.map(({ kind, vpc, name }) => keyOf(kind, vpc, name)),
    done: []
  }
}
