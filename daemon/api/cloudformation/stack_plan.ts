/**
 * What a template comes to with its parameters: resources and outputs in which only references to
 * resources are left, and what two such plans differ in. Pure.
 *
 *     Template + values ─ evaluate ─▶ StackPlan ──▶ engine: make it so
 *                                        └─ changesBetween(old, new) ─▶ change set
 */
import { AwsError } from '../../model/aws_error.ts'
import type {
  ChangeSetChange, DeletionPolicy, Json, JsonObject, StackResource, StackSource
} from '../../model/stack.ts'
import { propertiesInForce } from '../../model/stack.ts'
import { findCircle } from './dependency.ts'
import type { Reference, Scope } from './intrinsic.ts'
import { evaluate, evaluateCondition, referencesOf, templateError } from './intrinsic.ts'
import { isListType, splitList } from './parameter.ts'
import { behaviorOf, canonical, changedProperties } from './property.ts'
import type { ResourceType } from './resource_type.ts'
import type { Template, TemplateResource } from './template.ts'
import { isObject } from './template_text.ts'

export interface PlannedResource {
  readonly logicalId: string
  readonly type: ResourceType
  /** Only references to resources are not evaluated. */
  readonly properties: JsonObject
  readonly dependsOn: readonly string[]
  readonly deletionPolicy: DeletionPolicy
  readonly updateReplacePolicy: DeletionPolicy
}

export interface PlannedOutput {
  readonly key: string
  readonly value: Json
  readonly description: string | null
  readonly exportName: string | null
}

export interface StackPlan {
  readonly description: string | null
  /** In the template's order. */
  readonly resources: ReadonlyMap<string, PlannedResource>
  readonly outputs: readonly PlannedOutput[]
  /** Names of the exports that it uses. */
  readonly imports: readonly string[]
}

export type ResourceTypes = ReadonlyMap<string, ResourceType>

/** What a plan needs of the world. */
export interface PlanScope {
  readonly stackName: string
  readonly stackId: string
  readonly accountId: string
  readonly region: string
  /** @throws AwsError ValidationError */
  importValue(name: string): string
  zones(region: string): readonly string[]
}

const PSEUDO_PARAMETERS = [
  'AWS::AccountId', 'AWS::NotificationARNs', 'AWS::NoValue', 'AWS::Partition', 'AWS::Region',
  'AWS::StackId', 'AWS::StackName', 'AWS::URLSuffix'
]

/**
 * What can be said of a template before it has values: its types and properties are known, and
 * every name that it uses is there.
 * @throws AwsError ValidationError
 */
export function checkTemplate (template: Template, types: ResourceTypes): void {
  const unknown = [...template.resources.values()].map(({ type }) => type)
    .filter((type) => !types.has(type))
  if (unknown.length > 0) {
    throw new AwsError('ValidationError', 'Template format error: Unrecognized resource types: ' +
      `[${[...new Set(unknown)].join(', ')}]; vpclab has ${[...types.keys()].join(', ')}`)
  }
  const inResources: string[] = []
  for (const [logicalId, resource] of template.resources) {
    const names = [
      ...checkReferences(template, types, resource.properties),
      ...resource.dependsOn.filter((name) => !template.resources.has(name))
    ]
    inResources.push(...names)
    checkPropertyNames(logicalId, resource, types)
    checkConditionName(template, resource.condition, 'Resources')
  }
  refuseUnresolved(inResources, 'Resources')
  for (const { value, exportName, condition } of template.outputs.values()) {
    refuseUnresolved(checkReferences(template, types, [value, exportName ?? '']), 'Outputs')
    checkConditionName(template, condition, 'Outputs')
  }
  const certain = [...template.resources].map(([logicalId, { properties, dependsOn }]) =>
    [logicalId, needsOf(template, referencesOf(properties, { skipIf: true }), dependsOn)] as const)
  refuseCircle(new Map(certain))
}

/** @returns names that are neither a parameter nor a resource */
function checkReferences (template: Template, types: ResourceTypes, value: Json): string[] {
  return referencesOf(value).flatMap(({ name, attribute }) => {
    if (attribute === null) {
      const known = template.parameters.has(name) || template.resources.has(name) ||
        PSEUDO_PARAMETERS.includes(name)
      return known ? [] : [name]
    }
    const resource = template.resources.get(name)
    if (resource === undefined) return [name]
    const { attributes = [] } = types.get(resource.type) ?? {}
    if (attribute !== '' && !attributes.includes(attribute)) {
      throw templateError(`resource ${name} does not support attribute type ${attribute} in ` +
        `Fn::GetAtt; ${resource.type} has ${attributes.join(', ') || 'none'}`)
    }
    return []
  })
}

