/**
 * A template: its sections, checked as far as they can be without values. CloudFormation User
 * Guide, "Template sections".
 *
 *     text ─ template_text.ts ─▶ JSON ─ this file ─▶ Template ─ stack_plan.ts ─▶ StackPlan
 */
import { AwsError } from '../../model/aws_error.ts'
import type { DeletionPolicy, Json, JsonObject } from '../../model/stack.ts'
import {
  STACK_MAPPINGS_MAX, STACK_OUTPUTS_MAX, STACK_PARAMETERS_MAX, STACK_RESOURCES_MAX
} from '../../model/stack.ts'
import { isObject, parseTemplateText } from './template_text.ts'

export interface TemplateResource {
  readonly type: string
  readonly properties: JsonObject
  readonly dependsOn: readonly string[]
  readonly condition: string | null
  readonly deletionPolicy: DeletionPolicy
  readonly updateReplacePolicy: DeletionPolicy
}

export interface TemplateOutput {
  readonly value: Json
  readonly description: string | null
  readonly condition: string | null
  readonly exportName: Json | null
}

export interface Template {
  readonly description: string | null
  readonly parameters: ReadonlyMap<string, JsonObject>
  readonly mappings: ReadonlyMap<string, JsonObject>
  readonly conditions: ReadonlyMap<string, Json>
  readonly resources: ReadonlyMap<string, TemplateResource>
  readonly outputs: ReadonlyMap<string, TemplateOutput>
}

const SECTIONS = [
  'AWSTemplateFormatVersion', 'Description', 'Metadata', 'Parameters', 'Mappings', 'Conditions',
  'Resources', 'Outputs'
]
const RESOURCE_ATTRIBUTES = [
  'Type', 'Properties', 'DependsOn', 'Condition', 'DeletionPolicy', 'UpdateReplacePolicy',
  'Metadata'
]
const DELETION_POLICIES = ['Delete', 'Retain', 'RetainExceptOnCreate']
const FORMAT_VERSION = '2010-09-09'
const NAME = /^[A-Za-z0-9]{1,255}$/
const DESCRIPTION_LENGTH_MAX = 1024

/** @throws AwsError ValidationError */
export function parseTemplate (text: string): Template {
  const json = parseTemplateText(text)
  const unknown = Object.keys(json).filter((name) => !SECTIONS.includes(name))
  if (unknown.length > 0) {
    throw formatError(`Invalid template property or properties [${unknown.join(', ')}]`,
      'Invalid template')
  }
  const version = json['AWSTemplateFormatVersion']
  if (version !== undefined && version !== FORMAT_VERSION) {
    throw formatError(`Template format version ${JSON.stringify(version)} is unsupported; ` +
      `expecting ${FORMAT_VERSION}.`)
  }
  const resources = section(json, 'Resources', STACK_RESOURCES_MAX)
  if (resources.length === 0) {
    throw formatError('At least one Resources member must be defined.')
  }
  return {
    description: descriptionOf(json),
    parameters: new Map(section(json, 'Parameters', STACK_PARAMETERS_MAX).map(([name, value]) =>
      [name, member('Parameters', name, value)])),
    mappings: new Map(section(json, 'Mappings', STACK_MAPPINGS_MAX).map(([name, value]) =>
      [name, member('Mappings', name, value)])),
    conditions: new Map(section(json, 'Conditions', STACK_RESOURCES_MAX)),
    resources: new Map(resources.map(([name, value]) =>
      [name, resourceOf(name, member('Resources', name, value))])),
    outputs: new Map(section(json, 'Outputs', STACK_OUTPUTS_MAX).map(([name, value]) =>
      [name, outputOf(name, member('Outputs', name, value))]))
  }
}

function formatError (message: string, kind = 'Template format error'): AwsError {
  return new AwsError('ValidationError', `${kind}: ${message}`)
}

function section (json: JsonObject, name: string, max: number): [string, Json][] {
  const value = json[name]
  if (value === undefined || value === null) return []
  if (!isObject(value)) throw formatError(`${name} must be an object.`)
  const entries = Object.entries(value)
  if (entries.length > max) {
    throw formatError(`Number of ${name.toLowerCase()}, ${String(entries.length)}, is greater ` +
      `than maximum allowed, ${String(max)}`)
  }
  const odd = entries.find(([key]) => !NAME.test(key))
  if (odd !== undefined) {
    throw formatError(`${name} name ${odd[0].slice(0, 64)} is non alphanumeric.`)
  }
  return entries
}

function member (sectionName: string, name: string, value: Json): JsonObject {
  if (isObject(value)) return value
  throw formatError(`[/${sectionName}/${name}] must be an object.`)
}

function descriptionOf (json: JsonObject): string | null {
  const description = json['Description']
  if (description === undefined) return null
  if (typeof description !== 'string' || description.length > DESCRIPTION_LENGTH_MAX) {
    throw formatError('Description must be a text of at most ' +
      `${String(DESCRIPTION_LENGTH_MAX)} characters.`)
  }
  return description
}

function resourceOf (name: string, json: JsonObject): TemplateResource {
  const unknown = Object.keys(json).filter((key) => !RESOURCE_ATTRIBUTES.includes(key))
  if (unknown.length > 0) {
    throw formatError(`the resource ${name} has the attributes [${unknown.join(', ')}]; ` +
      `expecting ${RESOURCE_ATTRIBUTES.join(', ')}`, 'Invalid template resource property')
  }
  const { Type: type, Properties: properties = {}, DependsOn: dependsOn = [] } = json
  if (typeof type !== 'string') {
    throw formatError(`[/Resources/${name}] Every Resources member must contain a Type member.`)
  }
  if (!isObject(properties)) {
    throw formatError(`[/Resources/${name}/Properties] must be an object.`)
  }
  const policy = policyOf(name, json, 'DeletionPolicy')
  return {
    type, properties,
    dependsOn: typeof dependsOn === 'string' ? [dependsOn] : textsOf(name, 'DependsOn', dependsOn),
    condition: textOf(name, 'Condition', json['Condition']),
    deletionPolicy: policy,
    updateReplacePolicy: policyOf(name, json, 'UpdateReplacePolicy')
  }
}

function policyOf (name: string, json: JsonObject, attribute: string): DeletionPolicy {
  const policy = json[attribute] ?? 'Delete'
  if (typeof policy === 'string' && DELETION_POLICIES.includes(policy)) {
    return policy as DeletionPolicy
  }
  throw formatError(`${attribute} of the resource ${name} is ${JSON.stringify(policy)}; ` +
    `expecting one of ${DELETION_POLICIES.join(', ')}`)
}

function outputOf (name: string, json: JsonObject): TemplateOutput {
  const { Value: value, Export: exported } = json
  if (value === undefined || value === null) {
    throw formatError(`Output ${name} is malformed. It must have a Value.`)
  }
  if (exported !== undefined && (!isObject(exported) || exported['Name'] === undefined)) {
    throw formatError(`Output ${name} is malformed. The Export must have a Name.`)
  }
  return {
    value,
    description: textOf(name, 'Description', json['Description']),
    condition: textOf(name, 'Condition', json['Condition']),
    exportName: exported === undefined ? null : exported['Name'] ?? null
  }
}

function textOf (name: string, attribute: string, value: Json | undefined): string | null {
  if (value === undefined) return null
  if (typeof value === 'string') return value
  throw formatError(`Every ${attribute} member must be a string; that of ${name} is not.`)
}

function textsOf (name: string, attribute: string, value: Json): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return [...value]
  throw formatError(
    `Every ${attribute} value must be a string or a list of strings; that of ${name} is not.`)
}
