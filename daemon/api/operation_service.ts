/**
 * A service as a list of operations, in the protocols that it speaks. The schemas of its client
 * package say what inputs and outputs look like; the package is loaded at the first call.
 */
import { AwsError } from '../model/aws_error.ts'
import type { Protocol } from './protocol.ts'
import { SchemaRegistry, type OperationShape } from './schema.ts'
import type { Body, Call, Service } from './service.ts'
import type { Caller } from './sigv4.ts'

/** A commit that an operation made, as `Call` notes it. */
type Noted = Pick<Call, 'revision'>

/** Input and output are the SDK's. */
export interface Operation<Input, Output> {
  readonly name: string
  /**
   * @param call takes the revision of what the operation changes
   * @throws AwsError to refuse
   */
  answer(caller: Caller, input: Input, call: Noted): Output | Promise<Output>
}

/** Marks an operation, whose input the codec makes. */
export function defineOperation<Input, Output extends object> (
  operation: Operation<Input, Output>): Operation<object, object> {
  return operation as unknown as Operation<object, object>
}

export interface OperationServiceOptions {
  /** As in the credential scope, `cloudtrail`. */
  readonly name: string
  /** As Service.pathPrefix. */
  readonly pathPrefix?: string
  /** The last one answers calls that are in none. */
  readonly protocols: readonly [Protocol, ...Protocol[]]
  /** The service's client package; loaded at the first call. */
  readonly loadClient: () => Promise<object>
  readonly operations: readonly Operation<object, object>[]
}

export function createOperationService (options: OperationServiceOptions): Service {
  const { name, protocols, loadClient } = options
  const operations = new Map(options.operations.map((operation) => [operation.name, operation]))
  /** Of what is built. */
  const shapes = new Map<string, OperationShape>()
  let loading: Promise<SchemaRegistry> | undefined
  const shapeOf = (schemas: SchemaRegistry, operation: string): OperationShape | undefined => {
    const known = shapes.get(operation)
    if (known !== undefined) return known
    const shape = schemas.operation(operation)
    if (shape !== undefined && operations.has(operation)) shapes.set(operation, shape)
    return shape
  }
  const protocolOf = (call: Call | undefined): Protocol =>
    protocols.find((protocol) => call !== undefined && protocol.speaks(call)) ??
      protocols.at(-1) ?? protocols[0]
  return {
    name,
    eventSource: `${name}.amazonaws.com`,
    ...options.pathPrefix === undefined ? {} : { pathPrefix: options.pathPrefix },
    async call (call): Promise<Body> {
      const protocol = protocolOf(call)
      loading ??= loadClient().then((client) => new SchemaRegistry(client))
      const schemas = await loading
      call.action = protocol.operationOf(call, schemas)
      const shape = shapeOf(schemas, call.action)
      if (shape === undefined) {
        throw new AwsError(protocol.unknownCode,
          `${name} has no operation "${call.action.slice(0, 64)}"`)
      }
      const operation = operations.get(call.action)
      if (operation === undefined) {
        throw new AwsError(protocol.unbuiltCode,
          `The operation ${call.action} of ${name} is not built in vpclab.`)
      }
      call.operation = shape
      call.input = protocol.decode(shape, call)
      call.output = await operation.answer(call.identity, call.input, call)
      return protocol.encode(shape, call.output, call.requestId)
    },
    refuse: (refusal, requestId, call) => protocolOf(call).refuse(refusal, requestId)
  }
}