function refuseUnresolved (names: readonly string[], section: string): void {
  if (names.length === 0) return
  throw new AwsError('ValidationError', 'Template format error: Unresolved resource dependencies ' +
    `[${[...new Set(names)].join(', ')}] in the ${section} block of the template`)
}

function checkConditionName (template: Template, name: string | null, section: string): void {
  if (name === null || template.conditions.has(name)) return
  throw new AwsError('ValidationError', 'Template format error: Unresolved condition dependency ' +
    `${name} in the ${section} block of the template`)
}

function checkPropertyNames (logicalId: string, resource: TemplateResource,
  types: ResourceTypes): void {
  const { properties = {} } = types.get(resource.type) ?? {}
  const unknown = Object.keys(resource.properties)
    .filter((name) => !Object.hasOwn(properties, name))
  if (unknown.length === 0) return
  throw new AwsError('ValidationError', `Encountered unsupported property ${unknown.join(', ')} ` +
    `of resource ${logicalId}; ${resource.type} takes ${Object.keys(properties).join(', ')}`)
}

function needsOf (template: Template, references: readonly Reference[],
  dependsOn: readonly string[]): string[] {
  const names = [...references.map(({ name }) => name), ...dependsOn]
  return [...new Set(names)].filter((name) => template.resources.has(name)).toSorted()
}

function refuseCircle (dependencies: ReadonlyMap<string, readonly string[]>): void {
  const circle = findCircle(dependencies)
  if (circle === null) return
  throw new AwsError('ValidationError',
    `Circular dependency between resources: [${circle.join(', ')}]`)
}

/**
 * Precondition: `checkTemplate` has passed.
 * @param values of all parameters
 * @throws AwsError ValidationError
 */
export function planStack (template: Template, values: StackSource['parameters'],
  types: ResourceTypes, planScope: PlanScope): StackPlan {
  const imports = new Set<string>()
  const scope = scopeOf(template, values, planScope, imports)
  const holds = (condition: string | null): boolean =>
    condition === null || scope.condition(condition)
  const present = [...template.resources].filter(([, { condition }]) => holds(condition))
  const resources = new Map(present.map(([logicalId, resource]) =>
    [logicalId, plannedResource(template, logicalId, resource, types, scope)]))
  refuseUnresolved([...resources.values()].flatMap(({ properties }) => referencesOf(properties))
    .map(({ name }) => name).filter((name) => !resources.has(name)), 'Resources')
  refuseCircle(new Map([...resources].map(([name, { dependsOn }]) => [name, dependsOn])))
  const outputs = [...template.outputs].filter(([, { condition }]) => holds(condition))
    .map(([key, { value, description, exportName }]) => ({
      key, description, value: evaluate(value, scope) ?? null,
      exportName: exportName === null ? null : exportNameOf(key, evaluate(exportName, scope))
    }))
  return { description: template.description, resources, outputs, imports: [...imports] }
}

function exportNameOf (key: string, name: Json | undefined): string {
  if (typeof name === 'string' && name !== '') return name
  throw templateError(`the Export Name of output ${key} must be a text that refers to no resource`)
}

function plannedResource (template: Template, logicalId: string, resource: TemplateResource,
  types: ResourceTypes, scope: Scope): PlannedResource {
  const type = types.get(resource.type)
  const properties = evaluate(resource.properties, scope)
  if (type === undefined || !isObject(properties)) {
    throw templateError(`the properties of resource ${logicalId} are no object`)
  }
  return {
    logicalId, type, properties,
    dependsOn: needsOf(template, referencesOf(properties), resource.dependsOn),
    deletionPolicy: resource.deletionPolicy, updateReplacePolicy: resource.updateReplacePolicy
  }
}

