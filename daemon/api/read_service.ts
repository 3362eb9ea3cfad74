/**
 * A service whose operations only read, in the protocols that it speaks. The schemas of its client
 * package say what inputs and outputs look like; the package is loaded at the first call.
 */
import { AwsError } from '../model/aws_error.ts'
import type { Protocol } from './protocol.ts'
import { SchemaRegistry, type OperationShape } from './schema.ts'
import type { Body, Call, Service } from './service.ts'
import type { Caller } from './sigv4.ts'

/** Input and output are the SDK's. */
export interface ReadOperation<Input, Output> {
  readonly name: string
  /** @throws AwsError to refuse */
  answer(caller: Caller, input: Input): Output
}

/** Marks an operation, whose input the codec makes. */
export function defineReadOperation<Input, Output extends object> (
  operation: ReadOperation<Input, Output>): ReadOperation<object, object> {
  return operation as unknown as ReadOperation<object, object>
}

export interface ReadServiceOptions {
  /** As in the credential scope, `cloudtrail`. */
  readonly name: string
  /** The last one answers calls that are in none. */
  readonly protocols: readonly [Protocol, ...Protocol[]]
  /** The service's client package; loaded at the first call. */
  readonly loadClient: () => Promise<object>
  readonly operations: readonly ReadOperation<object, object>[]
}

export function createReadService (options: ReadServiceOptions): Service {
  const { name, protocols, loadClient } = options
  const operations = new Map(options.operations.map((operation) => [operation.name, operation]))
  /** Of what is built. */
  const shapes = new Map<string, OperationShape>()
  let loading: Promise<SchemaRegistry> | undefined
  const shapeOf = async (operationName: string): Promise<OperationShape | undefined> => {
    const known = shapes.get(operationName)
    if (known !== undefined) return known
    loading ??= loadClient().then((client) => new SchemaRegistry(client))
    const shape = (await loading).operation(operationName)
    if (shape !== undefined && operations.has(operationName)) shapes.set(operationName, shape)
    return shape
  }
  const protocolOf = (call: Call | undefined): Protocol =>
    protocols.find((protocol) => call !== undefined && protocol.speaks(call)) ??
      protocols.at(-1) ?? protocols[0]
  return {
    name,
    eventSource: `${name}.amazonaws.com`,
    async call (call): Promise<Body> {
      const protocol = protocolOf(call)
      call.action = protocol.operationOf(call)
      const shape = await shapeOf(call.action)
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
      call.output = operation.answer(call.identity, call.input)
      return protocol.encode(shape, call.output, call.requestId)
    },
    refuse: (refusal, requestId, call) => protocolOf(call).refuse(refusal, requestId)
  }
}
