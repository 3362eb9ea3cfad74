/**
 * What an action of CloudFormation works with, and what all of them share: the plan of a template,
 * and what is refused of a request. An action is one entry of a table in `*_actions.ts`.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { AwsError } from '../../model/aws_error.ts'
import type { Ledger } from '../../model/ledger.ts'
import type { OwnedNoun, Snapshot } from '../../model/snapshot.ts'
import { AccountView } from '../../model/snapshot.ts'
import type { Json, Stack, StackOwner, StackSource } from '../../model/stack.ts'
import { exportsOf } from '../../model/stack.ts'
import type { TagInput } from '../../model/tag.ts'
import { tagsFromInput } from '../../model/tag.ts'
import { listZones } from '../../model/zone.ts'
import type { Caller } from '../sigv4.ts'
import type { ParameterInput } from './parameter.ts'
import { parameterValues } from './parameter.ts'
import { canonical } from './property.ts'
import type { ResourceTypes, StackPlan } from './stack_plan.ts'
import { checkTemplate, planStack } from './stack_plan.ts'
import type { Template } from './template.ts'
import { parseTemplate } from './template.ts'

export interface ActionContext {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly random: Random
  readonly types: ResourceTypes
}

/** The input is the SDK's type for the action, and so is what it answers with. */
type Run = (context: ActionContext, caller: Caller, input: never) => object | Promise<object>

export interface StackAction {
  readonly readOnly: boolean
  readonly run: Run
}

/** A call that only reads. */
export function reads (run: Run): StackAction { return { readOnly: true, run } }

/** A call that changes something. */
export function writes (run: Run): StackAction { return { readOnly: false, run } }

/** The stack that a plan is for. */
export type PlannedStack = Pick<Stack, 'id' | 'name' | 'accountId' | 'region' | 'source'>

/** @throws AwsError ValidationError */
export function planOfStack (snapshot: Snapshot, types: ResourceTypes,
  stack: PlannedStack): StackPlan {
  const template = parseTemplate(stack.source.template)
  checkTemplate(template, types)
  return planStack(template, stack.source.parameters, types, {
    stackName: stack.name, stackId: stack.id, accountId: stack.accountId, region: stack.region,
    importValue: (name) => {
      const found = exportsOf(snapshot, stack).find((one) => one.name === name)
      if (found === undefined) {
        throw new AwsError('ValidationError', `No export named ${name} found.`)
      }
      return found.value
    },
    zones: (region) => listZones(new AccountView(snapshot, stack.accountId, region))
      .map(({ name }) => name).toSorted()
  })
}

/** What a request says of a stack's source; the SDK's inputs fit. */
export interface SourceInput {
  readonly TemplateBody?: string | undefined
  readonly TemplateURL?: string | undefined
  readonly UsePreviousTemplate?: boolean | undefined
  readonly Parameters?: readonly ParameterInput[] | undefined
  readonly Tags?: readonly TagInput[] | undefined
}

/** The text of the template. @throws AwsError ValidationError */
export function templateBody (input: SourceInput): string {
  if (input.TemplateURL !== undefined) {
    throw new AwsError('ValidationError',
      'TemplateURL is not supported, since there is no S3 in vpclab: give the template in ' +
      'TemplateBody')
  }
  if (input.TemplateBody === undefined) {
    throw new AwsError('ValidationError',
      'Either Template URL or Template Body must be specified.')
  }
  return input.TemplateBody
}

/**
 * The source that a request asks for, checked.
 * @param previous of the stack that is updated
 * @throws AwsError ValidationError
 */
export function sourceFromInput (context: ActionContext, owner: StackOwner, input: SourceInput,
  previous: StackSource | null): StackSource {
  const usesPrevious = previous !== null && input.UsePreviousTemplate === true
  const text = usesPrevious ? previous.template : templateBody(input)
  const template = parseTemplate(text)
  checkTemplate(template, context.types)
  const view = new AccountView(context.ledger.snapshot, owner.accountId, owner.region)
  return {
    template: text,
    parameters: parameterValues(template, input.Parameters ?? [], previous?.parameters ?? {},
      (type, value) => exists(view, type, value)),
    tags: input.Tags === undefined ? previous?.tags ?? {} : tagsFromInput(input.Tags)
  }
}

const NOUN_OF_TYPE: Readonly<Record<string, OwnedNoun>> = {
  'AWS::EC2::Instance::Id': 'instance',
  'AWS::EC2::SecurityGroup::Id': 'securityGroup',
  'AWS::EC2::Subnet::Id': 'subnet',
  'AWS::EC2::VPC::Id': 'vpc'
}

/** Images and key pairs are looked at when an instance is launched. */
function exists (view: AccountView, type: string, value: string): boolean {
  const noun = NOUN_OF_TYPE[type]
  if (noun !== undefined) return view.get(noun, value) !== undefined
  return type !== 'AWS::EC2::AvailabilityZone::Name' ||
    listZones(view).some(({ name }) => name === value)
}

/** SHA-256 of a request, to know it when it comes again. */
export function hashOfRequest (action: string, input: object): string {
  return createHash('sha256').update(action).update(canonical(input as Json)).digest('hex')
}

/** Parameters of a template that nobody is shown. */
export function secretParameters (template: Template): ReadonlySet<string> {
  return new Set([...template.parameters]
    .filter(([, { NoEcho: hides = false }]) => /^"?true"?$/i.test(JSON.stringify(hides)))
    .map(([name]) => name))
}

/** A page of what is listed, in the order given; `token` names the last item of the page before. */
export function pageOf<Item> (items: readonly Item[], token: string | undefined, size: number,
  idOf: (item: Item) => string): { readonly page: readonly Item[], readonly next?: string } {
  const after = token === undefined ? null : Buffer.from(token, 'base64url').toString()
  const at = after === null ? 0 : items.findIndex((item) => idOf(item) === after) + 1
  if (after !== null && at === 0) {
    throw new AwsError('ValidationError',
      `The token '${(token ?? '').slice(0, 64)}' is not one that this listing gave out`)
  }
  const page = items.slice(at, at + size)
  const last = page.at(-1)
  return last === undefined || at + size >= items.length
    ? { page }
    : { page, next: Buffer.from(idOf(last)).toString('base64url') }
}
