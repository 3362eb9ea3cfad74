/**
 * Parameters of a template: their values, checked. CloudFormation User Guide, "Parameters";
 * "CloudFormation-supplied parameter types".
 *
 * Every value is a text here, a list one with commas, as a request carries it.
 */
import { AwsError } from '../../model/aws_error.ts'
import type { Json, JsonObject } from '../../model/stack.ts'
import type { Template } from './template.ts'

/** Characters of a value. */
export const PARAMETER_VALUE_LENGTH_MAX = 4096

/** A parameter as a request gives it; the SDK's `Parameter` fits. */
export interface ParameterInput {
  readonly ParameterKey?: string | undefined
  readonly ParameterValue?: string | undefined
  readonly UsePreviousValue?: boolean | undefined
}

const PLAIN_TYPES = ['String', 'Number', 'CommaDelimitedList', 'List<Number>', 'List<String>']
/** Types whose values name something that must be there; each may stand in `List<…>`. */
const RESOURCE_TYPES = [
  'AWS::EC2::AvailabilityZone::Name', 'AWS::EC2::Image::Id', 'AWS::EC2::Instance::Id',
  'AWS::EC2::KeyPair::KeyName', 'AWS::EC2::SecurityGroup::Id', 'AWS::EC2::Subnet::Id',
  'AWS::EC2::VPC::Id'
]

/** Whether an account has what a parameter of an AWS-specific type names. */
export type Exists = (type: string, value: string) => boolean

/**
 * The value of every parameter of the template.
 * @param previous values of the stack that is updated, for UsePreviousValue
 * @throws AwsError ValidationError
 */
export function parameterValues (template: Template, input: readonly ParameterInput[],
  previous: Readonly<Record<string, string>>, exists: Exists): Record<string, string> {
  const given = new Map<string, string>()
  for (const { ParameterKey: key = '', ParameterValue: value, UsePreviousValue: use } of input) {
    if (use === true) {
      if (!Object.hasOwn(previous, key)) {
        throw invalid(`Invalid input for parameter key ${key}. Cannot specify usePreviousValue ` +
          'as true for a parameter key not in the previous template')
      }
      given.set(key, previous[key] ?? '')
    } else given.set(key, value ?? '')
  }
  const absent = [...given.keys()].filter((key) => !template.parameters.has(key))
  if (absent.length > 0) {
    throw invalid(`Parameters: [${absent.join(', ')}] do not exist in the template`)
  }
  const missing: string[] = []
  const values: [string, string][] = []
  for (const [name, definition] of template.parameters) {
    const value = given.get(name) ?? textOf(definition['Default'])
    if (value === undefined) missing.push(name)
    else values.push([name, checked(name, definition, value, exists)])
  }
  if (missing.length > 0) throw invalid(`Parameters: [${missing.join(', ')}] must have values`)
  return Object.fromEntries(values)
}

function invalid (message: string): AwsError { return new AwsError('ValidationError', message) }

/** A default may be written as a number, or as a list. */
export function textOf (value: Json | undefined): string | undefined {
  return value === undefined || value === null ? undefined
    : typeof value === 'string' ? value
      : Array.isArray(value) ? value.map(String).join(',') : JSON.stringify(value)
}

/** `List<…>`, its item; any other type, null. */
function itemOfList (type: string): string | null {
  return type === 'CommaDelimitedList' ? 'String' : /^List<(.+)>$/.exec(type)?.[1] ?? null
}

export function isListType (definition: JsonObject): boolean {
  return itemOfList(typeOf('', definition)) !== null
}

export function typeOf (name: string, definition: JsonObject): string {
  const type = definition['Type']
  const known = typeof type === 'string' &&
    (PLAIN_TYPES.includes(type) || RESOURCE_TYPES.includes(itemOfList(type) ?? type))
  if (known) return type
  throw invalid(`Template format error: Unrecognized parameter type: ${JSON.stringify(type)} of ` +
    `parameter ${name}; expecting ${[...PLAIN_TYPES, ...RESOURCE_TYPES].join(', ')}, or ` +
    'List<…> of one of them')
}

function checked (name: string, definition: JsonObject, value: string, exists: Exists): string {
  if (value.length > PARAMETER_VALUE_LENGTH_MAX) {
    throw invalid(`Parameter '${name}' has a value of ${String(value.length)} characters; at ` +
      `most ${String(PARAMETER_VALUE_LENGTH_MAX)} are allowed`)
  }
  const type = typeOf(name, definition)
  const item = itemOfList(type)
  const values = item === null ? [value] : splitList(value)
  for (const one of values) {
    checkType(name, item ?? type, one, exists)
    checkConstraints(name, definition, item ?? type, one)
  }
  return item === null ? value : values.join(',')
}

/** A list's items; spaces around them do not count. */
export function splitList (value: string): string[] {
  return value === '' ? [] : value.split(',').map((item) => item.trim())
}

function checkType (name: string, type: string, value: string, exists: Exists): void {
  if (type === 'Number' && (value.trim() === '' || Number.isNaN(Number(value)))) {
    throw invalid(`Parameter '${name}' must be a number.`)
  }
  if (RESOURCE_TYPES.includes(type) && !exists(type, value)) {
    throw invalid(`Parameter validation failed: parameter value ${value} for parameter name ` +
      `${name} does not exist`)
  }
}

function checkConstraints (name: string, definition: JsonObject, type: string,
  value: string): void {
  const { AllowedValues: allowed, AllowedPattern: pattern, ConstraintDescription: told } =
    definition
  const fail = (expected: string): AwsError => invalid(typeof told === 'string'
    ? `Parameter '${name}' failed to satisfy constraint: ${told}`
    : `Parameter '${name}' ${expected}`)
  if (Array.isArray(allowed) && !allowed.some((one: Json) => textOf(one) === value)) {
    throw fail(`must be one of AllowedValues: [${allowed.map(textOf).join(', ')}]`)
  }
  if (typeof pattern === 'string' && !compiled(name, pattern).test(value)) {
    throw fail(`must match pattern ${pattern}`)
  }
  const isNumber = type === 'Number'
  const [least, most] = isNumber ? ['MinValue', 'MaxValue'] : ['MinLength', 'MaxLength']
  const size = isNumber ? Number(value) : value.length
  const [min, max] = [textOf(definition[least]), textOf(definition[most])]
  if (min !== undefined && size < Number(min)) {
    throw fail(isNumber
      ? `must be a number not less than ${min}`
      : `must contain at least ${min} characters`)
  }
  if (max !== undefined && size > Number(max)) {
    throw fail(isNumber
      ? `must be a number not greater than ${max}`
      : `must contain at most ${max} characters`)
  }
}

/** The whole value must fit, as with Java's `matches`. */
function compiled (name: string, pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`)
  } catch {
    throw invalid(`Template format error: AllowedPattern ${pattern} of parameter ${name} is no ` +
      'regular expression')
  }
}