/** Everything but the resources. */
function scopeOf (template: Template, values: StackSource['parameters'], planScope: PlanScope,
  imports: Set<string>): Scope {
  const { region, accountId, stackName, stackId } = planScope
  const pseudo: Readonly<Record<string, Json>> = {
    'AWS::AccountId': accountId, 'AWS::NotificationARNs': [], 'AWS::Partition': 'aws',
    'AWS::Region': region, 'AWS::StackId': stackId, 'AWS::StackName': stackName,
    'AWS::URLSuffix': 'amazonaws.com'
  }
  const decided = new Map<string, boolean>()
  const deciding = new Set<string>()
  const scope: Scope = {
    ref: (name) => {
      const definition = template.parameters.get(name)
      const value = values[name]
      if (definition === undefined || value === undefined) return pseudo[name]
      return isListType(definition) ? splitList(value) : value
    },
    getAtt: () => undefined,
    condition: (name) => {
      const known = decided.get(name)
      if (known !== undefined) return known
      const condition = template.conditions.get(name)
      if (condition === undefined || deciding.has(name)) {
        throw templateError(condition === undefined
          ? `Unresolved condition dependency ${name}`
          : `Circular dependency between conditions: [${[...deciding].join(', ')}]`)
      }
      deciding.add(name)
      const holds = evaluateCondition(condition, scope)
      deciding.delete(name)
      decided.set(name, holds)
      return holds
    },
    mapping: (name) => template.mappings.get(name),
    importValue: (name) => {
      imports.add(name)
      return planScope.importValue(name)
    },
    zones: (name) => planScope.zones(name === '' ? region : name)
  }
  return scope
}

/** Resources that are there, to fill the references of a plan. */
export interface MadeResource {
  readonly physicalId: string
  readonly attributes: JsonObject
}

/**
 * A planned value with its references filled in.
 * @throws AwsError ValidationError when one is not there
 */
export function fillIn (value: Json, made: (logicalId: string) => MadeResource | undefined): Json {
  const unknown = (name: string): never => { throw templateError(`${name} is not known`) }
  const filled = evaluate(value, {
    ref: (name) => made(name)?.physicalId,
    getAtt: (name, attribute) => made(name)?.attributes[attribute],
    condition: unknown, mapping: unknown, importValue: unknown, zones: unknown
  }) ?? null
  const [left] = referencesOf(filled)
  if (left === undefined) return filled
  throw templateError(`${left.name}${left.attribute === null ? '' : `.${left.attribute}`} has no ` +
    'value')
}

/** Whether two plans make the same stack. */
export function isSamePlan (a: StackPlan, b: StackPlan): boolean {
  const facts = ({ resources, outputs }: StackPlan): string => canonical([
    Object.fromEntries([...resources.values()].map((one) => [one.logicalId,
      [one.type.name, one.properties, one.deletionPolicy, one.updateReplacePolicy]])),
    outputs.map(({ key, value, description, exportName }) => [key, value, description, exportName])
  ] as Json)
  return facts(a) === facts(b)
}

/**
 * What becomes of each resource when a stack goes from one plan to another: AWS's change set.
 * @param physicalIdOf of resources that are there
 */
export function changesBetween (before: StackPlan | null, after: StackPlan,
  physicalIdOf: (logicalId: string) => string | null): ChangeSetChange[] {
  const old = before?.resources ?? new Map<string, PlannedResource>()
  const replaced = new Set<string>()
  const changes: ChangeSetChange[] = []
  for (const resource of after.resources.values()) {
    const { logicalId, type, properties } = resource
    const was = old.get(logicalId)
    const facts = { logicalId, type: type.name, physicalId: physicalIdOf(logicalId) }
    if (was === undefined) {
      changes.push({ ...facts, physicalId: null, action: 'Add', replacement: null, properties: [] })
      continue
    }
    const differing = changedProperties(was.properties, properties)
    const touched = Object.keys(properties).filter((name) =>
      referencesOf(properties[name] ?? null).some((one) => replaced.has(one.name)))
    const behavior = behaviorOf(type.properties, differing)
    const touchedBehavior = behaviorOf(type.properties, touched)
    const replacement = behavior === 'replaces' ? 'True'
      : touchedBehavior === 'replaces' ? 'Conditional' : 'False'
    if (differing.length + touched.length === 0) continue
    if (replacement !== 'False') replaced.add(logicalId)
    changes.push({ ...facts, action: 'Modify', replacement,
      properties: [...new Set([...differing, ...touched])] })
  }
  for (const { logicalId, type } of old.values()) {
    if (after.resources.has(logicalId)) continue
    changes.push({ action: 'Remove', logicalId, type: type.name,
      physicalId: physicalIdOf(logicalId), replacement: null, properties: [] })
  }
  return changes
}

/** What an update makes of one resource that is there. */
export function updateOf (resource: StackResource, planned: PlannedResource,
  properties: JsonObject): 'nothing' | 'in place' | 'replaces' {
  const names = propertiesInForce(resource).flatMap((before) =>
    changedProperties(before, properties))
  const behavior = behaviorOf(planned.type.properties, [...new Set(names)])
  if (behavior === null) return 'nothing'
  return behavior === 'replaces' ? 'replaces' : 'in place'
}
