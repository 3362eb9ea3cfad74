/**
 * What a resource type is: a row of the table that `resource_types/registry.ts` is. A type says
 * which properties it has and which EC2 calls make, change and delete the thing; order, events,
 * waiting, rollback and restarts are the engine's business.
 *
 *     create ─▶ settle ─▶ ready? ─▶ read        a new resource
 *               settle ─▶ ready? ─▶ read        a change in place
 *     delete ─▶ gone?
 *
 * A daemon may be killed between any two calls, and then the step is done again. So the one call of
 * `create` carries a token (`once`), `settle` makes true what the properties say whatever is there,
 * and `delete` takes what is gone for done.
 *
 * To add a type: one value in a file of `resource_types/`, one line in its registry, and its row in
 * docs/stacks.md.
 */
import { AwsError } from '../../model/aws_error.ts'
import type { AccountView } from '../../model/snapshot.ts'
import type { Json, JsonObject } from '../../model/stack.ts'
import type { Properties } from './property.ts'

/** What a type's functions work with. */
export interface ResourceCall {
  readonly logicalId: string
  /** A name that no other resource has: `<stack>-<logical id>-<12 characters>`. */
  readonly uniqueName: string
  /** Of the kinds that the type's table says. */
  readonly properties: JsonObject
  /** What is there, the caller's own writes included. */
  readonly view: AccountView
  /** A call of EC2. @throws AwsError */
  ec2<Output> (action: string, input: object): Promise<Output>
  /** The same for the one call that makes the resource: repeated, it answers as the first time. */
  once<Output> (action: string, input: object): Promise<Output>
  /** Resolves when `condition` holds. @throws AwsError when it lasts too long, or is cancelled */
  until (condition: () => boolean): Promise<void>
}

export interface ResourceType {
  /** `AWS::EC2::VPC` */
  readonly name: string
  readonly properties: Properties
  /** What Ref gives, in words. */
  readonly ref: string
  /** Names that Fn::GetAtt takes. */
  readonly attributes: readonly string[]
  /** Whether the thing carries tags: then `Tags` is a property, and the stack's are put on it. */
  readonly tagged: boolean
  /** What its tags are on, where that is not what the physical id names. */
  taggedId? (call: ResourceCall, id: string): string
  /** @returns the physical id. @throws AwsError */
  create (call: ResourceCall): Promise<string>
  /**
   * Makes what is there as the properties say.
   * @param before properties that may be in force instead: the old ones, and those of an attempt
   *   that failed halfway; none for a new resource
   * @returns the physical id, which may be another one
   */
  settle? (call: ResourceCall, id: string, before: readonly JsonObject[]): Promise<string>
  /** Values of the attributes. Also for what is there for the first time. */
  read? (call: ResourceCall, id: string): JsonObject
  delete (call: ResourceCall, id: string): Promise<void>
}

/** A property that is a text, and undefined when it is not there. */
export function text (properties: JsonObject, name: string): string | undefined {
  return properties[name] as string | undefined
}

/** A property that is a list of texts. */
export function texts (properties: JsonObject, name: string): readonly string[] | undefined {
  return properties[name] as readonly string[] | undefined
}

/** The properties of these names, for a call that names its parameters alike. */
export function pick (properties: JsonObject, ...names: readonly string[]): JsonObject {
  return Object.fromEntries(names.flatMap((name) => {
    const value = properties[name]
    return value === undefined ? [] : [[name, value]]
  }))
}

/** Waits for a call and takes these refusals for success. */
export async function allowing (codes: readonly string[], call: Promise<unknown>): Promise<void> {
  try {
    await call
  } catch (error) {
    if (!(error instanceof AwsError && codes.includes(error.code))) throw error
  }
}

/** Two values are the same JSON. */
export function same (a: Json | undefined, b: Json | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
